"""What does a scrape of one proxy read?

Values become prometheus-client's metric families, and its encoder writes the text. A family with many samples is
encoded in slices, because a label set of 25 names costs the encoder some 20 us a line and a data plane must not
stand still for a whole scrape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from mesh.metrics import names
from mesh.metrics.names import BOUNDARIES, REQUEST_LABELS, TCP_LABELS, Series, exposed_kind
from mesh.metrics.registry import ProxyMetrics, RequestCell, RequestLabels, TcpCell, TcpLabels
from mesh.metrics.scopes import ClusterStats, HttpStats, ListenerStats, Times, stats_of

SLICE = 50
"""Samples a chunk: about a millisecond of the encoder's time."""

_BOUNDS_TEXT = (*(format(bound, ".15g") for bound in BOUNDARIES), "+Inf")
_CLUSTER = stats_of(ClusterStats)
_HTTP = stats_of(HttpStats)
_LISTENER = stats_of(ListenerStats)

Labels = dict[str, str]
Family = tuple[str, names.Kind, str, Iterable[Sample]]


class ProxyCollector(Collector):
    """One proxy's series as metric families, for a `CollectorRegistry` of somebody else's process."""

    def __init__(self, metrics: ProxyMetrics, uptime_s: Callable[[], float]) -> None:
        self._metrics = metrics
        self._uptime_s = uptime_s

    def collect(self) -> Iterator[Metric]:
        for name, kind, text, samples in _families(self._metrics, self._uptime_s()):
            yield _metric(name, kind, text, list(samples))


class _One(Collector):
    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


def chunks(metrics: ProxyMetrics, uptime_s: float) -> Iterator[bytes]:
    """The Prometheus text in pieces; a family without samples is left out."""
    for name, kind, text, samples in _families(metrics, uptime_s):
        part: list[Sample] = []
        first = True
        for sample in samples:
            part.append(sample)
            if len(part) == SLICE:
                yield _encode(_metric(name, kind, text, part), header=first)
                part, first = [], False
        if part:
            yield _encode(_metric(name, kind, text, part), header=first)


def _encode(metric: Metric, *, header: bool) -> bytes:
    text = generate_latest(_One(metric))
    return text if header else text.split(b"\n", 2)[2]  # HELP and TYPE are a line each


def _metric(name: str, kind: names.Kind, text: str, samples: list[Sample]) -> Metric:
    exposed = exposed_kind(name, kind)
    # The encoder puts `_total` behind the family name of a counter.
    metric = Metric(name.removesuffix("_total") if exposed == "counter" else name, text, exposed)
    metric.samples = samples
    return metric


def _families(metrics: ProxyMetrics, uptime_s: float) -> Iterator[Family]:
    """Every family with a lazy run of its samples; the keys are copied, so requests may go on in between."""
    yield from _istio(metrics)
    yield from _envoy(metrics)
    for stat, value in zip(names.SERVER, (float(metrics.live), uptime_s), strict=True):
        name = f"envoy_server_{stat.name}"
        yield name, stat.kind, stat.help, (Sample(name, {}, value),)


# Istio's series


def _istio(metrics: ProxyMetrics) -> Iterator[Family]:
    requests = [(_request_labels(metrics, key), cell) for key, cell in metrics.requests.items()]
    yield _family(names.REQUESTS_TOTAL, requests, _count)
    yield _family(names.REQUEST_DURATION, requests, _duration)
    yield _family(names.REQUEST_BYTES, requests, _request_bytes)
    yield _family(names.RESPONSE_BYTES, requests, _response_bytes)
    tcp = [(_tcp_labels(metrics, key), cell) for key, cell in metrics.tcp.items()]
    for series, attribute in (
        (names.TCP_SENT_BYTES, "sent_bytes"),
        (names.TCP_RECEIVED_BYTES, "received_bytes"),
        (names.TCP_OPENED, "opened"),
        (names.TCP_CLOSED, "closed"),
    ):
        yield series.name, series.kind, series.help, [_tcp_sample(series, attribute, *each) for each in tcp]
    build = {"component": "proxy", "tag": metrics.tag}
    yield names.BUILD.name, names.BUILD.kind, names.BUILD.help, (Sample(names.BUILD.name, build, 1.0),)


