import shutil
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry

from mesh.metrics.exposition import SLICE, ProxyCollector, by_class
from mesh.metrics.names import ENVOY_SPELLING, ISTIO_SPELLING, REQUEST_LABELS, Spelling
from mesh.metrics.registry import CalledService, ProxyMetrics, RequestLabels, TcpLabels, Workload

GATEWAY = Workload("gateway", "istio-system", app="gateway")
REVIEWS = Workload("reviews-v1", "default", app="reviews", version="v1")
SERVICE = CalledService("reviews.default.svc.cluster.local", "reviews", "default")


def full(spelling: Spelling = ISTIO_SPELLING) -> ProxyMetrics:
    metrics = ProxyMetrics(GATEWAY, tag="1.2", spelling=spelling)
    cell = metrics.cell(RequestLabels("source", REVIEWS, SERVICE, 200))
    cell.observe(3.0, 420, 1100)
    cell.observe(70.0, 420, 1100)
    metrics.cell(RequestLabels("destination", REVIEWS, SERVICE, 503, "UH", security="none")).observe(1, 2, 3)
    tcp = metrics.tcp_cell(TcpLabels("source", REVIEWS, SERVICE))
    tcp.opened += 1
    tcp.sent_bytes += 12
    cluster = metrics.cluster("outbound|80|v1|reviews.default.svc.cluster.local")
    cluster.upstream_rq_total += 3
    cluster.outlier_detection_ejections_active = 2
    cluster.answered(200, 3.0)
    cluster.answered(204, 3.0)
    cluster.answered(503, 3.0)
    http = metrics.http("outbound_0.0.0.0_80")
    http.downstream_rq_total += 3
    http.answered(200, 3.0)
    metrics.listener("127.0.0.1_8080").downstream_cx_total += 1
    return metrics


def samples(metrics: ProxyMetrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = metrics.render(uptime_s=12.5).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(metrics: ProxyMetrics, name: str, **labels: str) -> float:
    found = [
        each for (key, have), each in samples(metrics).items() if key == name and labels.items() <= dict(have).items()
    ]
    assert len(found) == 1, (name, labels, found)
    return found[0]


def test_both_reporters_put_the_proxy_on_its_own_side() -> None:
    metrics = full()
    assert value(metrics, "istio_requests_total", reporter="source", source_workload="gateway",
                 destination_workload="reviews-v1", destination_version="v1", response_code="200",
                 destination_service="reviews.default.svc.cluster.local", response_flags="-",
                 connection_security_policy="unknown") == 2  # fmt: skip
    assert value(metrics, "istio_requests_total", reporter="destination", source_workload="reviews-v1",
                 destination_workload="gateway", response_code="503", response_flags="UH",
                 connection_security_policy="none") == 1  # fmt: skip


def test_every_request_series_has_every_label() -> None:
    for name, labels in samples(full()):
        if name.startswith(("istio_request", "istio_response")):
            assert {key for key, _ in labels} - {"le"} == set(REQUEST_LABELS)


def test_histograms_are_cumulative() -> None:
    metrics = full()
    name = "istio_request_duration_milliseconds"
    assert value(metrics, f"{name}_bucket", reporter="source", le="1") == 0
    assert value(metrics, f"{name}_bucket", reporter="source", le="5") == 1
    assert value(metrics, f"{name}_bucket", reporter="source", le="100") == 2
    assert value(metrics, f"{name}_bucket", reporter="source", le="+Inf") == 2
    assert value(metrics, f"{name}_count", reporter="source") == 2
    assert value(metrics, f"{name}_sum", reporter="source") == 73


def test_tcp_series() -> None:
    metrics = full()
    assert value(metrics, "istio_tcp_sent_bytes_total", request_protocol="tcp") == 12
    assert value(metrics, "istio_tcp_connections_opened_total", source_workload="gateway") == 1
    assert value(metrics, "istio_tcp_connections_closed_total", source_workload="gateway") == 0


def test_istio_spelling() -> None:
    metrics = full()
    cluster = {"cluster_name": "outbound|80|v1|reviews.default.svc.cluster.local"}
    assert value(metrics, "envoy_cluster_upstream_rq_total", **cluster) == 3
    assert value(metrics, "envoy_cluster_upstream_rq", response_code="204", **cluster) == 1
    assert value(metrics, "envoy_cluster_upstream_rq", response_code_class="2xx", **cluster) == 2
    assert value(metrics, "envoy_cluster_upstream_rq_completed", **cluster) == 3
    assert value(metrics, "envoy_cluster_outlier_detection_ejections_active", **cluster) == 2
    assert value(metrics, "envoy_cluster_upstream_rq_time_count", **cluster) == 3
    prefix = {"http_conn_manager_prefix": "outbound_0.0.0.0_80"}
    assert value(metrics, "envoy_http_downstream_rq", response_code_class="2xx", **prefix) == 1
    assert value(metrics, "envoy_listener_downstream_cx_total", listener_address="127.0.0.1_8080") == 1
    assert value(metrics, "envoy_server_uptime") == 12.5
    assert value(metrics, "istio_build", tag="1.2", component="proxy") == 1


def test_envoy_spelling() -> None:
    metrics = full(ENVOY_SPELLING)
    cluster = {"envoy_cluster_name": "outbound|80|v1|reviews.default.svc.cluster.local"}
    assert value(metrics, "envoy_cluster_upstream_rq", envoy_response_code="503", **cluster) == 1
    assert value(metrics, "envoy_cluster_upstream_rq_xx", envoy_response_code_class="5", **cluster) == 1


def test_chunks_join_to_one_text_with_one_header_a_family() -> None:
    metrics = full()
    for code in range(100, 160):
        metrics.cell(RequestLabels("source", REVIEWS, SERVICE, code)).observe(1, 1, 1)
    parts = list(metrics.render_chunks(uptime_s=12.5))
    text = b"".join(parts)
    assert text == metrics.render(uptime_s=12.5)
    assert max(part.count(b"\n") for part in parts) <= SLICE + 2
    declared = [line for line in text.splitlines() if line.startswith(b"# TYPE")]
    assert len(declared) == len(set(declared))
    assert sum(line.startswith(b"istio_requests_total{") for line in text.splitlines()) == 62


def test_collector_fits_a_registry() -> None:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ProxyCollector(full(), uptime_s=lambda: 1.0))
    assert registry.get_sample_value("istio_build", {"component": "proxy", "tag": "1.2"}) == 1
    assert registry.get_sample_value("envoy_server_uptime") == 1


