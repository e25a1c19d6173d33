from typing import Any

import pytest

from mesh.routing.compile import compile_cluster, compile_endpoints
from mesh.routing.errors import Refused
from mesh.routing.spec import ClusterSpec, EndpointSpec, OutlierSpec
from tests.unit.routing.conftest import message

OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def _cluster(**fields: Any) -> ClusterSpec:
    return compile_cluster(message("envoy.config.cluster.v3.cluster:Cluster", {"name": "c", **fields}))


def _endpoints(*groups: Any) -> tuple[EndpointSpec, ...]:
    fields = {"cluster_name": "c", "endpoints": list(groups)}
    return compile_endpoints(message("envoy.config.endpoint.v3.endpoint:ClusterLoadAssignment", fields))


def _at(address: str, port: int = 80, **more: Any) -> Any:
    return {"endpoint": {"address": {"socket_address": {"address": address, "port_value": port}}}, **more}


def test_defaults_are_envoys() -> None:
    assert _cluster() == ClusterSpec(name=b"c", stat_name="c")


def test_every_policy_and_its_options() -> None:
    ring = _cluster(
        lb_policy="RING_HASH",
        ring_hash_lb_config={"minimum_ring_size": 64, "maximum_ring_size": 128, "hash_function": "MURMUR_HASH_2"},
    )
    assert (ring.lb_policy, ring.lb.minimum_ring_size, ring.lb.maximum_ring_size) == ("RING_HASH", 64, 128)
    assert ring.lb.hash_function == "MURMUR_HASH_2"
    assert _cluster(lb_policy="MAGLEV", maglev_lb_config={"table_size": 251}).lb.table_size == 251
    least = _cluster(lb_policy="LEAST_REQUEST", least_request_lb_config={"choice_count": 3})
    assert (least.lb_policy, least.lb.choice_count, least.lb.active_request_bias) == ("LEAST_REQUEST", 3, 1.0)
    biased = _cluster(least_request_lb_config={"active_request_bias": {"default_value": 0.0, "runtime_key": "x"}})
    assert biased.lb.active_request_bias == 0.0
    assert _cluster(lb_policy="RANDOM").lb_policy == "RANDOM"


def test_common_options_and_subsets() -> None:
    lb = _cluster(
        common_lb_config={"healthy_panic_threshold": {"value": 0}, "locality_weighted_lb_config": {}},
        lb_subset_config={
            "fallback_policy": "DEFAULT_SUBSET",
            "default_subset": {"env": "prod"},
            "subset_selectors": [{"keys": ["version", "env"]}],
        },
        load_assignment={"cluster_name": "c", "policy": {"overprovisioning_factor": 200}},
    ).lb
    assert (lb.healthy_panic_threshold, lb.locality_weighted, lb.overprovisioning_factor) == (0.0, True, 200)
    assert (lb.subset_keys, lb.subset_fallback) == ((("env", "version"),), "DEFAULT_SUBSET")
    assert lb.default_subset == (("env", "prod"),)


def test_limits() -> None:
    limits = {"max_connections": 1, "max_pending_requests": 0, "max_requests": 3, "max_retries": 4}
    spec = _cluster(circuit_breakers={"thresholds": [limits]})
    assert (spec.max_connections, spec.max_pending_requests, spec.max_requests, spec.max_retries) == (1, 0, 3, 4)


def test_outlier_detection() -> None:
    assert _cluster(outlier_detection={}).outlier == OutlierSpec()
    spec = _cluster(outlier_detection={"base_ejection_time": "400s", "consecutive_5xx": 0, "interval": "0.1s"}).outlier
    assert spec is not None
    assert (spec.base_ejection_time_s, spec.max_ejection_time_s, spec.consecutive_5xx) == (400.0, 400.0, 0)
    assert spec.interval_s == pytest.approx(0.1)


def test_protocol_options_in_both_spellings() -> None:
    common = {"idle_timeout": "0.3s", "max_requests_per_connection": 1}
    new = _cluster(
        typed_extension_protocol_options={
            OPTIONS: {
                "@type": "type.googleapis.com/" + OPTIONS,
                "common_http_protocol_options": common,
                "explicit_http_config": {"http_protocol_options": {"enable_trailers": True}},
            }
        }
    )
    old = _cluster(common_http_protocol_options=common, http_protocol_options={"enable_trailers": True})
    assert new == old
    assert (new.idle_timeout_s, new.max_requests_per_connection, new.enable_trailers) == (0.3, 1, True)