def _family(
    series: Series,
    cells: list[tuple[Labels, RequestCell]],
    samples: Callable[[str, Labels, RequestCell], Iterable[Sample]],
) -> Family:
    def run() -> Iterator[Sample]:
        for labels, cell in cells:
            yield from samples(series.name, labels, cell)

    return series.name, series.kind, series.help, run()


def _count(name: str, labels: Labels, cell: RequestCell) -> Iterable[Sample]:
    return (Sample(name, labels, cell.count),)


def _duration(name: str, labels: Labels, cell: RequestCell) -> Iterable[Sample]:
    return _histogram(name, labels, cell.duration_buckets, cell.duration_sum_ms)


def _request_bytes(name: str, labels: Labels, cell: RequestCell) -> Iterable[Sample]:
    return _histogram(name, labels, cell.request_buckets, cell.request_sum_bytes)


def _response_bytes(name: str, labels: Labels, cell: RequestCell) -> Iterable[Sample]:
    return _histogram(name, labels, cell.response_buckets, cell.response_sum_bytes)


def _tcp_sample(series: Series, attribute: str, labels: Labels, cell: TcpCell) -> Sample:
    return Sample(series.name, labels, getattr(cell, attribute))


def _histogram(name: str, labels: Labels, buckets: list[int], total: float) -> Iterator[Sample]:
    running = tuple(accumulate(buckets))
    bucket = f"{name}_bucket"
    for bound, count in zip(_BOUNDS_TEXT, running, strict=True):
        yield Sample(bucket, {**labels, "le": bound}, count)
    yield Sample(f"{name}_count", labels, running[-1])
    yield Sample(f"{name}_sum", labels, total)


def _sides(metrics: ProxyMetrics, key: RequestLabels | TcpLabels) -> tuple[str, ...]:
    own, peer = metrics.identity, key.peer
    source, destination = (own, peer) if key.reporter == "source" else (peer, own)
    return (key.reporter, *source, *destination, *key.service)


def _request_labels(metrics: ProxyMetrics, key: RequestLabels) -> Labels:
    rest = (key.protocol, str(key.response_code), key.grpc_status, key.response_flags, key.security)
    # The sides stand in the order of Workload's fields; see REQUEST_LABELS.
    return dict(zip(_SIDES + _REQUEST_REST, _sides(metrics, key) + rest, strict=True))


def _tcp_labels(metrics: ProxyMetrics, key: TcpLabels) -> Labels:
    rest = ("tcp", key.response_flags, key.security)
    return dict(zip(_SIDES + _TCP_REST, _sides(metrics, key) + rest, strict=True))


_SIDES = REQUEST_LABELS[: 1 + 8 + 8 + 3]
_REQUEST_REST = REQUEST_LABELS[len(_SIDES) :]
_TCP_REST = TCP_LABELS[len(_SIDES) :]


# Envoy's statistics


def _envoy(metrics: ProxyMetrics) -> Iterator[Family]:
    tags = metrics.spelling
    clusters = [({tags.cluster: name}, each) for name, each in metrics.clusters.items()]
    for attribute, stat in _CLUSTER:
        yield _plain("envoy_cluster_", attribute, stat, clusters)
    yield from _answers(metrics, "envoy_cluster_upstream", clusters, by_code=True)
    yield _times("envoy_cluster_upstream_rq_time", clusters)
    managers = [({tags.http: prefix}, each) for prefix, each in metrics.http_managers.items()]
    for attribute, stat in _HTTP:
        yield _plain("envoy_http_", attribute, stat, managers)
    yield from _answers(metrics, "envoy_http_downstream", managers, by_code=False)
    yield _times("envoy_http_downstream_rq_time", managers)
    listeners = [({tags.listener: address}, each) for address, each in metrics.listeners.items()]
    for attribute, stat in _LISTENER:
        yield _plain("envoy_listener_", attribute, stat, listeners)


