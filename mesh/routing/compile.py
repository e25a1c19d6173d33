"""What does a whole Envoy configuration come to?

The front of this floor's compiler: one function for a bootstrap dictionary (YAML or JSON, already read), and the
functions for single messages, from the modules beside this one. Whatever the proxy would not execute is Refused
with its field path; equal input gives equal output.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format

from mesh.routing.check import refuse_unexecuted
from mesh.routing.compile_clusters import compile_cluster, compile_endpoints
from mesh.routing.compile_hcm import compile_hcm
from mesh.routing.compile_listener import compile_listener, socket_address
from mesh.routing.compile_routes import compile_routes, compile_virtual_host
from mesh.routing.errors import Refused, join
from mesh.routing.spec import ClusterSpec, EndpointSpec, StaticConfig
from mesh.routing.typed_configs import load

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
    _load_types(document, "")
    bootstrap = bootstrap_pb2.Bootstrap()
    try:
        json_format.ParseDict(dict(document), bootstrap)
    except (json_format.ParseError, TypeError, ValueError) as error:
        raise Refused(*_place(error)) from None
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
        listeners.append(listener)
    admin = None
    if bootstrap.admin.HasField("address"):
        admin = socket_address(bootstrap.admin.address, "admin.address")
    return StaticConfig(admin=admin, listeners=tuple(listeners), clusters=clusters, endpoints=endpoints)


def _load_types(value: Any, at: str) -> None:
    """Import the module of every @type; Refused where a type is not executed."""
    if isinstance(value, Mapping):
        kind = value.get("@type")
        if isinstance(kind, str) and not load(kind):
            raise Refused(at, f"{kind.rpartition('/')[2]} is not executed; leave it out")
        for key, inner in value.items():
            _load_types(inner, join(at, str(key)))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            _load_types(inner, f"{at}[{i}]")


def _place(error: Exception) -> tuple[str, str]:
    """(field path, message) of protobuf's own complaint."""
    text = " ".join(str(error).split())
    marks = ("Failed to parse ", " field: ")
    path: list[str] = []
    while text.startswith(marks[0]) and marks[1] in text:
        name, _, text = text[len(marks[0]) :].partition(marks[1])
        path.append(name)
        text = text.rstrip(".")
    return ".".join(path), text
