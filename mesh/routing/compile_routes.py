"""What does a RouteConfiguration come to?

A RouteTable: virtual hosts with finished routes. Everything that is inherited (header mutations, mirrors, retries,
filter settings of the configuration, the virtual host, the route and the weighted cluster) is merged here, once.

Elsewhere: one route's action in compile_action, its conditions in match.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format

from mesh.routing.check import refuse_unexecuted
from mesh.routing.compile_action import compile_action
from mesh.routing.compile_filters import compile_per_filter
from mesh.routing.cors import compile_cors
from mesh.routing.errors import Refused, join
from mesh.routing.headers import Level, compile_level, plan_of
from mesh.routing.match import compile_match
from mesh.routing.mirror import MirrorPolicy, compile_mirror
from mesh.routing.redirect import compile_redirect
from mesh.routing.retry_policy import RetryPolicy, compile_retry
from mesh.routing.route_table import CLUSTER, DIRECT, REDIRECT, Route, RouteTable, VirtualHost

CORS_FILTER = "envoy.filters.http.cors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inherited:
    """What a route takes from the objects around it."""

    request_levels: tuple[Level | None, ...]
    """Most specific first."""
    response_levels: tuple[Level | None, ...]
    most_specific_wins: bool
    mirrors: tuple[MirrorPolicy, ...]
    filters: Mapping[str, Any]
    retry: RetryPolicy | None = None
    buffer_limit_bytes: int | None = None

    def ordered(self, levels: tuple[Level | None, ...]) -> tuple[Level | None, ...]:
        """Levels (most specific first) in the order in which they are applied."""
        return levels[::-1] if self.most_specific_wins else levels


ALONE = Inherited(request_levels=(), response_levels=(), most_specific_wins=False, mirrors=(), filters={})
"""What a virtual host inherits from a configuration that says nothing."""


def compile_routes(config: Any, at: str = "", checked: bool = False) -> RouteTable:
    """The table of an envoy.config.route.v3.RouteConfiguration."""
    if not checked:
        refuse_unexecuted(config, at)
    base = Inherited(
        request_levels=(_request_level(config, at),),
        response_levels=(_response_level(config, at),),
        most_specific_wins=config.most_specific_header_mutations_wins,
        mirrors=_mirrors(config.request_mirror_policies, at),
        filters=compile_per_filter(config.typed_per_filter_config, at),
    )
    seen: dict[str, str] = {}
    hosts = []
    for i, host in enumerate(config.virtual_hosts):
        where = join(at, f"virtual_hosts[{i}]")
        _domains(host, where, seen)
        hosts.append(_virtual_host(host, where, base))
    return RouteTable(config.name, hosts, ignore_port=config.ignore_port_in_host_matching)


def compile_virtual_host(host: Any, at: str = "") -> VirtualHost:
    """One virtual host on its own, for a table that is assembled from parts (nothing above it is inherited)."""
    refuse_unexecuted(host, at)
    _domains(host, at, {})
    return _virtual_host(host, at, ALONE)


def _domains(host: Any, at: str, seen: dict[str, str]) -> None:
    if not host.domains:
        raise Refused(join(at, "domains"), "is empty; write a host name, or * for all")
    for i, domain in enumerate(host.domains):
        where = join(at, f"domains[{i}]")
        low = domain.lower()
        if not low or "*" in low[1:-1] or (len(low) > 1 and low.startswith("*") and low.endswith("*")):
            raise Refused(where, f"{domain!r} is not a domain; use name, *.suffix, prefix.* or *")
        if low in seen:
            raise Refused(where, f"{domain!r} belongs to {seen[low]} already; a domain has one virtual host")
        seen[low] = f"virtual host {host.name}"


def _virtual_host(host: Any, at: str, base: Inherited) -> VirtualHost:
    filters = dict(base.filters)
    if host.HasField("cors"):
        filters[CORS_FILTER] = compile_cors(host.cors, join(at, "cors"))
    filters.update(compile_per_filter(host.typed_per_filter_config, at))
    inherited = Inherited(
        request_levels=(_request_level(host, at), *base.request_levels),
        response_levels=(_response_level(host, at), *base.response_levels),
        most_specific_wins=base.most_specific_wins,
        mirrors=_mirrors(host.request_mirror_policies, at) or base.mirrors,
        filters=filters,
        retry=compile_retry(host.retry_policy, join(at, "retry_policy")) if host.HasField("retry_policy") else None,
        buffer_limit_bytes=_buffer_limit(host),
    )
    routes = []
    for i, route in enumerate(host.routes):
        compiled = _route(route, join(at, f"routes[{i}]"), inherited, host.name.encode())
        compiled.include_attempt_count = host.include_request_attempt_count
        compiled.include_attempt_count_in_response = host.include_attempt_count_in_response
        routes.append(compiled)
    return VirtualHost(host.name.encode(), list(host.domains), routes)


def _route(message: Any, at: str, inherited: Inherited, virtual_host: bytes) -> Route:
    kind = message.WhichOneof("action")
    kinds = {"route": CLUSTER, "redirect": REDIRECT, "direct_response": DIRECT}
    if kind not in kinds:
        raise Refused(at, "has no action; use route, redirect or direct_response")
    if not message.HasField("match"):
        raise Refused(join(at, "match"), 'is missing; write match: {prefix: "/"} to take everything')
    route = Route(kinds[kind], message.name.encode(), virtual_host)
    route.conditions = compile_match(message.match, join(at, "match"))
    request_levels = (_request_level(message, at), *inherited.request_levels)
    response_levels = (_response_level(message, at), *inherited.response_levels)
    route.request_mutation = plan_of(inherited.ordered(request_levels))
    route.response_mutation = plan_of(inherited.ordered(response_levels))
    filters = dict(inherited.filters)
    if kind == "route" and message.route.HasField("cors"):
        filters[CORS_FILTER] = compile_cors(message.route.cors, join(at, "route.cors"))
    filters.update(compile_per_filter(message.typed_per_filter_config, at))
    route.filters = filters
    limit = _buffer_limit(message)
    route.buffer_limit_bytes = inherited.buffer_limit_bytes if limit is None else limit
    if message.metadata.filter_metadata:
        route.metadata = {k: json_format.MessageToDict(v) for k, v in message.metadata.filter_metadata.items()}
    if kind == "route":
        action = message.route
        route.mirrors = _mirrors(action.request_mirror_policies, join(at, "route")) or inherited.mirrors
        route.retry = inherited.retry
        compile_action(route, message, join(at, "route"), inherited, (request_levels, response_levels))
    elif kind == "redirect":
        route.redirect = compile_redirect(message.match, message.redirect, join(at, "redirect"))
    else:
        route.direct = _direct(message.direct_response, join(at, "direct_response"))
    return route


def _direct(message: Any, at: str) -> tuple[int, bytes]:
    if not 100 <= message.status < 600:
        raise Refused(join(at, "status"), "is a status from 200 to 599")
    kind = message.body.WhichOneof("specifier")
    if kind == "inline_bytes":
        return message.status, message.body.inline_bytes
    return message.status, message.body.inline_string.encode()


def _request_level(message: Any, at: str) -> Level | None:
    return compile_level(message.request_headers_to_add, message.request_headers_to_remove, at, "request")


def _response_level(message: Any, at: str) -> Level | None:
    return compile_level(message.response_headers_to_add, message.response_headers_to_remove, at, "response")


def _mirrors(policies: Any, at: str) -> tuple[MirrorPolicy, ...]:
    return tuple(compile_mirror(p, join(at, f"request_mirror_policies[{i}]")) for i, p in enumerate(policies))


def _buffer_limit(message: Any) -> int | None:
    if message.HasField("request_body_buffer_limit"):
        limit: int = message.request_body_buffer_limit.value
        return limit
    if message.HasField("per_request_buffer_limit_bytes"):
        return int(message.per_request_buffer_limit_bytes.value)
    return None
