"""Where does a redirect send the client?

`scheme://host[:port]path`, with the parts that the rule does not replace taken from the request. A scheme
redirect drops a port that is the old scheme's own (80 for http, 443 for https); port_redirect is always printed;
host_redirect drops the request's port. The query is kept unless strip_query, or the new path has one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mesh.routing.errors import join
from mesh.routing.request import Request
from mesh.routing.rewrite import PathRewrite, compile_prefix_rewrite, compile_regex_rewrite

if TYPE_CHECKING:
    from mesh.routing.route_table import Route

STATUSES = {0: 301, 1: 302, 2: 303, 3: 307, 4: 308}


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectPlan:
    status: int = 301
    scheme: bytes | None = None
    host: bytes | None = None
    port: int = 0
    """0: not replaced."""
    path: bytes | None = None
    """The whole new path."""
    rewrite: PathRewrite | None = None
    strip_query: bool = False


def location(route: Route, request: Request) -> tuple[int, bytes]:
    """(status, value of the location header) for a route of kind `redirect`."""
    plan = route.redirect
    assert plan is not None, "only redirect routes have a location"
    return plan.status, where(plan, request)


def where(plan: RedirectPlan, request: Request) -> bytes:
    scheme = plan.scheme or request.scheme
    host = _host(plan, request, scheme)
    if plan.port:
        host += b":%d" % plan.port
    path = _path(plan, request)
    return scheme + b"://" + host + (path if path[:1] == b"/" else b"/" + path)


def _host(plan: RedirectPlan, request: Request, scheme: bytes) -> bytes:
    if plan.host is not None:
        return plan.host
    host = request.authority
    if plan.port:
        return without_port(host)
    if plan.scheme is None:
        return host
    own = b":80" if request.scheme == b"http" else b":443"
    changed = scheme != request.scheme
    return host[: -len(own)] if changed and host.endswith(own) else host


def without_port(authority: bytes) -> bytes:
    """The authority without `:port` (an IPv6 address keeps its brackets)."""
    if authority.endswith(b"]"):
        return authority
    host, colon, port = authority.rpartition(b":")
    return host if colon and port.isdigit() else authority


def _path(plan: RedirectPlan, request: Request) -> bytes:
    path = plan.path
    if path is None:
        new = None if plan.rewrite is None else plan.rewrite(request.path)
        path = request.path if new is None else new
        return path.partition(b"?")[0] if plan.strip_query else path
    if plan.strip_query or b"?" in path:
        return path
    _, mark, query = request.path.partition(b"?")
    return path + mark + query


def compile_redirect(match: Any, action: Any, at: str) -> RedirectPlan:
    """The plan of an envoy.config.route.v3.RedirectAction."""
    scheme = b"https" if action.https_redirect else action.scheme_redirect.encode() or None
    rewrite: Callable[[bytes], bytes | None] | None = None
    path: bytes | None = None
    kind = action.WhichOneof("path_rewrite_specifier")
    if kind == "path_redirect":
        path = action.path_redirect.encode()
    elif kind == "prefix_rewrite":
        rewrite = compile_prefix_rewrite(match, action.prefix_rewrite, join(at, kind))
    elif kind == "regex_rewrite":
        rewrite = compile_regex_rewrite(action.regex_rewrite, join(at, kind))
    return RedirectPlan(
        status=STATUSES[action.response_code],
        scheme=scheme,
        host=action.host_redirect.encode() or None,
        port=action.port_redirect,
        path=path,
        rewrite=rewrite,
        strip_query=action.strip_query,
    )