def _plain(prefix: str, attribute: str, stat: names.Stat, scopes: Iterable[tuple[Labels, object]]) -> Family:
    name = prefix + attribute
    return name, stat.kind, stat.help, [Sample(name, labels, getattr(each, attribute)) for labels, each in scopes]


def _answers(
    metrics: ProxyMetrics,
    prefix: str,
    scopes: Iterable[tuple[Labels, ClusterStats]] | Iterable[tuple[Labels, HttpStats]],
    *,
    by_code: bool,
) -> Iterator[Family]:
    """Answers by code, by class and all together; Istio's spelling puts code and class into one family."""
    tags = metrics.spelling
    codes: list[Sample] = []
    classes: list[Sample] = []
    completed: list[Sample] = []
    code_family, class_family = f"{prefix}_rq", f"{prefix}_{tags.class_family}"
    for labels, each in scopes:
        counts = dict(each.codes)
        if by_code:
            codes += [
                Sample(code_family, {**labels, tags.code: str(code)}, count) for code, count in sorted(counts.items())
            ]
        for digit, count in by_class(counts).items():
            value = tags.class_value.format(digit)
            classes.append(Sample(class_family, {**labels, tags.code_class: value}, count))
        completed.append(Sample(f"{prefix}_rq_completed", labels, sum(counts.values())))
    if code_family == class_family:
        yield code_family, "counter", names.RESPONSES_HELP, codes + classes
    else:
        yield code_family, "counter", names.RESPONSES_HELP, codes
        yield class_family, "counter", names.RESPONSES_HELP, classes
    yield f"{prefix}_rq_completed", "counter", names.COMPLETED_HELP, completed


def by_class(codes: dict[int, int]) -> dict[int, int]:
    """Answers by first digit of their status; the five classes are there from the start."""
    classes = dict.fromkeys(range(1, 6), 0)
    for code, count in codes.items():
        if code // 100 in classes:
            classes[code // 100] += count
    return classes


def _times(name: str, scopes: Iterable[tuple[Labels, ClusterStats]] | Iterable[tuple[Labels, HttpStats]]) -> Family:
    def run() -> Iterator[Sample]:
        for labels, each in scopes:
            times: Times = each.rq_time
            yield from _histogram(name, labels, times.buckets, times.sum_ms)

    return name, "histogram", names.TIME_HELP, run()


def stats(metrics: ProxyMetrics, uptime_s: float) -> Iterator[tuple[str, int | float]]:
    """Envoy's names with their values, sorted as /stats sorts them; histograms are left out."""
    lines: list[tuple[str, int | float]] = [("server.live", int(metrics.live)), ("server.uptime", int(uptime_s))]
    for name, cluster in metrics.clusters.items():
        lines += _scope(f"cluster.{name}.", "upstream_rq", cluster, cluster.codes, _CLUSTER)
        lines += [(f"cluster.{name}.upstream_rq_{code}", count) for code, count in cluster.codes.items()]
    for prefix, manager in metrics.http_managers.items():
        lines += _scope(f"http.{prefix}.", "downstream_rq", manager, manager.codes, _HTTP)
    for address, listener in metrics.listeners.items():
        lines += _scope(f"listener.{address}.", "", listener, {}, _LISTENER)
    return iter(sorted(lines))


def _scope(
    prefix: str, answers: str, scope: object, codes: dict[int, int], declared: tuple[tuple[str, names.Stat], ...]
) -> list[tuple[str, int | float]]:
    lines: list[tuple[str, int | float]] = [
        (prefix + stat.name, getattr(scope, attribute)) for attribute, stat in declared
    ]
    if answers:
        lines += [(f"{prefix}{answers}_{digit}xx", count) for digit, count in by_class(codes).items()]
        lines.append((f"{prefix}{answers}_completed", sum(codes.values())))
    return lines
