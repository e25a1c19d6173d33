"""What happens to one request between its first byte and the last byte of its answer?

A `Stream` is the request that routing decides about, the exchange that an upstream connection serves, and the record
from which log and metrics are written: one object per request, driven by callbacks, without tasks or futures. The
steps before an endpoint is involved are in `intake`, the way to endpoints in `router`, time in `deadlines`.
"""

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from mesh.proxy import answer, deadlines, intake, local_reply, record, reply, retries, router
from mesh.proxy.exchange import OVERFLOW
from mesh.proxy.http1.chunked import encode_chunk, encode_end
from mesh.proxy.http1.lines import Field
from mesh.proxy.http1.request import RequestHead
from mesh.proxy.http1.response import ResponseHead
from mesh.proxy.local_reply import Failure
from mesh.routing import decision as flags
from mesh.routing.request import Request

if TYPE_CHECKING:
    from mesh.proxy.cluster import Cluster
    from mesh.proxy.downstream import DownstreamConnection
    from mesh.proxy.host import Host
    from mesh.proxy.listener import HttpState
    from mesh.proxy.mirror import Mirror
    from mesh.proxy.upstream import UpstreamConnection
    from mesh.routing.session import Session

_MAX_HELD = 256 * 1024
"""Bytes of a request's body that wait for a connection before the client is asked to wait, too."""


