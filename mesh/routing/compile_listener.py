"""What does a Listener come to?

One address with one filter chain that ends in an HTTP connection manager or a TCP proxy.
"""

from __future__ import annotations

from typing import Any

from mesh.routing.check import refuse_unexecuted, unpack
from mesh.routing.compile_action import seconds
from mesh.routing.compile_hcm import compile_access_logs, compile_hcm
from mesh.routing.compile_tls import compile_tls
from mesh.routing.errors import Refused, join
from mesh.routing.spec import ListenerSpec, TcpSpec
from mesh.routing.split import ClusterChoice, WeightedClusters

_DIRECTIONS = ("UNSPECIFIED", "INBOUND", "OUTBOUND")


def compile_listener(message: Any, at: str = "", checked: bool = False) -> ListenerSpec:
    """The spec of an envoy.config.listener.v3.Listener."""
    if not checked:
        refuse_unexecuted(message, at)
    address, port = socket_address(message.address, join(at, "address"))
    if not message.filter_chains:
        raise Refused(join(at, "filter_chains"), "is empty; a listener has at least one")
    tls = compile_tls(message, at)
    chain = join(at, "filter_chains[0]")
    filters = message.filter_chains[0].filters
    if len(filters) != 1:
        raise Refused(join(chain, "filters"), f"holds {len(filters)} filters; use one HTTP or TCP proxy filter")
    where = join(chain, "filters[0].typed_config")
    config = unpack(filters[0].typed_config, where)
    kind = config.DESCRIPTOR.name
    if kind not in ("HttpConnectionManager", "TcpProxy"):
        raise Refused(where, f"{kind} is not executed here; use HttpConnectionManager or TcpProxy")
    if tls is not None and kind == "TcpProxy":
        raise Refused(where, "TLS is executed before HTTP alone; use HttpConnectionManager")
    limit = message.per_connection_buffer_limit_bytes
    return ListenerSpec(
        name=message.name or f"{address}:{port}",
        address=address,
        port=port,
        http=compile_hcm(config, where, True) if kind == "HttpConnectionManager" else None,
        tcp=_compile_tcp(config, where) if kind == "TcpProxy" else None,
        tls=tls,
        buffer_limit_bytes=limit.value if message.HasField("per_connection_buffer_limit_bytes") else 1 << 20,
        stat_prefix=message.stat_prefix,
        direction=_DIRECTIONS[message.traffic_direction],
    )


def socket_address(address: Any, at: str) -> tuple[str, int]:
    """(address, port) of an envoy.config.core.v3.Address."""
    socket = address.socket_address
    if not address.HasField("socket_address") or not socket.address:
        raise Refused(join(at, "socket_address.address"), "is missing; write an IP address")
    if socket.WhichOneof("port_specifier") != "port_value" or not 0 <= socket.port_value < 65536:
        raise Refused(join(at, "socket_address.port_value"), "is a port from 0 to 65535")
    return socket.address, socket.port_value


def _compile_tcp(message: Any, at: str) -> TcpSpec:
    kind = message.WhichOneof("cluster_specifier")
    weighted = None
    if kind == "weighted_clusters":
        entries = message.weighted_clusters.clusters
        if sum(entry.weight for entry in entries) == 0:
            raise Refused(join(at, "weighted_clusters.clusters"), "have no weight; one is greater than zero")
        weighted = WeightedClusters([ClusterChoice(cluster=e.name.encode(), weight=e.weight) for e in entries])
    elif not message.cluster:
        raise Refused(join(at, "cluster"), "is empty; use cluster or weighted_clusters")
    idle = "downstream_idle_timeout" if message.HasField("downstream_idle_timeout") else "idle_timeout"
    return TcpSpec(
        stat_prefix=message.stat_prefix,
        cluster=message.cluster.encode() or None,
        weighted=weighted,
        idle_timeout_s=seconds(getattr(message, idle)) if message.HasField(idle) else 3600.0,
        max_connect_attempts=message.max_connect_attempts.value or 1,
        max_connection_duration_s=seconds(message.max_downstream_connection_duration),
        hash_source_ip=bool(message.hash_policy),
        access_logs=compile_access_logs(message.access_log, at),
    )
