"""How does a copy of a request reach another cluster without the client ever noticing?

A mirror's copy is an exchange of its own: its own connection, its own small buffer, its answer thrown away. It never
asks anybody to wait: when the endpoint is too slow to take the body, the copy is given up and counted.
"""

from typing import TYPE_CHECKING

from mesh.proxy.exchange import OVERFLOW
from mesh.proxy.forwarding import node_address, replace
from mesh.proxy.http1.chunked import encode_chunk, encode_end
from mesh.proxy.http1.lines import Field
from mesh.proxy.http1.response import ResponseHead
from mesh.routing.outcome import Outcome, answer
from mesh.routing.request import header

if TYPE_CHECKING:
    from mesh.proxy.host import Host
    from mesh.proxy.stream import Stream
    from mesh.proxy.upstream import UpstreamConnection

_MAX_BUFFER = 1024 * 1024
_LIMIT_S = 15.0
"""A copy that has no answer after so long is given up (the primary's own timeout counts when it is set)."""


def start_all(stream: "Stream") -> None:
    """Send the copies that the route asks for. The primary's head is final, its endpoint is known."""
    body = b"".join(stream.held) if stream.held else b""
    for policy in stream.route.mirrors:
        if not policy.wanted(stream):
            continue
        cluster = stream.http.proxy.cluster(policy.target(stream))
        if cluster is None:
            continue
        host = cluster.pick(stream)
        if host is None:
            cluster.stats.upstream_cx_none_healthy += 1
            continue
        mirror = Mirror(stream, host, policy.authority(stream.authority))
        if stream.mirrors is None:
            stream.mirrors = []
        stream.mirrors.append(mirror)
        mirror.start(body, stream.received_all)


class Mirror:
    """One copy of one request."""

    __slots__ = (
        "_buffer",
        "_buffered",
        "_connection",
        "_head",
        "_over",
        "_timer",
        "_writable",
        "chunked",
        "host",
        "loop",
        "method",
        "sent_all",
        "status",
        "upgrade",
    )

    def __init__(self, stream: "Stream", host: "Host", authority: bytes) -> None:
        self.host = host
        self.loop = stream.connection.loop
        self.method = stream.method
        self.upgrade = stream.upgrade
        self.chunked = stream.head.chunked
        self.sent_all = False
        self.status = 0
        self._connection: UpstreamConnection | None = None
        self._writable = True
        self._over = False
        self._buffer: list[bytes] = []
        self._buffered = 0
        limit = stream.timeout_s or _LIMIT_S
        self._timer = self.loop.call_later(limit, self._give_up)
        fields = stream.headers.copy()
        replace(fields, b"x-envoy-internal", b"true")
        known = header(fields, b"x-forwarded-for")
        own = node_address()
        replace(fields, b"x-forwarded-for", known + b"," + own if known else own)
        framing = b"" if stream.upgrade else stream.head.framing
        start = b"%b %b HTTP/1.1\r\nhost: %b\r\n" % (stream.method, stream.path, authority)
        self._head = start + b"".join([b"%b: %b\r\n" % field for field in fields]) + framing + b"\r\n"

    def start(self, body: bytes, end: bool) -> None:
        host = self.host
        cluster = host.cluster
        stats = cluster.stats
        if cluster.requests >= cluster.max_requests:
            stats.upstream_rq_pending_overflow += 1
            self._drop()
            return
        cluster.requests += 1
        host.active += 1
        stats.upstream_rq_total += 1
        stats.upstream_rq_active += 1
        self._buffer.append(self._head)
        self.body(body, end, [])
        if host.idle:
            self.on_connection(host.idle.pop())
        elif not host.enqueue(self):
            stats.upstream_rq_pending_overflow += 1
            self._end(closed=True)

    def body(self, data: bytes, end: bool, trailers: list[Field]) -> None:
        """More of the client's body."""
        if self._over:
            return
        if self.chunked:
            data = encode_chunk(data) if data else b""
            if end:
                data += encode_end(trailers)
        connection = self._connection
        if connection is not None and self._writable:
            if data:
                connection.write(data)
        elif data:
            self._buffered += len(data)
            if self._buffered > _MAX_BUFFER:
                self.host.cluster.stats.retry_or_shadow_abandoned += 1
                self._give_up()
                return
            self._buffer.append(data)
        if end:
            self._finish_sending()

    def _finish_sending(self) -> None:
        # With bytes still in our hands the endpoint can not have the whole request yet.
        self.sent_all = True

    def request_over(self, complete: bool) -> None:
        """The primary has ended; a copy that did not get the whole request can not be completed any more."""
        if not self._over and (not complete or self.upgrade):
            self._give_up()

    # --- Exchange -------------------------------------------------------------------------------------------

    def on_connection(self, connection: "UpstreamConnection") -> None:
        self._connection = connection
        data = b"".join(self._buffer)
        self._buffer.clear()
        self._buffered = 0
        connection.begin(self, data)

    def on_informational(self, head: ResponseHead) -> None:
        """Nobody is there to hear it."""

    def discards(self, head: ResponseHead, bodyless: bool) -> bool:
        if self.host.monitor is not None:
            self.host.cluster.judge(self.host, answer(head.status))
        return False

    def on_response(self, head: ResponseHead, body: bytes, end: bool) -> None:
        self.status = head.status
        if end:
            self._end(closed=False)

    def on_body(self, data: bytes, end: bool, trailers: list[Field]) -> None:
        if end:
            self._end(closed=False)

    def on_reset(self, reason: str, detail: str) -> None:
        if self.host.monitor is not None and reason != OVERFLOW:
            self.host.cluster.judge(self.host, Outcome(reason))
        self._end(closed=True)

    def on_upstream_writable(self, writable: bool) -> None:
        self._writable = writable
        if writable and self._buffer and self._connection is not None:
            data = b"".join(self._buffer)
            self._buffer.clear()
            self._buffered = 0
            self._connection.write(data)

    # --- the end --------------------------------------------------------------------------------------------

    def _give_up(self) -> None:
        if self._over:
            return
        if self._connection is not None:
            self._connection.abandon()
        else:
            self.host.withdraw(self)
        self._end(closed=True)

    def _end(self, *, closed: bool) -> None:
        if self._over:
            return
        self._over = True
        self._connection = None
        self._buffer.clear()
        self._timer.cancel()
        host = self.host
        host.active -= 1
        cluster = host.cluster
        cluster.requests -= 1
        cluster.stats.upstream_rq_active -= 1
        if self.status:
            codes = cluster.stats.codes
            codes[self.status] = codes.get(self.status, 0) + 1
        elif closed:
            codes = cluster.stats.codes
            codes[503] = codes.get(503, 0) + 1

    def _drop(self) -> None:
        self._over = True
        self._timer.cancel()
