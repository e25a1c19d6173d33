"""May this request be routed, and where to?

The steps of the connection manager, in Envoy's order: version, host, form of the target, path normalisation,
upgrades, headers of trust, virtual host and route, filters. Each may end the request with a local reply; otherwise
the request goes on to the router (or to the route's own answer).
"""

from typing import TYPE_CHECKING

from mesh.proxy import deadlines, filters, forwarding, local_reply, router
from mesh.proxy.http1.lines import Field
from mesh.proxy.local_reply import Failure
from mesh.routing import redirect
from mesh.routing.path import PathError, PathRedirect, normalize
from mesh.routing.redirect import without_port
from mesh.routing.route_table import CLUSTER, DIRECT

if TYPE_CHECKING:
    from mesh.proxy.stream import Stream

_MEMO_PATHS = 1024
"""Targets whose normal form a listener remembers."""


def admit(stream: "Stream") -> None:
    """Take a request from its head to a route."""
    head, http = stream.head, stream.http
    if not head.ordinary and not _form(stream):
        return
    if http.normalises and not _path(stream):
        return
    if http.changes_host:
        stream.authority = _host(stream.authority, http.strip_any_port, http.strip_own_port, http.strip_dot, http.port)
    if http.simple_trust:
        # A sidecar's ordinary case, spelled out: nothing of the head is believed or rewritten.
        fields = forwarding.sidecar_fields(head, http.trust, http.untrusted)
        names = head.names
        if b"x-forwarded-proto" not in names:
            fields.append(http.proto)
        else:
            stream.scheme = _scheme(fields)
        if b"x-request-id" not in names and http.trust.generate_request_id:
            fields.append((b"x-request-id", http.ids.next()))
        stream.headers = fields
    elif http.simple_gateway and not head.expect_continue and http.claims.isdisjoint(head.names):
        stream.headers = forwarding.gateway_fields(head, http.proto, stream.connection.peer_address, http.ids)
    else:
        forwarded = forwarding.forward(head, http.trust, stream.peer_ip, http.port, http.ids, http.proto)
        stream.headers = forwarded.fields
        stream.internal = forwarded.internal
        if b"x-forwarded-proto" in head.names:
            stream.scheme = _scheme(forwarded.fields)
    if head.expect_continue and not http.trust.proxy_100_continue:
        stream.connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if http.via:
        stream.headers.append((b"via", http.via))
    if http.max_stream_s:
        deadlines.limit_duration(stream, http.max_stream_s)
    idle_s = http.stream_idle_s
    if idle_s:
        deadlines.set_idle(stream, idle_s)
    table = http.routes
    if table is None or head.verdict == "connect":
        stream.fail(local_reply.NO_ROUTE, early=True)
        return
    route = table.find(stream)
    if route is None:
        http.stats.no_route += 1
        stream.fail(local_reply.NO_ROUTE, early=True)
        return
    stream.route = route
    if route.idle_timeout_s is not None:
        deadlines.set_idle(stream, route.idle_timeout_s)
    if route.max_stream_duration_s is not None:
        deadlines.limit_duration(stream, route.max_stream_duration_s)
    if head.upgrade and not _may_upgrade(stream):
        http.stats.downstream_rq_ws_on_non_ws_route += 1
        stream.fail(local_reply.UPGRADE_REFUSED, early=True)
        return
    if http.filters:
        filters.run(stream, 0)
    else:
        dispatch(stream)


def dispatch(stream: "Stream") -> None:
    """All filters have agreed: answer or send on."""
    route = stream.route
    if route.kind == CLUSTER:
        router.route(stream)
        return
    http = stream.http
    if route.kind == DIRECT:
        status, body = route.direct
        http.stats.rq_direct_response += 1
        extra: list[Field] = []
        if 300 <= status < 400:
            extra.append((b"location", b"%b://%b%b" % (stream.scheme, stream.authority, stream.path)))
        stream.fail(Failure(status, body, b"", b"direct_response"), extra, early=True)
        return
    http.stats.rq_redirect += 1
    status, location = redirect.location(route, stream)
    stream.fail(Failure(status, b"", b"", b"direct_response"), [(b"location", location)], early=True)


def _form(stream: "Stream") -> bool:
    """The unusual heads: other versions, no host, odd targets."""
    head, http = stream.head, stream.http
    failure: Failure | None = None
    if head.minor != 1 and not (head.minor == 0 and http.accept_http_10):
        failure = local_reply.LOW_VERSION
    elif head.authority is None and not (head.minor == 0 and http.default_host):
        failure = local_reply.MISSING_HOST
    elif head.verdict == "absolute" or (head.verdict == "absolute-form" and not http.allow_absolute):
        http.stats.downstream_rq_non_relative_path += 1
        failure = local_reply.ABSOLUTE_PATH
    elif head.method == b"QUERY" and b"content-type" not in head.names:
        failure = local_reply.QUERY_WITHOUT_TYPE
    elif head.verdict == "fragment":
        http.stats.downstream_rq_failed_path_normalization += 1
        failure = local_reply.BAD_PATH
    if failure is not None:
        stream.fail(failure, early=True)
        return False
    if head.authority is None:
        stream.authority = http.default_host
    return True


def _path(stream: "Stream") -> bool:
    """Normalise the path."""
    http, head = stream.http, stream.head
    known = http.paths.get(head.target)
    if known is None:
        known = normalize(head.target, http.path)
        if len(http.paths) >= _MEMO_PATHS:
            http.paths.clear()
        http.paths[head.target] = known
    if isinstance(known, bytes):
        stream.path = known
        return True
    http.stats.downstream_rq_failed_path_normalization += 1
    if isinstance(known, PathRedirect):
        stream.fail(local_reply.SLASH_REDIRECT, [(b"location", known.location)], early=True)
    else:
        assert isinstance(known, PathError)
        stream.fail(local_reply.BAD_PATH, early=True)
    return False


def _may_upgrade(stream: "Stream") -> bool:
    upgrade = stream.head.upgrade
    said = stream.route.upgrades.get(upgrade)
    return bool(stream.http.upgrades.get(upgrade, False) if said is None else said)


def _scheme(fields: list[Field]) -> bytes:
    for name, value in fields:
        if name == b"x-forwarded-proto":
            return value.lower() if value.lower() in (b"http", b"https") else b"http"
    return b"http"


def _host(authority: bytes, any_port: bool, own_port: bool, dot: bool, port: int) -> bytes:
    bare = without_port(authority)
    if any_port or (own_port and authority[len(bare) :] == b":%d" % port):
        authority = bare
    if dot:
        bare = without_port(authority)
        if bare.endswith(b"."):
            authority = bare[:-1] + authority[len(bare) :]
    return authority
