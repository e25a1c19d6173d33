"""What do our listeners look like?

The flags of the HTTP connection manager are Istio's. Upgrades are off on the caller's side, unless a rule allows them.
"""

from collections.abc import Iterable
from typing import Any

from envoy.config.core.v3 import base_pb2
from envoy.config.listener.v3 import listener_components_pb2, listener_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.http.stateful_session.v3 import stateful_session_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2
from google.protobuf import any_pb2, duration_pb2, wrappers_pb2

from mesh.translate import rule_filters
from mesh.translate.clusters import ads, socket_address
from mesh.translate.hosts import inbound_name
from mesh.translate.routerule import default_route
from mesh.translate.session import FILTER
from mesh.translate.targets import Target

INBOUND, OUTBOUND = base_pb2.INBOUND, base_pb2.OUTBOUND
"""Whether the proxy stands before its own application or before the rest of the world."""

Listener = Any
RouteConfiguration = Any
# The callee's sidecar leaves an application's own `server` header alone: learners tell image versions by it.
_OVERWRITE = hcm.HttpConnectionManager.OVERWRITE
_APPEND = hcm.HttpConnectionManager.APPEND_IF_ABSENT


def http_listener(
    name: str,
    address: str,
    port: int,
    *,
    routes: str,
    stat_prefix: str,
    server_name: str,
    direction: int = OUTBOUND,
    edge: bool = False,
) -> Listener:
    """A listener for HTTP whose routes are delivered under the name `routes`.

    edge: the first proxy a request meets, which believes the connection rather than x-forwarded-for.
    """
    manager = hcm.HttpConnectionManager(
        stat_prefix=stat_prefix,
        rds=hcm.Rds(config_source=ads(), route_config_name=routes),
        http_filters=_filters(direction),
        server_name=server_name,
        server_header_transformation=_APPEND if direction == INBOUND else _OVERWRITE,
        use_remote_address=wrappers_pb2.BoolValue(value=edge),
        normalize_path=wrappers_pb2.BoolValue(value=True),
        proxy_100_continue=True,
        stream_idle_timeout=duration_pb2.Duration(),
    )
    if direction == INBOUND:
        # Whether a caller may switch protocols is for the rule at its own side to say.
        manager.upgrade_configs.add(upgrade_type="websocket")
    return _listener(name, address, port, direction, "envoy.filters.network.http_connection_manager", manager)


def _filters(direction: int) -> list[Any]:
    """The HTTP filters before an application have nothing to do; elsewhere routes may have a word for them."""
    router = hcm.HttpFilter(name="envoy.filters.http.router", typed_config=_any(router_pb2.Router()))
    if direction == INBOUND:
        return [router]
    session = hcm.HttpFilter(name=FILTER, typed_config=_any(stateful_session_pb2.StatefulSession()))
    rules = [hcm.HttpFilter(name=name, typed_config=config) for name, config in rule_filters.filters()]
    return [*rules, session, router]


def with_certificates(listener: Listener, certificates: Iterable[tuple[tuple[str, ...], bytes, bytes]]) -> None:
    """Make a listener speak TLS. certificates: (names, chain, key); without names: for everybody else."""
    # Few meshes use it, so nobody else pays for the types.
    from envoy.extensions.filters.listener.tls_inspector.v3 import tls_inspector_pb2
    from envoy.extensions.transport_sockets.tls.v3 import common_pb2, tls_pb2

    plain = listener_components_pb2.FilterChain()
    plain.CopyFrom(listener.filter_chains[0])
    del listener.filter_chains[:]
    listener.listener_filters.add(
        name="envoy.filters.listener.tls_inspector", typed_config=_any(tls_inspector_pb2.TlsInspector())
    )
    for names, certificate, key in certificates:
        chain = listener.filter_chains.add()
        chain.CopyFrom(plain)
        chain.filter_chain_match.server_names.extend(names)
        pair = common_pb2.TlsCertificate(
            certificate_chain=base_pb2.DataSource(inline_bytes=certificate),
            private_key=base_pb2.DataSource(inline_bytes=key),
        )
        common = tls_pb2.CommonTlsContext(tls_certificates=[pair], alpn_protocols=["http/1.1"])
        chain.transport_socket.name = "envoy.transport_sockets.tls"
        chain.transport_socket.typed_config.CopyFrom(_any(tls_pb2.DownstreamTlsContext(common_tls_context=common)))


def tcp_listener(name: str, address: str, port: int, cluster: str, *, direction: int = OUTBOUND) -> Listener:
    """A listener that passes bytes on to one cluster."""
    proxy = tcp_proxy_pb2.TcpProxy(stat_prefix=name, cluster=cluster)
    return _listener(name, address, port, direction, "envoy.filters.network.tcp_proxy", proxy)


def inbound_routes(port: int) -> RouteConfiguration:
    """Everything goes to the application."""
    name = inbound_name(port)
    route = default_route(Target("", port), name="default")
    route.route.cluster = name
    host = route_components_pb2.VirtualHost(name=f"inbound|http|{port}", domains=["*"], routes=[route])
    return route_pb2.RouteConfiguration(name=name, virtual_hosts=[host])


def _listener(name: str, address: str, port: int, direction: int, filter_name: str, config: Any) -> Listener:
    chain = listener_components_pb2.FilterChain(
        filters=[listener_components_pb2.Filter(name=filter_name, typed_config=_any(config))]
    )
    return listener_pb2.Listener(
        name=name, address=socket_address(address, port), filter_chains=[chain], traffic_direction=direction
    )


def _any(message: Any) -> Any:
    packed = any_pb2.Any()
    packed.Pack(message, deterministic=True)
    return packed
