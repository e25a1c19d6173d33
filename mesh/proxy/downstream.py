"""What is going on on one client's connection?

Requests are read one at a time and in order; bytes of the next one wait until the present one is answered. One timer
serves all deadlines of the connection: it is armed for the earliest, looks who is late when it fires, and is armed
again, so a request that ends in time never touches it.
"""

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, cast

from mesh.proxy import deadlines, local_reply
from mesh.proxy.http1.chunked import ChunkedDecoder
from mesh.proxy.http1.errors import ProtocolError
from mesh.proxy.sender import BATCH
from mesh.proxy.stream import Stream

if TYPE_CHECKING:
    from mesh.proxy.listener import HttpListener

_HIGH_WATER = 256 * 1024
_MAX_WAITING = 64 * 1024

_OPEN, _CLOSING, _CLOSED = range(3)


class DownstreamConnection(asyncio.Protocol):
    """One connection that a client opened to an HTTP listener."""

    __slots__ = (
        "_body_left",
        "_buffer",
        "_decoder",
        "_drain_ends",
        "_expires",
        "_head_deadline",
        "_idle_deadline",
        "_looping",
        "_more_came",
        "_paused",
        "_reading",
        "_sender",
        "_state",
        "_timer",
        "_timer_at",
        "_unsent",
        "_writable",
        "draining",
        "listener",
        "loop",
        "metrics",
        "number",
        "peer",
        "peer_address",
        "peer_ip",
        "requests",
        "stream",
        "transport",
        "tunnel",
    )

    def __init__(self, listener: "HttpListener") -> None:
        self.listener = listener
        self.loop = listener.loop
        self._sender = listener.proxy.sender
        self._unsent = b""
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self.peer: tuple[str, int] = ("", 0)
        self.peer_ip = ""
        self.peer_address = b""
        self.stream: Stream | None = None
        self.number = 0
        self.requests = 0
        self.draining = False
        self.tunnel = False
        self.metrics: dict[object, object] = {}
        """What the counting side remembers about this peer."""
        self._state = _OPEN
        self._buffer = b""
        self._reading = False  # the body of the present request is still coming
        self._body_left = 0
        self._decoder: ChunkedDecoder | None = None
        self._looping = False
        self._more_came = False
        self._paused = False
        self._writable = True
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._idle_deadline = 0.0
        self._head_deadline = 0.0
        self._drain_ends = 0.0
        self._expires = 0.0

    # --- asyncio.Protocol -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=_HIGH_WATER)
        peer = transport.get_extra_info("peername")
        if peer:
            self.peer = (peer[0], peer[1])
            self.peer_ip = peer[0]
            self.peer_address = self.peer_ip.encode()
        self.listener.opened(self)
        http = self.listener.http
        if http.max_duration_s:
            self._expires = self.loop.time() + http.max_duration_s
            self._arm(self._expires)
        self._idle()

    def connection_lost(self, exc: Exception | None) -> None:
        self._state = _CLOSED
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        stream, self.stream = self.stream, None
        self.listener.closed(self)
        if stream is not None:
            stream.client_gone()
        self._buffer = b""

    def pause_writing(self) -> None:
        self._writable = False
        if self.stream is not None:
            self.stream.client_writable(False)

    def resume_writing(self) -> None:
        self._writable = True
        if self.stream is not None:
            self.stream.client_writable(True)

    def data_received(self, data: bytes) -> None:
        if self._state != _OPEN:
            self._more_came = True
            return
        if self.stream is None:
            if self._buffer:
                data = self._buffer + data
                self._buffer = b""
            self._serve(data)
        elif self.tunnel:
            self.stream.client_data(data, False)
        elif self._reading:
            self._body(self.stream, data)
        else:
            self._buffer += data
            if len(self._buffer) > _MAX_WAITING:
                self.pause()

    # --- reading requests -----------------------------------------------------------------------------------

    def _serve(self, data: bytes) -> None:
        """Start the request at the front of `data`; go on while requests are answered on the spot."""
        self._looping = True
        try:
            while data and self._state == _OPEN:
                self._request(data)
                if self.stream is not None or not self._buffer:
                    break
                data, before = self._buffer, len(data)
                self._buffer = b""
                if len(data) == before:
                    self._buffer = data
                    break
        except ProtocolError as error:
            self._refuse(error)
        finally:
            self._looping = False

    def _request(self, data: bytes) -> None:
        http = self.listener.http
        parser = http.parser
        first = data[0]
        if first == 13 or first == 10:
            data = data.lstrip(b"\r\n")
            if not data:
                return
            first = data[0]
        if not parser.plausible(first):
            raise ProtocolError("http1.codec_error")
        end = parser.find_end(data)
        if end < 0:
            self._buffer = data
            self._waiting_for_head()
            return
        if end == len(data):
            head, rest = parser.parse(data), b""
        else:
            head, rest = parser.parse(data[:end]), data[end:]
        length = head.content_length
        done = True
        body = b""
        if head.upgrade:
            body, done = rest, False
        elif length == 0:
            self._buffer = rest
        elif length > 0:
            have = len(rest)
            if have >= length:
                body, self._buffer = rest[:length], rest[length:]
            else:
                body, done = rest, False
                self._body_left = length - have
        else:
            decoder = self._decoder = ChunkedDecoder()
            body = decoder.feed(rest) if rest else b""
            done = decoder.done
            if done:
                self._buffer = decoder.rest
        self._reading = not done
        self._head_deadline = 0.0
        self.requests += 1
        stream = Stream(self, http, head)
        self.stream = stream
        stream.start(body, done)

    def _body(self, stream: Stream, data: bytes) -> None:
        decoder = self._decoder
        if decoder is None:
            left = self._body_left - len(data)
            if left > 0:
                self._body_left = left
                stream.client_data(data, False)
                return
            self._reading = False
            if left < 0:
                self._buffer = data[left:]
                data = data[:left]
            stream.client_data(data, True)
            return
        try:
            body = decoder.feed(data)
        except ProtocolError as error:
            self.stream = None
            stream.client_broke(error.details)
            self._refuse(error, begun=stream.answered)
            return
        if decoder.done:
            self._reading = False
            self._buffer = decoder.rest
            stream.client_data(body, True)
        elif body:
            stream.client_data(body, False)

    @property
    def trailers(self) -> list[tuple[bytes, bytes]]:
        """Trailers of the request's chunked body, once it is complete."""
        return self._decoder.trailers if self._decoder is not None else []

    def _refuse(self, error: ProtocolError, begun: bool = False) -> None:
        """Bytes that are not HTTP: say so and close, unless an answer is half written."""
        http = self.listener.http
        http.stats.downstream_cx_protocol_error += 1
        failure = local_reply.codec_failure(error.details)
        if not begun:
            _, fields, body = local_reply.reply_fields(failure, [], grpc=False)
            tail = local_reply.date_line() + http.server_line + b"connection: close\r\n"
            self.write(local_reply.serialise(failure.status, fields, body, minor=1, head_only=False, tail=tail))
            self.listener.count_refusal(self, failure)
        self.close_later()

    # --- what a stream asks of its connection ---------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes to the client, at the end of the loop's round."""
        if self._unsent:
            self._unsent += data
            if len(self._unsent) > BATCH:
                self.flush()
        elif len(data) > BATCH:
            self.transport.write(data)
        else:
            self._unsent = data
            self._sender.send_soon(self)

    def flush(self) -> None:
        """Send what waits for the end of the round."""
        data, self._unsent = self._unsent, b""
        if data and self._state != _CLOSED:
            self.transport.write(data)

    def _close(self) -> None:
        """Close behind the last byte."""
        self.flush()
        self.transport.close()

    @property
    def writable(self) -> bool:
        return self._writable

    def pause(self) -> None:
        """Take no more bytes from the client for now."""
        if not self._paused and self._state == _OPEN:
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        if self._paused and self._state == _OPEN:
            self._paused = False
            self.transport.resume_reading()

    def done(self, *, close: bool, later: bool) -> None:
        """The present request is answered (or given up). later: let the client close first, for a while."""
        self.stream = None
        self._decoder = None
        if self._state != _OPEN:
            return
        if self._reading or self.tunnel:
            close = later = True
        if close:
            if later:
                self.close_later()
            else:
                self._state = _CLOSING
                self._close()
            return
        if self._paused:
            self.resume()
        if self._drain_ends and self.loop.time() >= self._drain_ends:
            self.close_later()
            return
        if not self._buffer:
            self._idle()
        elif not self._looping:
            data, self._buffer = self._buffer, b""
            self._serve(data)

    def close_later(self) -> None:
        """Wait for the client to close, but not longer than the delayed close timeout."""
        if self._state != _OPEN:
            return
        self.resume()
        self._state = _CLOSING
        delay = self.listener.http.delayed_close_s
        if delay <= 0:
            self._close()
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(delay, self._close_now)

    def _close_now(self) -> None:
        self._timer = None
        if self._more_came and self.transport.get_write_buffer_size() == 0:
            # The client kept sending what nobody reads: the kernel would answer a close with a reset.
            sock = self.transport.get_extra_info("socket")
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.transport.abort()
                return
        self._close()

    def shut_down(self) -> None:
        """Close at once if nothing is under way; else after the present answer."""
        if self.stream is None and self._state == _OPEN:
            self._state = _CLOSING
            self._close()

    def abort(self) -> None:
        self.transport.abort()

    # --- time -----------------------------------------------------------------------------------------------

    def _idle(self) -> None:
        idle = self.listener.http.idle_s
        if idle:
            self._idle_deadline = self.loop.time() + idle
            self._arm(self._idle_deadline)

    def _waiting_for_head(self) -> None:
        self._idle_deadline = 0.0
        # A client that stops in the middle of a head is not idle; the limit on silent streams covers it.
        limit = self.listener.http.headers_timeout_s or self.listener.http.stream_idle_s
        if limit and not self._head_deadline:
            self._head_deadline = self.loop.time() + limit
            self._arm(self._head_deadline)

    def arm(self, at: float) -> None:
        """Wake up no later than `at` (loop time)."""
        if self._timer is None or at < self._timer_at:
            self._arm(at)

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            if at >= self._timer_at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = self.loop.call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._state != _OPEN:
            return
        now = self.loop.time() + 0.0005
        if self.stream is not None:
            deadlines.look(self.stream, now)
        elif self._head_deadline and now >= self._head_deadline:
            self._head_deadline = 0.0
            self._head_late()
        elif self._idle_deadline and now >= self._idle_deadline and not self._buffer:
            self._idle_deadline = 0.0
            self.listener.http.stats.downstream_cx_idle_timeout += 1
            if self.requests == 0:
                self._state = _CLOSING
                self._close()
            else:
                self._start_draining(now)
        if self._state != _OPEN:
            return
        if self._expires and now >= self._expires:
            self._expires = 0.0
            self._start_draining(now)
        if self._drain_ends and now >= self._drain_ends and self.stream is None:
            self.close_later()
            return
        self._arm_next()

    def _arm_next(self) -> None:
        stream = self.stream
        times = [self._expires, self._drain_ends]
        if stream is None:
            times += [self._head_deadline, 0.0 if self._buffer else self._idle_deadline]
        else:
            times.append(deadlines.earliest(stream))
        pending = [at for at in times if at]
        if pending:
            self._arm(min(pending))

    def _start_draining(self, now: float) -> None:
        """Answers say `connection: close` from here on; the connection ends when the drain time is over."""
        if not self._drain_ends:
            self.draining = True
            self._drain_ends = now + self.listener.http.drain_s

    def _head_late(self) -> None:
        http = self.listener.http
        http.stats.downstream_rq_header_timeout += 1
        failure = local_reply.HEADERS_LATE
        _, fields, body = local_reply.reply_fields(failure, [], grpc=False)
        tail = local_reply.date_line() + http.server_line + b"connection: close\r\n"
        self.write(local_reply.serialise(failure.status, fields, body, minor=1, head_only=False, tail=tail))
        self.listener.count_refusal(self, failure)
        self.close_later()
