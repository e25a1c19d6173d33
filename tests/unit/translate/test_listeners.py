from google.protobuf.json_format import MessageToDict

from mesh.routing.compile import compile_listener, compile_routes
from mesh.translate.listeners import http_listener, inbound_routes, tcp_listener


def test_http_listener_compiles_and_waits_for_its_routes() -> None:
    message = http_listener(
        "l", "127.0.0.1", 8080, routes="ingress", stat_prefix="s", server_name="istio-envoy", edge=True
    )
    spec = compile_listener(message)
    assert (spec.name, spec.address, spec.port) == ("l", "127.0.0.1", 8080)
    assert spec.http is not None
    assert (spec.http.rds, spec.http.routes) == ("ingress", None)
    assert (spec.http.server_name, spec.http.use_remote_address) == (b"istio-envoy", True)
    assert (spec.http.proxy_100_continue, spec.http.stream_idle_timeout_s) == (True, 0.0)
    assert not spec.http.upgrades
    assert not spec.http.accept_http_10


def test_tcp_listener() -> None:
    spec = compile_listener(tcp_listener("l", "127.0.0.1", 9101, "inbound|9101||"))
    assert spec.http is None
    assert spec.tcp is not None
    assert spec.tcp.cluster == b"inbound|9101||"


def test_inbound_routes_pass_everything_on_without_a_timeout() -> None:
    message = inbound_routes(8080)
    assert MessageToDict(message) == {
        "name": "inbound|8080||",
        "virtualHosts": [
            {
                "name": "inbound|http|8080",
                "domains": ["*"],
                "routes": [
                    {
                        "name": "default",
                        "match": {"prefix": "/"},
                        "route": {"cluster": "inbound|8080||", "timeout": "0s"},
                    }
                ],
            }
        ],
    }
    assert compile_routes(message).virtual_hosts[0].catch_all is not None
