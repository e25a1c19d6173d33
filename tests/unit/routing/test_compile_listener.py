from typing import Any

import pytest

from mesh.routing.compile import compile_listener
from mesh.routing.errors import Refused
from mesh.routing.spec import ListenerSpec
from tests.unit.routing.conftest import message
from tests.unit.routing.test_compile_filters import ROUTER
from tests.unit.routing.test_compile_hcm import ROUTES

T = "type.googleapis.com/envoy.extensions.filters.network."
HCM = {
    "@type": T + "http_connection_manager.v3.HttpConnectionManager",
    "stat_prefix": "s",
    "http_filters": [ROUTER],
    "route_config": ROUTES,
}
TCP = {"@type": T + "tcp_proxy.v3.TcpProxy", "stat_prefix": "t"}
ADDRESS = {"socket_address": {"address": "127.0.0.1", "port_value": 8080}}


def _listener(filters: list[Any] | None = None, chain: Any = None, **fields: Any) -> ListenerSpec:
    inside = [{"name": "f", "typed_config": config} for config in ([HCM] if filters is None else filters)]
    whole = {"name": "l", "address": ADDRESS, "filter_chains": [{"filters": inside, **(chain or {})}], **fields}
    return compile_listener(message("envoy.config.listener.v3.listener:Listener", whole))


def test_http() -> None:
    spec = _listener(traffic_direction="INBOUND")
    assert (spec.name, spec.address, spec.port, spec.direction) == ("l", "127.0.0.1", 8080, "INBOUND")
    assert spec.http is not None
    assert spec.tcp is None


def test_a_listener_without_a_name_is_called_by_its_address() -> None:
    assert _listener(name="").name == "127.0.0.1:8080"


def test_tcp() -> None:
    spec = _listener([{**TCP, "cluster": "c", "idle_timeout": "5s", "max_connect_attempts": 3}])
    assert spec.http is None
    assert spec.tcp is not None
    assert (spec.tcp.cluster, spec.tcp.idle_timeout_s, spec.tcp.max_connect_attempts) == (b"c", 5.0, 3)


def test_weighted_tcp() -> None:
    weighted = {"weighted_clusters": {"clusters": [{"name": "a", "weight": 1}, {"name": "b", "weight": 3}]}}
    tcp = _listener([{**TCP, **weighted, "hash_policy": [{"source_ip": {}}]}]).tcp
    assert tcp is not None
    assert tcp.weighted is not None
    assert [tcp.weighted.pick(n).cluster for n in range(4)] == [b"a", b"b", b"b", b"b"]
    assert tcp.hash_source_ip


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        pytest.param({"filters": []}, r"filter_chains\[0\]\.filters: holds 0 filters; use one", id="no filter"),
        pytest.param({"filters": [HCM, HCM]}, "holds 2 filters", id="two filters"),
        pytest.param({"filter_chains": []}, "filter_chains: is empty; a listener has at least one", id="no chain"),
        pytest.param(
            {"address": {"pipe": {"path": "/x"}}}, "address.pipe: is not executed; use socket_address", id="pipe"
        ),
        pytest.param(
            {"address": {"socket_address": {"address": "127.0.0.1"}}},
            "port_value: is a port from 0 to 65535",
            id="port",
        ),
        pytest.param(
            {"address": {"socket_address": {"protocol": "UDP", "address": "127.0.0.1", "port_value": 1}}},
            "protocol: UDP is not executed; use TCP",
            id="UDP",
        ),
        pytest.param(
            {"chain": {"transport_socket": {"name": "tls"}}},
            r"filter_chains\[0\]\.transport_socket.typed_config: an empty typed_config is not executed",
            id="TLS without anything",
        ),
        pytest.param(
            {"chain": {"filter_chain_match": {"destination_port": 1}}},
            "destination_port: is not executed; use one listener for each",
            id="chain match",
        ),
        pytest.param({"filters": [TCP]}, "cluster: is empty", id="TCP to nowhere"),
        pytest.param(
            {"listener_filters": [{"name": "x"}]}, r"listener_filters\[0\].typed_config: an empty", id="listener filter"
        ),
    ],
)
def test_refused(build: Any, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        _listener(**build)