class Stream(Request):
    """One request of one client."""

    __slots__ = (
        "answer_started",
        "answered",
        "attempts",
        "bytes_received",
        "bytes_sent",
        "choice",
        "cluster",
        "connection",
        "details",
        "end_deadline",
        "faulted",
        "flags",
        "hash_value",
        "hashed",
        "head",
        "held",
        "holding",
        "host",
        "http",
        "idle_s",
        "internal",
        "last_moved",
        "mirrors",
        "on_answer",
        "original_path",
        "over",
        "received_all",
        "rechunked",
        "request_deadline",
        "request_done",
        "retry_state",
        "retry_timer",
        "route",
        "route_deadline",
        "sent_all",
        "session",
        "set_cookies",
        "started",
        "status",
        "timeout_s",
        "try_deadline",
        "try_idle_s",
        "try_timeout_s",
        "upgrade",
        "upstream",
        "upstream_failure",
        "upstream_local",
    )

    def __init__(self, connection: "DownstreamConnection", http: "HttpState", head: RequestHead) -> None:
        # The fields of Request, set here to spare a call on the hottest path.
        self.method = head.method
        self.path = head.target
        self.authority = head.authority or b""
        self.scheme = http.scheme
        self.headers = []
        self.peer_ip = connection.peer_ip
        self.rng = http.rng
        self._draw = -1
        self._bare = None
        self.connection: DownstreamConnection = connection
        self.http: HttpState = http
        self.head: RequestHead = head
        self.upgrade: bytes = head.upgrade
        self.route: Any = None
        self.choice: Any = None
        self.cluster: Cluster | None = None
        self.host: Host | None = None
        self.upstream: UpstreamConnection | None = None
        self.started = monotonic()
        self.request_done = 0.0
        self.answer_started = 0.0
        self.received_all = False
        self.sent_all = False
        self.answered = False
        self.over = False
        self.held: list[bytes] | None = None
        self.mirrors: list[Mirror] | None = None
        self.on_answer: Callable[[list[Field]], None] | None = None
        self.original_path = b""
        self.holding = False
        self.faulted = False
        self.hashed = False
        self.hash_value: int | None = None
        self.set_cookies: tuple[bytes, ...] = ()
        self.session: Session | None = None
        self.internal = False
        self.rechunked = False
        self.attempts = 0
        self.status = 0
        self.flags = b""
        self.details = b""
        self.upstream_failure = b""
        self.upstream_local: tuple[str, int] | None = None
        self.bytes_received = 0
        self.bytes_sent = 0
        self.timeout_s: float = 0.0
        self.try_timeout_s = 0.0
        self.route_deadline = 0.0
        self.try_deadline = 0.0
        self.try_idle_s = 0.0
        self.request_deadline = 0.0
        self.end_deadline = 0.0
        self.idle_s = 0.0
        self.last_moved = 0.0
        self.retry_state: Any = None
        self.retry_timer: Any = None

    # --- the client's side ----------------------------------------------------------------------------------

    def start(self, body: bytes, done: bool) -> None:
        """The head is read; body is what came with it."""
        http = self.http
        stats = http.stats
        stats.downstream_rq_total += 1
        stats.downstream_rq_active += 1
        if done:
            self.received_all = True
            self.request_done = self.started
        if body:
            self.bytes_received = len(body)
            self.held = [body]
        if http.request_timeout_s and not done:
            self.request_deadline = deadlines.after(self, http.request_timeout_s)
        intake.admit(self)

    def client_data(self, data: bytes, end: bool) -> None:
        """More of the request's body (or of a tunnel)."""
        self.bytes_received += len(data)
        if self.idle_s:
            self.last_moved = self.connection.loop.time()
        if end:
            self.received_all = True
            self.request_done = monotonic()
            self.request_deadline = 0.0
        if self.mirrors:
            trailers = self.connection.trailers if end and self.http.trailers else []
            for mirror in self.mirrors:
                mirror.body(data, end, trailers)
        if self.retry_state is not None:
            retries.keep(self, data)
        upstream = self.upstream
        if upstream is not None and (not self.upgrade or self.answered):
            wire = self.encode(data, end)
            if wire:
                upstream.write(wire)
            if end:
                self.sent_all = True
        else:
            if self.held is None:
                self.held = []
            if data:
                self.held.append(data)
                if sum(map(len, self.held)) > _MAX_HELD:
                    self.connection.pause()
        if end:
            router.request_complete(self)

    def encode(self, data: bytes, end: bool) -> bytes:
        """Body bytes in the framing of the request as it goes upstream."""
        if not self.head.chunked:
            return data
        wire = encode_chunk(data) if data else b""
        if end:
            cluster = self.cluster
            passes = self.http.trailers and cluster is not None and cluster.trailers
            wire += encode_end(self.connection.trailers if passes else None)
        return wire

    def client_writable(self, writable: bool) -> None:
        """The client reads too slowly, or again fast enough."""
        upstream = self.upstream
        if upstream is not None:
            if writable:
                upstream.resume()
            else:
                upstream.pause()

    def client_gone(self) -> None:
        """The connection is closed; whatever was under way stops."""
        if self.over:
            return
        stats = self.http.stats
        stats.downstream_rq_rx_reset += 1
        stats.downstream_cx_destroy_remote_active_rq += 1
        self.flag(flags.DOWNSTREAM_CONNECTION_TERMINATION)
        self.details = b"downstream_remote_disconnect"
        router.abandon(self)
        self.finish(True)

    def client_broke(self, details: str) -> None:
        """The body turned out not to be HTTP; the connection answers."""
        if self.over:
            return
        self.flag(flags.DOWNSTREAM_PROTOCOL_ERROR)
        self.details = details.encode()
        if not self.answered:
            self.status = 400
        router.abandon(self)
        self.finish(True)

    # --- answers of our own ---------------------------------------------------------------------------------

    def fail(self, failure: Failure, extra: list[Field] | None = None, *, early: bool = False) -> None:
        """End the request with a local reply. early: it is made before anything was sent anywhere."""
        if self.over:
            return
        if failure.flag:
            self.flag(failure.flag)
        self.details = failure.details
        router.abandon(self)
        if self.answered:
            self.finish(True)
        else:
            reply.local(self, failure, extra or [], early)

    # --- the endpoint's side (Exchange) ---------------------------------------------------------------------

    def on_connection(self, connection: "UpstreamConnection") -> None:
        router.send(self, connection)

    def on_informational(self, head: ResponseHead) -> None:
        if head.status == 100 and not self.answered:
            self.connection.write(answer.CONTINUE)
            retries.forget(self)

    def discards(self, head: ResponseHead, bodyless: bool) -> bool:
        if self.retry_state is None and self.host is not None and self.host.monitor is None:
            return False
        return router.after_head(self, head)

    def on_response(self, head: ResponseHead, body: bytes, end: bool) -> None:
        connection = self.connection
        request_head = self.head
        self.route_first_byte(head)
        if self.upgrade:
            reply.switch(self, head, body, end)
            return
        close = not self.received_all or self.closes()
        tail = reply.framing(self, head)
        if request_head.minor == 0:
            close = close or not request_head.keep_alive
            tail = (answer.CLOSE if close else answer.KEEP_ALIVE) + (tail if tail != answer.CHUNKED else b"")
        elif close or connection.draining:
            tail = answer.CLOSE + tail
        wire = reply.head_of(self, head, tail)
        self.answered = True
        if end:
            if body:
                self.bytes_sent = len(body)
                wire += body if not self.rechunked else encode_chunk(body) + b"0\r\n\r\n"
            elif self.rechunked:
                wire += b"0\r\n\r\n"
            self.upstream = None
            connection.write(wire)
            self.finish(close, later=not self.received_all)
            return
        if body:
            self.bytes_sent = len(body)
            wire += encode_chunk(body) if self.rechunked else body
        connection.write(wire)
        if not connection.writable and self.upstream is not None:
            self.upstream.pause()

    def on_body(self, data: bytes, end: bool, trailers: list[Field]) -> None:
        if self.over:
            return
        if self.idle_s or self.try_idle_s:
            self.last_moved = self.connection.loop.time()
        connection = self.connection
        self.bytes_sent += len(data)
        if self.rechunked:
            wire = encode_chunk(data) if data else b""
            if end:
                passes = self.http.trailers and self.cluster is not None and self.cluster.trailers
                wire += encode_end(trailers if passes else None)
        else:
            wire = data
        if wire:
            connection.write(wire)
        if not end:
            return
        self.upstream = None
        head = self.head
        if self.upgrade:
            self.finish(True)
            return
        close = not self.received_all or self.closes() or (head.minor == 0 and not head.keep_alive)
        self.finish(close, later=not self.received_all)

    def on_reset(self, reason: str, detail: str) -> None:
        if self.over:
            return
        self.upstream = None
        if detail:
            self.upstream_failure = detail.encode()
        if self.answered:
            self.flag(local_reply.reset_failure(reason, "", False).flag)
            self.details = local_reply.reset_details(reason)
            router.release(self)
            self.finish(True)
            return
        if router.after_reset(self, reason):
            return
        retried = self.attempts > 1
        failure = local_reply.reset_failure(reason, detail, retried)
        extra = [(b"x-envoy-overloaded", b"true")] if reason == OVERFLOW else None
        self.fail(failure, extra)

    def on_upstream_writable(self, writable: bool) -> None:
        if writable:
            self.connection.resume()
        else:
            self.connection.pause()

    # --- writing the endpoint's answer ----------------------------------------------------------------------

    def route_first_byte(self, head: ResponseHead) -> None:
        """The answer has begun: this attempt is final."""
        self.status = head.status
        if self.http.logs:
            self.answer_started = monotonic()
        if self.retry_state is not None:
            retries.forget(self)
        self.try_deadline = 0.0
        self.details = b"via_upstream"
        if self.idle_s or self.try_idle_s:
            self.last_moved = self.connection.loop.time()

    # --- the end --------------------------------------------------------------------------------------------

    def finish(self, close: bool, *, later: bool = True) -> None:
        """Count, log, and give the connection back. close: the client's connection ends with this request."""
        if self.over:
            return
        self.over = True
        if self.connection.tunnel:
            self.http.stats.downstream_cx_upgrades_active -= 1
        if self.faulted:
            self.http.stats.fault_active_faults -= 1
        if self.mirrors:
            for mirror in self.mirrors:
                mirror.request_over(self.received_all)
        if self.holding:
            router.release(self)
        if self.retry_state is not None:
            retries.forget(self)
        record.finished(self)
        self.connection.done(close=close, later=later)

    def flag(self, name: bytes) -> None:
        """Raise a response flag."""
        if not self.flags:
            self.flags = name
        elif name not in self.flags.split(b","):
            self.flags += b"," + name

    def minor(self) -> int:
        """The HTTP/1 minor version to answer in."""
        return 0 if self.head.minor == 0 and self.http.accept_http_10 else 1

    def closes(self) -> bool:
        """The connection ends with this request: the client said so, the proxy stops, or it has carried enough."""
        limit = self.http.max_requests
        return self.head.close or self.connection.listener.leaving or (limit > 0 and self.connection.requests >= limit)
