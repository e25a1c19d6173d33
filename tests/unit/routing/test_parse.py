from typing import Any

import pytest

from mesh.routing.errors import Refused
from mesh.routing.parse import parse
from tests.unit.routing.test_compile import CLUSTER, LISTENER, WHOLE, _with


def _parse(document: Any) -> Any:
    from envoy.config.bootstrap.v3 import bootstrap_pb2

    return parse(document, bootstrap_pb2.Bootstrap())


def test_a_document_becomes_a_message() -> None:
    assert _parse(WHOLE).static_resources.clusters[0].name == "c"


HCM_AT = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config"
HCM = f"{LISTENER}.filter_chains.0.filters.0.typed_config"


@pytest.mark.parametrize(
    ("document", "path", "message"),
    [
        pytest.param(
            _with(f"{CLUSTER}.lb_polcy", "RANDOM"),
            "static_resources.clusters[0].lb_polcy",
            "is not a field of Cluster; did you mean lb_policy?",
            id="a slip of the pen",
        ),
        pytest.param(
            _with(f"{HCM}.route_config.virtual_hosts.0.routes.0.match.prefx", "/"),
            f"{HCM_AT}.route_config.virtual_hosts[0].routes[0].match.prefx",
            "is not a field of RouteMatch; did you mean prefix?",
            id="deep inside a typed configuration",
        ),
        pytest.param(
            _with("static_resources.zzz", 1),
            "static_resources.zzz",
            "is not a field of StaticResources; use clusters, listeners",
            id="nothing like it",
        ),
        pytest.param(
            _with(f"{CLUSTER}.connect_timeout", "soon"),
            "static_resources.clusters[0].connect_timeout",
            'Duration must end with letter "s": soon',
            id="a duration",
        ),
        pytest.param(
            _with(f"{CLUSTER}.lb_policy", "FAST"),
            "static_resources.clusters[0].lb_policy",
            "Invalid enum value FAST for enum type envoy.config.cluster.v3.Cluster.LbPolicy",
            id="an enumeration",
        ),
        pytest.param(
            _with(f"{HCM}.use_remote_address", "yes"),
            f"{HCM_AT}.use_remote_address",
            "Expected true or false without quotes",
            id="a flag",
        ),
        pytest.param(
            _with(HCM, {"stat_prefix": "s"}), HCM_AT, "@type is missing when parsing any message", id="no @type"
        ),
        pytest.param(
            _with(f"{HCM}.@type", "type.googleapis.com/envoy.Lua"),
            HCM_AT,
            "envoy.Lua is not executed; leave it out",
            id="an unknown @type",
        ),
        pytest.param(
            _with(f"{LISTENER}.address.socket_address.port_value", "http"),
            "static_resources.listeners.address.port_value",
            "invalid literal for int() with base 10: 'http'",
            id="a number",
        ),
    ],
)
def test_mistakes_are_named_with_their_place(document: Any, path: str, message: str) -> None:
    with pytest.raises(Refused) as refused:
        _parse(document)
    assert (refused.value.field_path, refused.value.message) == (path, message)
