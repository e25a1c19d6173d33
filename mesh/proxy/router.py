"""Which endpoint gets a request, and what happens when one fails?

The router's steps as plain functions on a stream: choose cluster and endpoint, write the head that goes upstream, send,
and after a failure say again or give up. Every decision in it is made by `routing` and `balance`; this room only
carries them out.
"""

from typing import TYPE_CHECKING

from mesh.proxy import choosing, local_reply, mirror, record, retries
from mesh.proxy.exchange import OVERFLOW
from mesh.proxy.forwarding import consume_control, replace
from mesh.proxy.http1.lines import Field
from mesh.proxy.http1.response import ResponseHead
from mesh.proxy.local_reply import Failure
from mesh.routing import decision as flags
from mesh.routing import headers as mutation
from mesh.routing.outcome import ROUTE_TIMEOUT, TRY_TIMEOUT, Outcome, answer
from mesh.routing.request import header
from mesh.routing.retry import with_headers

if TYPE_CHECKING:
    from mesh.proxy.cluster import Cluster
    from mesh.proxy.host import Host
    from mesh.proxy.stream import Stream
    from mesh.proxy.upstream import UpstreamConnection
    from mesh.routing.headers import HeaderPlan
    from mesh.routing.retry_policy import RetryPolicy

_EXPECTED = b"x-envoy-expected-rq-timeout-ms"
_ATTEMPT = b"x-envoy-attempt-count"


def route(stream: "Stream") -> None:
    """The route names clusters: choose one, choose an endpoint, prepare the head, try."""
    http, found = stream.http, stream.route
    http.stats.rq_total += 1
    weighted = found.weighted
    if weighted is None:
        choice = found
        name = found.cluster if found.cluster is not None else header(stream.headers, found.cluster_header)
    else:
        value = choosing.hash_for_weights(stream) if weighted.use_hash else None
        choice = weighted.choose(stream, value)
        name = choice.cluster
    stream.choice = choice
    cluster = http.proxy.cluster(name)
    if cluster is None:
        http.stats.no_cluster += 1
        stream.fail(Failure(found.cluster_not_found_status, b"", flags.NO_CLUSTER, b"cluster_not_found"), early=True)
        return
    stream.cluster = cluster
    host = cluster.pick(stream) if stream.session is None else choosing.by_session(stream, cluster)
    stream.attempts = 1
    if host is None:
        cluster.stats.upstream_cx_none_healthy += 1
        stream.fail(local_reply.NO_ENDPOINT, early=True)
        return
    _prepare(stream, cluster, host)
    if found.mirrors:
        mirror.start_all(stream)
    if stream.received_all and stream.timeout_s:
        start_route_timer(stream)
    attempt(stream, host)


def _prepare(stream: "Stream", cluster: "Cluster", host: "Host") -> None:
    """Timeouts, mutations and rewrites: everything about the head that is the same for every attempt."""
    http, found, choice, fields = stream.http, stream.route, stream.choice, stream.headers
    stream.timeout_s = found.timeout_s
    stream.try_timeout_s = found.per_try_timeout_s
    retry = found.retry
    if stream.internal:
        retry = _control(stream, consume_control(fields))
    if retry is not None:
        retries.arm(stream, retry)
    if not http.suppress_envoy:
        expected = _expected_ms(stream)
        if expected:
            _put(stream, _EXPECTED, b"%d" % expected)
    if found.include_attempt_count:
        _put(stream, _ATTEMPT, b"1")
    if choice.request_mutation is not None:
        mutate(stream, choice.request_mutation, fields)
    if found.rewrite is not None or choice.host_rewrite is not None or found.host_rewriter or found.auto_host_rewrite:
        _rewrite(stream, host)


def _put(stream: "Stream", name: bytes, value: bytes) -> None:
    if name in stream.head.names:
        replace(stream.headers, name, value)
    else:
        stream.headers.append((name, value))


def _expected_ms(stream: "Stream") -> int:
    """The time that the endpoint is told it has: the smaller of the try's and the rest of the route's; 0: any."""
    timeout_s = stream.timeout_s
    if stream.route_deadline:
        timeout_s = max(stream.route_deadline - stream.connection.loop.time(), 0.001)
    per_try = stream.try_timeout_s
    if per_try and (not timeout_s or per_try < timeout_s):
        timeout_s = per_try
    return int(timeout_s * 1000 + 0.5)


def _control(stream: "Stream", control: dict[bytes, bytes]) -> "RetryPolicy | None":
    """An internal client may set timeouts and retries with headers."""
    for name, attribute in (
        (b"x-envoy-upstream-rq-timeout-ms", "timeout_s"),
        (b"x-envoy-upstream-rq-per-try-timeout-ms", "try_timeout_s"),
    ):
        value = control.get(name, b"")
        if value.isdigit():
            setattr(stream, attribute, int(value) / 1000)
    return with_headers(stream.route.retry, control)