def test_label_values_are_escaped() -> None:
    metrics = ProxyMetrics()
    metrics.cell(RequestLabels("source", REVIEWS, CalledService('a"b\\c\nd'), 404, "NR")).observe(1, 1, 1)
    assert value(metrics, "istio_requests_total", destination_service='a"b\\c\nd') == 1


def test_stats_have_envoys_names() -> None:
    stats = dict(full().stats(uptime_s=3.7))
    prefix = "cluster.outbound|80|v1|reviews.default.svc.cluster.local."
    assert stats[prefix + "upstream_rq_total"] == 3
    assert stats[prefix + "upstream_rq_503"] == 1
    assert stats[prefix + "upstream_rq_2xx"] == 2
    assert stats[prefix + "upstream_rq_completed"] == 3
    assert stats[prefix + "circuit_breakers.default.cx_open"] == 0
    assert stats["http.outbound_0.0.0.0_80.downstream_rq_2xx"] == 1
    assert stats["listener.127.0.0.1_8080.downstream_cx_total"] == 1
    assert stats["server.uptime"] == 3
    assert list(stats) == sorted(stats)


@pytest.mark.parametrize(
    ("codes", "classes"),
    [
        pytest.param({}, {1: 0, 2: 0, 3: 0, 4: 0, 5: 0}, id="all-classes-at-zero"),
        pytest.param({200: 2, 204: 1, 404: 5}, {1: 0, 2: 3, 3: 0, 4: 5, 5: 0}, id="summed"),
        pytest.param({0: 1, 999: 2}, {1: 0, 2: 0, 3: 0, 4: 0, 5: 0}, id="outside-every-class"),
    ],
)
def test_by_class(codes: dict[int, int], classes: dict[int, int]) -> None:
    assert by_class(codes) == classes


@pytest.mark.live
@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize("spelling", [ISTIO_SPELLING, ENVOY_SPELLING], ids=["istio", "envoy"])
def test_promtool_has_one_thing_to_say_and_it_is_istios_name(spelling: Spelling) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=full(spelling).render(), capture_output=True, timeout=20, check=False
    )
    words = (done.stdout + done.stderr).decode().strip()
    # The name is Istio's contract with every dashboard; promtool would have seconds.
    assert words == 'istio_request_duration_milliseconds use base unit "seconds" instead of "milliseconds"'
