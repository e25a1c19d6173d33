"""What does a translation hand over?

Listeners that name their RouteConfiguration, clusters that get their endpoints separately: as a control plane would
deliver them. `bootstrap` puts the same into one static file that a real Envoy runs.
"""

from dataclasses import dataclass
from typing import Any

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm

from mesh.translate.clusters import socket_address
from mesh.translate.findings import Finding

Message = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """One proxy's configuration, each kind in a stable order."""

    listeners: tuple[Message, ...] = ()
    routes: tuple[Message, ...] = ()
    clusters: tuple[Message, ...] = ()
    endpoints: tuple[Message, ...] = ()
    findings: tuple[Finding, ...] = ()

    def bootstrap(self, admin: tuple[str, int] | None = None) -> Message:
        """An Envoy bootstrap with everything in it. admin: address and port of the admin page."""
        # Only an export needs these types, and a node process is better off without them in memory.
        from envoy.config.bootstrap.v3 import bootstrap_pb2

        routes = {route.name: route for route in self.routes}
        endpoints = {assignment.cluster_name: assignment for assignment in self.endpoints}
        boot = bootstrap_pb2.Bootstrap()
        boot.node.id, boot.node.cluster = "loopmesh", "loopmesh"
        boot.static_resources.listeners.extend(_with_routes(listener, routes) for listener in self.listeners)
        boot.static_resources.clusters.extend(
            _static(cluster, endpoints.get(cluster.name)) for cluster in self.clusters
        )
        if admin is not None:
            boot.admin.address.CopyFrom(socket_address(*admin))
        return boot


def wire(message: Message) -> bytes:
    """The bytes of a message, the same for equal messages (maps in order)."""
    data: bytes = message.SerializeToString(deterministic=True)
    return data


def _with_routes(listener: Message, routes: dict[str, Message]) -> Message:
    copy = listener_pb2.Listener()
    copy.CopyFrom(listener)
    for chain in copy.filter_chains:
        for item in chain.filters:
            if not item.typed_config.Is(hcm.HttpConnectionManager.DESCRIPTOR):
                continue
            manager = hcm.HttpConnectionManager()
            item.typed_config.Unpack(manager)
            manager.route_config.CopyFrom(routes[manager.rds.route_config_name])
            item.typed_config.Pack(manager, deterministic=True)
    return copy


def _static(cluster: Message, assignment: Message | None) -> Message:
    copy = cluster_pb2.Cluster()
    copy.CopyFrom(cluster)
    copy.ClearField("eds_cluster_config")
    copy.type = cluster_pb2.Cluster.STATIC
    copy.load_assignment.cluster_name = cluster.name
    if assignment is not None:
        copy.load_assignment.CopyFrom(assignment)
    return copy