def _rewrite(stream: "Stream", host: "Host") -> None:
    """Path and authority as the endpoint shall see them, with the original ones noted."""
    http, found, fields = stream.http, stream.route, stream.headers
    if stream.choice is not found and stream.choice.host_rewrite is not None:
        # A weighted cluster's own rewrite leaves no trace.
        stream.authority = stream.choice.host_rewrite
        authority = None
    else:
        authority = found.host_rewrite
    if authority is None and found.host_rewriter is not None:
        authority = found.host_rewriter(stream)
    if authority is None and found.auto_host_rewrite:
        authority = host.spec.hostname.encode() or None
    path = found.rewrite(stream.path) if found.rewrite is not None else None
    stream.original_path = stream.path
    if authority and authority != stream.authority:
        if not http.suppress_envoy:
            replace(fields, b"x-envoy-original-host", stream.authority)
        if found.append_x_forwarded_host:
            known = header(fields, b"x-forwarded-host")
            replace(fields, b"x-forwarded-host", known + b"," + stream.authority if known else stream.authority)
        stream.authority = authority
    if path is not None and path != stream.path:
        if not http.suppress_envoy:
            replace(fields, b"x-envoy-original-path", stream.path)
        stream.path = path


def wire_head(stream: "Stream") -> bytes:
    """The head of the request as it goes upstream."""
    head = stream.head
    framing = b"" if stream.upgrade else head.framing
    start = b"%b %b HTTP/1.1\r\nhost: %b\r\n" % (stream.method, stream.path, stream.authority)
    case = head.case
    cluster = stream.cluster
    if case is not None and cluster is not None and cluster.keep_case:
        names = [(case.get(name, name), value) for name, value in stream.headers]
        start = start.replace(b"\r\nhost:", b"\r\n%b:" % case.get(b"host", b"host"), 1)
        return start + b"".join([b"%b: %b\r\n" % field for field in names]) + framing + b"\r\n"
    return start + b"\r\n".join([b": ".join(field) for field in stream.headers]) + b"\r\n" + framing + b"\r\n"


# --- attempts ---------------------------------------------------------------------------------------------------


def attempt(stream: "Stream", host: "Host") -> None:
    """Try one endpoint: send at once on a free connection, or wait for a new one."""
    cluster = host.cluster
    stream.host = host
    stats = cluster.stats
    if cluster.requests >= cluster.max_requests:
        stats.upstream_rq_pending_overflow += 1
        stream.on_reset(OVERFLOW, "")
        return
    cluster.requests += 1
    host.active += 1
    stats.upstream_rq_total += 1
    stats.upstream_rq_active += 1
    stream.holding = True
    if host.idle:
        send(stream, host.idle.pop())
    elif not host.enqueue(stream):
        stats.upstream_rq_pending_overflow += 1
        stream.on_reset(OVERFLOW, "")


def repeat(stream: "Stream", host: "Host | None") -> None:
    """The next attempt of the same request; host: None when there is no endpoint any more."""
    cluster = stream.cluster
    assert cluster is not None
    if host is None:
        cluster.stats.upstream_cx_none_healthy += 1
        stream.fail(local_reply.NO_ENDPOINT)
        return
    fields = stream.headers
    if not stream.http.suppress_envoy:
        expected = _expected_ms(stream)
        if expected:
            replace(fields, _EXPECTED, b"%d" % expected)
    if stream.route.include_attempt_count:
        replace(fields, _ATTEMPT, b"%d" % stream.attempts)
    attempt(stream, host)


def send(stream: "Stream", connection: "UpstreamConnection") -> None:
    """A connection is there: write the head and what has arrived of the body."""
    stream.upstream = connection
    if stream.http.logs:
        local = connection.transport.get_extra_info("sockname")
        stream.upstream_local = (local[0], local[1]) if local else None
    data = wire_head(stream)
    held = stream.held
    done = stream.received_all
    if held is not None and not stream.upgrade:
        body = held[0] if len(held) == 1 else b"".join(held)
        stream.held = None
        data += stream.encode(body, done)
        stream.connection.resume()
    elif done and stream.head.chunked:
        data += stream.encode(b"", True)
    stream.sent_all = done
    connection.begin(stream, data)
    if done and stream.try_timeout_s:
        start_try_timer(stream)
    if stream.route.retry is not None and stream.route.retry.per_try_idle_timeout_s:
        start_try_idle(stream, stream.route.retry.per_try_idle_timeout_s)


