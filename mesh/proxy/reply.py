"""What is written to the client: the endpoint's answer, our own, or the switch to another protocol?

The steps from a decided answer to bytes, as functions on a stream. How the lines look is in `answer`, what we say in
our own name in `local_reply`; here they meet the request.
"""

from time import monotonic
from typing import TYPE_CHECKING

from mesh.proxy import answer, choosing, local_reply, router
from mesh.proxy.forwarding import replace
from mesh.proxy.http1.lines import Field
from mesh.proxy.http1.response import ResponseHead
from mesh.proxy.local_reply import Failure
from mesh.routing.request import header

if TYPE_CHECKING:
    from mesh.proxy.stream import Stream


def local(stream: "Stream", failure: Failure, fields: list[Field], early: bool) -> None:
    """Write a local reply and end the request. early: it is made before anything was sent anywhere."""
    head, http, connection = stream.head, stream.http, stream.connection
    # A body that came along with the head has not been read when such a reply is made.
    unread = not stream.received_all or (early and head.content_length != 0) or head.verdict == "connect"
    close = unread or failure.status == 400 or failure is local_reply.LOW_VERSION or stream.closes()
    if stream.route is not None:
        router.local_headers(stream, fields)
    status, fields, body = local_reply.reply_fields(failure, fields, grpc=head.grpc)
    if stream.session is not None:
        choosing.show_session(stream, fields)
    answer.finish_fields(fields, http.server, http.server_mode)
    _show_request_id(stream, fields)
    minor = stream.minor()
    if minor == 0:
        close = close or not head.keep_alive
        tail = answer.CLOSE if close else answer.KEEP_ALIVE
    else:
        tail = answer.CLOSE if close or connection.draining else b""
    stream.status = status
    stream.answered = True
    head_only = stream.method == b"HEAD"
    stream.bytes_sent = 0 if head_only else len(body)
    connection.write(local_reply.serialise(status, fields, body, minor=minor, head_only=head_only, tail=tail))
    stream.finish(close, later=early or unread or not head.close)


def framing(stream: "Stream", head: ResponseHead) -> bytes:
    """The framing line that Envoy would add; notes whether the body is cut into chunks anew."""
    status = head.status
    if b"content-length" in head.names or status in (204, 304) or status < 200:
        return b""
    if stream.method != b"HEAD" and stream.head.minor == 1:
        stream.rechunked = True
    return answer.CHUNKED


def head_of(stream: "Stream", head: ResponseHead, tail: bytes) -> bytes:
    """The head of an endpoint's answer for this client. tail: framing and connection lines."""
    http, route, choice = stream.http, stream.route, stream.choice
    timed = stream.received_all and not http.suppress_envoy and not stream.upgrade
    if (
        timed
        and choice.response_mutation is None
        and stream.head.minor == 1
        and not http.careful
        and stream.on_answer is None
        and not stream.set_cookies
        and stream.session is None
        and not route.include_attempt_count_in_response
    ):
        prefix = answer.prefix_of(head, http.server, http.server_mode)
        return answer.plain_head(prefix, int((monotonic() - stream.request_done) * 1000), tail)
    fields = head.fields.copy()
    if timed:
        replace(fields, answer.SERVICE_TIME, b"%d" % int((monotonic() - stream.request_done) * 1000))
    if choice.response_mutation is not None:
        router.mutate_response(stream, choice.response_mutation, fields)
    if route.include_attempt_count_in_response:
        replace(fields, b"x-envoy-attempt-count", b"%d" % stream.attempts)
    for cookie in stream.set_cookies:
        fields.append((b"set-cookie", cookie))
    if stream.session is not None:
        choosing.show_session(stream, fields)
    if stream.on_answer is not None:
        stream.on_answer(fields)
    if http.via:
        fields.append((b"via", http.via))
    answer.finish_fields(fields, http.server, http.server_mode)
    _show_request_id(stream, fields)
    return answer.write_head(head.status, fields, tail, stream.head.minor, head.case if http.keep_case else None)


def _show_request_id(stream: "Stream", fields: list[Field]) -> None:
    """The request's id, where the listener or an internal client wants to see it in the answer."""
    http = stream.http
    if http.request_id_in_response or (http.has_internal and header(stream.headers, b"x-envoy-force-trace")):
        fields.append((b"x-request-id", header(stream.headers, b"x-request-id") or b""))


def switch(stream: "Stream", head: ResponseHead, body: bytes, end: bool) -> None:
    """The answer to a request that wanted another protocol: from a 101 on, bytes pass as they are."""
    connection, http = stream.connection, stream.http
    if head.status == 101:
        fields = [(name, b"Upgrade" if name == b"connection" else value) for name, value in head.switching]
        fields += head.fields
        if stream.session is not None:
            choosing.show_session(stream, fields)
        answer.finish_fields(fields, http.server, http.server_mode)
        connection.write(answer.write_head(101, fields, b"", stream.head.minor, None) + body)
        stream.answered = True
        stream.route_deadline = stream.try_deadline = 0.0
        stream.bytes_sent = len(body)
        connection.tunnel = True
        http.stats.downstream_cx_upgrades_total += 1
        http.stats.downstream_cx_upgrades_active += 1
        if stream.held and stream.upstream is not None:
            stream.upstream.write(b"".join(stream.held))
        stream.held = None
    elif head.status == 200:
        router.abandon(stream)
        stream.fail(Failure(200, b"", b"", local_reply.HANDSHAKE))
    else:
        stream.upgrade = b""
        stream.on_response(head, body, end)
