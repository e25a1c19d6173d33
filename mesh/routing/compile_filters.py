"""What do the HTTP filters in front of the router come to?

A filter's own configuration (FilterSpec) and what routes say to it by its name. The router must stand last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mesh.routing.check import unpack
from mesh.routing.cors import compile_cors
from mesh.routing.errors import Refused, join
from mesh.routing.fault import compile_fault
from mesh.routing.rate_limit import compile_rate_limit
from mesh.routing.session import compile_session, compile_session_of_route
from mesh.routing.spec import FilterSpec

FAULT = "fault"
CORS = "cors"
LOCAL_RATE_LIMIT = "local_ratelimit"
SESSION = "session"
ROUTER = "router"


def _nothing(message: Any, at: str) -> None:
    return None


FILTERS: dict[str, tuple[str, Callable[[Any, str], Any]]] = {
    "envoy.extensions.filters.http.fault.v3.HTTPFault": (FAULT, compile_fault),
    "envoy.extensions.filters.http.cors.v3.Cors": (CORS, _nothing),
    "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit": (LOCAL_RATE_LIMIT, compile_rate_limit),
    "envoy.extensions.filters.http.stateful_session.v3.StatefulSession": (SESSION, compile_session),
    "envoy.extensions.filters.http.router.v3.Router": (ROUTER, _nothing),
}
PER_ROUTE: dict[str, Callable[[Any, str], Any]] = {
    "envoy.extensions.filters.http.fault.v3.HTTPFault": compile_fault,
    "envoy.extensions.filters.http.cors.v3.CorsPolicy": compile_cors,
    "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit": compile_rate_limit,
    "envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute": compile_session_of_route,
}


def compile_http_filters(filters: Any, at: str) -> tuple[tuple[FilterSpec, ...], bool]:
    """(filters before the router, the router's suppress_envoy_headers)."""
    compiled: list[FilterSpec] = []
    names: set[str] = set()
    for i, message in enumerate(filters):
        where = join(at, f"http_filters[{i}]")
        if not message.HasField("typed_config"):
            raise Refused(join(where, "typed_config"), "is missing; it says which filter this is")
        config = unpack(message.typed_config, join(where, "typed_config"))
        kind = config.DESCRIPTOR.full_name
        if kind not in FILTERS:
            raise Refused(where, f"{kind} is not an executed HTTP filter; use {', '.join(sorted(FILTERS))}")
        name, build = FILTERS[kind]
        if name == ROUTER:
            if i != len(filters) - 1:
                raise Refused(where, "the router stands last: filters after it would never run")
            return tuple(compiled), config.suppress_envoy_headers
        if message.name in names:
            raise Refused(join(where, "name"), f"{message.name!r} is taken; filters have names of their own")
        names.add(message.name)
        spec = FilterSpec(
            kind=name,
            name=message.name,
            config=build(config, join(where, "typed_config")),
            disabled=message.disabled,
        )
        compiled.append(spec)
    raise Refused(join(at, "http_filters"), "end with envoy.filters.http.router")


def compile_per_filter(configs: Any, at: str) -> Mapping[str, Any]:
    """What typed_per_filter_config says to each filter, by name; None: it is off."""
    compiled: dict[str, Any] = {}
    for name in sorted(configs):
        where = f'{join(at, "typed_per_filter_config")}["{name}"]'
        config = unpack(configs[name], where)
        if config.DESCRIPTOR.full_name == "envoy.config.route.v3.FilterConfig":
            if config.disabled:
                compiled[name] = None
                continue
            config = unpack(config.config, join(where, "config"))
        build = PER_ROUTE.get(config.DESCRIPTOR.full_name)
        if build is None:
            raise Refused(where, f"{config.DESCRIPTOR.full_name} is not executed; use {', '.join(sorted(PER_ROUTE))}")
        compiled[name] = build(config, where)
    return compiled