def test_endpoints_of_others() -> None:
    eds = {"eds_config": {"ads": {}, "resource_api_version": "V3"}}
    assert _cluster(type="EDS", eds_cluster_config=eds).eds == "c"
    assert _cluster(type="EDS", eds_cluster_config={**eds, "service_name": "s"}).eds == "s"
    assert _cluster(type="STATIC").eds is None


def test_metadata_is_carried() -> None:
    metadata = {"filter_metadata": {"istio": {"services": [{"host": "h"}]}}}
    assert _cluster(metadata=metadata).metadata == {"istio": {"services": [{"host": "h"}]}}


def test_endpoints() -> None:
    one, two, three = _endpoints(
        {
            "locality": {"region": "r", "zone": "z", "sub_zone": "s"},
            "load_balancing_weight": 5,
            "priority": 1,
            "lb_endpoints": [
                _at("127.45.0.1", 8080, load_balancing_weight=3, health_status="DEGRADED"),
                _at("127.45.0.2", metadata={"filter_metadata": {"envoy.lb": {"hash_key": "k", "version": "v1"}}}),
            ],
        },
        {"lb_endpoints": [_at("127.45.0.3")]},
    )
    assert (one.key, one.weight, one.health, one.priority) == (b"127.45.0.1:8080", 3, "DEGRADED", 1)
    assert (one.locality, one.locality_weight) == (("r", "z", "s"), 5)
    assert (two.hash_key, two.labels) == (b"k", {"hash_key": "k", "version": "v1"})
    assert three == EndpointSpec(address="127.45.0.3", port=80)
    assert (three.hash_key, three.locality_weight) == (None, None)


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ("UNKNOWN", "HEALTHY"),
        ("HEALTHY", "HEALTHY"),
        ("UNHEALTHY", "UNHEALTHY"),
        ("DRAINING", "DRAINING"),
        ("TIMEOUT", "UNHEALTHY"),
        ("DEGRADED", "DEGRADED"),
    ],
)
def test_health(status: str, health: str) -> None:
    assert _endpoints({"lb_endpoints": [_at("127.0.0.1", health_status=status)]})[0].health == health


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        pytest.param({"name": ""}, "name: is empty", id="no name"),
        pytest.param({"type": "LOGICAL_DNS"}, "type: LOGICAL_DNS is not executed; use STATIC or STRICT_DNS", id="type"),
        pytest.param({"lb_policy": "CLUSTER_PROVIDED"}, "lb_policy: CLUSTER_PROVIDED is not executed", id="policy"),
        pytest.param(
            {"transport_socket": {"name": "tls"}}, "transport_socket: is not executed; leave it out", id="TLS"
        ),
        pytest.param({"maglev_lb_config": {"table_size": 100}}, "table_size: 100 is not prime; use 65537", id="table"),
        pytest.param(
            {"ring_hash_lb_config": {"minimum_ring_size": 9, "maximum_ring_size": 8}},
            "minimum_ring_size: is at most maximum_ring_size",
            id="ring",
        ),
        pytest.param(
            {"health_checks": [{"timeout": "1s"}]}, "health_checks: is not executed; use outlier_detection", id="checks"
        ),
        pytest.param(
            {"circuit_breakers": {"thresholds": [{"priority": "HIGH"}]}},
            r"thresholds\[0\]\.priority: HIGH is not executed; use DEFAULT",
            id="priority",
        ),
    ],
)
def test_refused_clusters(fields: Any, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        _cluster(**fields)


@pytest.mark.parametrize(
    ("endpoint", "complaint"),
    [
        pytest.param(_at("backend.local"), "'backend.local' is a name; write an IP address", id="a name"),
        pytest.param({"endpoint": {}}, r"lb_endpoints\[0\]\.endpoint\.address\.socket_address\.address", id="none"),
        pytest.param(_at("127.0.0.1", load_balancing_weight=0), "load_balancing_weight: is at least 1", id="weight"),
        pytest.param({"endpoint_name": "x"}, "endpoint_name: is not executed; use endpoint", id="named"),
    ],
)
def test_refused_endpoints(endpoint: Any, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        _endpoints({"lb_endpoints": [endpoint]})