def release(stream: "Stream") -> None:
    """The attempt no longer counts against its endpoint and cluster."""
    if stream.holding:
        stream.holding = False
        host = stream.host
        assert host is not None
        host.active -= 1
        host.cluster.requests -= 1
        host.cluster.stats.upstream_rq_active -= 1


def abandon(stream: "Stream") -> None:
    """Stop whatever is under way upstream."""
    if stream.retry_timer is not None:
        stream.retry_timer.cancel()
        stream.retry_timer = None
    upstream = stream.upstream
    if upstream is not None:
        stream.upstream = None
        upstream.host.cluster.stats.upstream_rq_tx_reset += 1
        upstream.abandon()
    elif stream.host is not None and stream.holding:
        stream.host.withdraw(stream)
    release(stream)


def after_head(stream: "Stream", head: ResponseHead) -> bool:
    """An endpoint has answered: remember how, and say whether the answer is thrown away for another try."""
    host = stream.host
    assert host is not None
    if host.monitor is not None:
        host.cluster.judge(host, answer(head.status))
    return stream.retry_state is not None and retries.after_answer(stream, head)


def after_reset(stream: "Stream", reason: str) -> bool:
    """An endpoint (or the way to it) failed before answering; true when the request is tried again."""
    host = stream.host
    if host is not None and host.monitor is not None and reason != OVERFLOW:
        host.cluster.judge(host, Outcome(reason))
    release(stream)
    if reason == OVERFLOW:
        return False
    return stream.retry_state is not None and retries.after_failure(stream, reason)


# --- time -------------------------------------------------------------------------------------------------------


def request_complete(stream: "Stream") -> None:
    """The client has sent everything: timeouts of the router begin here."""
    if stream.host is None or stream.answered:
        return
    start_route_timer(stream)
    if stream.upstream is not None:
        start_try_timer(stream)


def start_route_timer(stream: "Stream") -> None:
    if stream.timeout_s and not stream.route_deadline:
        connection = stream.connection
        stream.route_deadline = at = connection.loop.time() + stream.timeout_s
        connection.arm(at)


def start_try_timer(stream: "Stream") -> None:
    if stream.try_timeout_s:
        connection = stream.connection
        stream.try_deadline = at = connection.loop.time() + stream.try_timeout_s
        connection.arm(at)


def start_try_idle(stream: "Stream", idle_s: float) -> None:
    connection = stream.connection
    stream.try_idle_s = idle_s
    stream.last_moved = connection.loop.time()
    connection.arm(stream.last_moved + idle_s)


def route_timeout(stream: "Stream") -> None:
    """The route's time is over, whatever is going on."""
    cluster, host = stream.cluster, stream.host
    if cluster is not None:
        cluster.stats.upstream_rq_timeout += 1
        if host is not None and host.monitor is not None and not stream.answered:
            cluster.judge(host, Outcome(ROUTE_TIMEOUT))
    stream.fail(local_reply.ROUTE_TIMEOUT)


def try_timeout(stream: "Stream", failure: Failure = local_reply.TRY_TIMEOUT) -> None:
    """One try has taken too long, or nothing moved in it for too long."""
    cluster = stream.cluster
    assert cluster is not None
    cluster.stats.upstream_rq_per_try_timeout += 1
    host = stream.host
    if host is not None and host.monitor is not None:
        cluster.judge(host, Outcome(TRY_TIMEOUT))
    abandon(stream)
    if not stream.answered and stream.retry_state is not None and retries.after_try_timeout(stream):
        return
    stream.fail(failure)


# --- header mutations -------------------------------------------------------------------------------------------


def mutate(stream: "Stream", plan: "HeaderPlan", fields: list[Field]) -> None:
    """Apply a header plan to the request; the record is only written when a format string needs it."""
    levels = plan.levels
    if len(levels) == 1 and levels[0].constant is not None:
        fields.extend(levels[0].constant)
        return
    mutation.apply(plan, fields, record.decision_of(stream))


def mutate_response(stream: "Stream", plan: "HeaderPlan", fields: list[Field]) -> None:
    """The same for the headers of an answer."""
    levels = plan.levels
    if len(levels) == 1 and levels[0].constant is not None:
        fields.extend(levels[0].constant)
        return
    decision = record.decision_of(stream)
    decision.response_headers = fields
    mutation.apply(plan, fields, decision)


def local_headers(stream: "Stream", fields: list[Field]) -> None:
    """The headers of a local reply on a known route."""
    found = stream.route
    if found.include_attempt_count_in_response and stream.cluster is not None:
        fields.insert(0, (_ATTEMPT, b"%d" % stream.attempts))
    plan = (stream.choice or found).response_mutation
    if plan is not None:
        # %RESPONSE_CODE% is not known yet at this point, as in Envoy.
        mutate_response(stream, plan, fields)
