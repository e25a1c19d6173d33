import copy
from typing import Any

import pytest

from mesh.routing.compile import compile_bootstrap
from mesh.routing.errors import Refused
from tests.unit.routing.test_compile_listener import ADDRESS, HCM

ENDPOINT = {"endpoint": {"address": {"socket_address": {"address": "127.45.0.1", "port_value": 80}}}}
WHOLE: dict[str, Any] = {
    "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 15000}}},
    "static_resources": {
        "listeners": [
            {
                "name": "l",
                "address": ADDRESS,
                "filter_chains": [{"filters": [{"name": "hcm", "typed_config": HCM}]}],
            }
        ],
        "clusters": [
            {
                "name": "c",
                "type": "STATIC",
                "load_assignment": {"cluster_name": "c", "endpoints": [{"lb_endpoints": [ENDPOINT]}]},
            }
        ],
    },
}


def test_a_whole_bootstrap() -> None:
    config = compile_bootstrap(WHOLE)
    assert config.admin == ("127.0.0.1", 15000)
    assert [listener.name for listener in config.listeners] == ["l"]
    assert list(config.clusters) == [b"c"]
    assert [e.key for e in config.endpoints[b"c"]] == [b"127.45.0.1:80"]
    assert compile_bootstrap({}).admin is None


def test_lower_camel_case_is_understood() -> None:
    assert compile_bootstrap({"staticResources": {"clusters": [{"name": "c", "connectTimeout": "1s"}]}}).clusters


def _with(path: str, value: Any) -> dict[str, Any]:
    """WHOLE with the value at `a.0.b` changed."""
    whole = copy.deepcopy(WHOLE)
    *way, last = path.split(".")
    place: Any = whole
    for step in way:
        place = place[int(step)] if step.isdigit() else place.setdefault(step, {})
    place[last] = value
    return whole


LISTENER = "static_resources.listeners.0"
CLUSTER = "static_resources.clusters.0"
TLS = {
    "name": "tls",
    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"},
}


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        pytest.param(
            _with(f"{LISTENER}.filter_chains.0.transport_socket", TLS),
            r"^static_resources\.listeners\[0\]\.filter_chains\[0\]\.transport_socket\.typed_config\."
            r"common_tls_context\.tls_certificates: holds 0; a chain has one",
            id="TLS",
        ),
        pytest.param(
            _with(f"{LISTENER}.filter_chains.0.filters.0.typed_config.http_filters.0.typed_config.@type", "t/x.Lua"),
            r"^static_resources\.listeners\[0\]\.filter_chains\[0\]\.filters\[0\]\.typed_config\.http_filters\[0\]\."
            r"typed_config: x\.Lua is not executed",
            id="an unknown filter",
        ),
        pytest.param(
            _with(f"{LISTENER}.filter_chains.0.filters.0.typed_config.tracing", {}),
            r"typed_config\.tracing: is not executed",
            id="tracing",
        ),
        pytest.param(_with(f"{CLUSTER}.type", "ORIGINAL_DST"), r"clusters\[0\]\.type: ORIGINAL_DST", id="cluster type"),
        pytest.param(_with(f"{CLUSTER}.type", "EDS"), r"clusters\[0\]\.type: EDS has no server", id="EDS"),
        pytest.param(
            _with("dynamic_resources.lds_config", {"ads": {}}), "^dynamic_resources: is not executed", id="xDS"
        ),
        pytest.param(_with(f"{CLUSTER}.colour", "red"), "colour: is not a field of Cluster", id="an unknown field"),
        pytest.param(_with(f"{CLUSTER}.connect_timeout", "soon"), "(?i)duration", id="a bad value"),
        pytest.param([], "the bootstrap is a mapping with static_resources", id="no mapping"),
        pytest.param({"static_resources": ["x"]}, "static_resources", id="a list in the wrong place"),
    ],
)
def test_refused(document: Any, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        compile_bootstrap(document)


def test_names_are_unique() -> None:
    twice = copy.deepcopy(WHOLE)
    twice["static_resources"]["clusters"] *= 2
    with pytest.raises(Refused, match=r"clusters\[1\]\.name: 'c' is there twice"):
        compile_bootstrap(twice)


def test_a_bootstrap_needs_its_routes() -> None:
    hcm = {key: value for key, value in HCM.items() if key != "route_config"}
    rds = {"config_source": {"ads": {}, "resource_api_version": "V3"}, "route_config_name": "r"}
    with pytest.raises(Refused, match=r"typed_config\.rds: has no server in a bootstrap; use route_config"):
        compile_bootstrap(_with(f"{LISTENER}.filter_chains.0.filters.0.typed_config", {**hcm, "rds": rds}))


ROUTE = f"{LISTENER}.filter_chains.0.filters.0.typed_config.route_config.virtual_hosts.0.routes.0.route"
AT = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].routes[0].route"


@pytest.mark.parametrize(
    ("action", "field"),
    [
        pytest.param({"cluster": "no"}, "cluster", id="cluster"),
        pytest.param(
            {"weighted_clusters": {"clusters": [{"name": "c", "weight": 1}, {"name": "no", "weight": 1}]}},
            "weighted_clusters.clusters[1].name",
            id="one of several",
        ),
        pytest.param(
            {"cluster": "c", "request_mirror_policies": [{"cluster": "no"}]},
            "request_mirror_policies[0].cluster",
            id="mirror",
        ),
    ],
)
def test_routes_name_clusters_that_are_there(action: Any, field: str) -> None:
    document = _with(ROUTE, action)
    with pytest.raises(Refused) as refused:
        compile_bootstrap(document)
    assert str(refused.value) == f"{AT}.{field}: 'no' is not a cluster; there are c"
    place = document["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    place["route_config"]["validate_clusters"] = False
    assert compile_bootstrap(document).listeners
