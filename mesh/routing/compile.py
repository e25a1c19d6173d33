"""What does a whole Envoy configuration come to?

The front of this floor's compiler: one function for a bootstrap dictionary (YAML or JSON, already read), and the
functions for single messages, from the modules beside this one. Whatever the proxy would not execute is Refused
with its field path; equal input gives equal output.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesh.routing.check import refuse_unexecuted
from mesh.routing.compile_clusters import compile_cluster, compile_endpoints
from mesh.routing.compile_hcm import compile_hcm
from mesh.routing.compile_listener import compile_listener, socket_address
from mesh.routing.compile_routes import compile_routes, compile_virtual_host
from mesh.routing.errors import Refused, join
from mesh.routing.parse import parse
from mesh.routing.route_table import Route, RouteTable
from mesh.routing.spec import ClusterSpec, EndpointSpec, StaticConfig

__all__ = [
    "Refused",
    "compile_bootstrap",
    "compile_cluster",
    "compile_endpoints",
    "compile_hcm",
    "compile_listener",
    "compile_routes",
    "compile_virtual_host",
]


def compile_bootstrap(document: Mapping[str, Any]) -> StaticConfig:
    """Everything under static_resources, and the admin address."""
    from envoy.config.bootstrap.v3 import bootstrap_pb2

    if not isinstance(document, Mapping):
        raise Refused("", "the bootstrap is a mapping with static_resources")
    bootstrap = parse(document, bootstrap_pb2.Bootstrap())
    refuse_unexecuted(bootstrap)
    static = bootstrap.static_resources
    clusters: dict[bytes, ClusterSpec] = {}
    endpoints: dict[bytes, tuple[EndpointSpec, ...]] = {}
    for i, message in enumerate(static.clusters):
        at = f"static_resources.clusters[{i}]"
        cluster = compile_cluster(message, at, True)
        if cluster.name in clusters:
            raise Refused(join(at, "name"), f"{message.name!r} is there twice; names are unique")
        if cluster.eds is not None:
            raise Refused(join(at, "type"), "EDS has no server in a bootstrap; use STATIC")
        clusters[cluster.name] = cluster
        endpoints[cluster.name] = compile_endpoints(message.load_assignment, join(at, "load_assignment"), True)
    listeners = []
    for i, message in enumerate(static.listeners):
        listener = compile_listener(message, f"static_resources.listeners[{i}]", True)
        if listener.http is not None and listener.http.rds is not None:
            where = f"static_resources.listeners[{i}].filter_chains[0].filters[0].typed_config.rds"
            raise Refused(where, "has no server in a bootstrap; use route_config")
        if listener.http is not None and listener.http.routes is not None and listener.http.validate_clusters:
            where = f"static_resources.listeners[{i}].filter_chains[0].filters[0].typed_config.route_config"
            _check_clusters(listener.http.routes, clusters, where)
        listeners.append(listener)
    admin = None
    if bootstrap.admin.HasField("address"):
        admin = socket_address(bootstrap.admin.address, "admin.address")
    return StaticConfig(admin=admin, listeners=tuple(listeners), clusters=clusters, endpoints=endpoints)


def _check_clusters(table: RouteTable, clusters: Mapping[bytes, ClusterSpec], at: str) -> None:
    """Refused when a route names a cluster that the bootstrap has not (validate_clusters)."""
    for i, host in enumerate(table.virtual_hosts):
        for j, route in enumerate(host.routes):
            for name, place in _named_clusters(route):
                if name not in clusters:
                    known = ", ".join(sorted(name.decode() for name in clusters)) or "none"
                    where = join(at, f"virtual_hosts[{i}].routes[{j}].route.{place}")
                    raise Refused(where, f"{name.decode()!r} is not a cluster; there are {known}")


def _named_clusters(route: Route) -> list[tuple[bytes, str]]:
    """(cluster, field) for every cluster that a route names."""
    named = [] if route.cluster is None else [(route.cluster, "cluster")]
    if route.weighted is not None:
        named += [
            (choice.cluster, f"weighted_clusters.clusters[{n}].name") for n, choice in enumerate(route.weighted.choices)
        ]
    mirrors = enumerate(route.mirrors)
    return named + [(m.cluster, f"request_mirror_policies[{n}].cluster") for n, m in mirrors if m.cluster]
