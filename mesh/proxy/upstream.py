"""What does a connection to an endpoint carry at this moment?

One `UpstreamConnection` is one TCP connection that serves one exchange after another. It reads answers, tells the
exchange, and goes back to its endpoint's pool when both sides of the exchange are complete.
"""

import asyncio
from typing import TYPE_CHECKING, cast

from mesh.proxy.exchange import PROTOCOL, TERMINATED, Exchange
from mesh.proxy.http1 import response
from mesh.proxy.http1.chunked import ChunkedDecoder
from mesh.proxy.http1.errors import ProtocolError
from mesh.proxy.http1.response import CHUNKED, UNTIL_CLOSE, ResponseHead
from mesh.proxy.sender import BATCH

if TYPE_CHECKING:
    from mesh.proxy.host import Host

_HIGH_WATER = 256 * 1024

_HEAD, _LENGTH, _CHUNKS, _CLOSE, _TUNNEL = range(5)


class UpstreamConnection(asyncio.Protocol):
    """One connection of the pool of one endpoint."""

    __slots__ = (
        "_buffer",
        "_decoder",
        "_head",
        "_left",
        "_paused",
        "_state",
        "_unsent",
        "closed",
        "exchange",
        "host",
        "idle_since",
        "requests",
        "transport",
    )

    def __init__(self, host: "Host") -> None:
        self.host = host
        self.exchange: Exchange | None = None
        self.requests = 0
        self.idle_since = 0.0
        self.closed = False
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._state = _HEAD
        self._unsent = b""
        self._buffer = b""
        self._left = 0
        self._paused = False
        self._head: ResponseHead | None = None
        self._decoder: ChunkedDecoder | None = None

    # --- towards the endpoint -------------------------------------------------------------------------------

    def begin(self, exchange: Exchange, data: bytes) -> None:
        """Send the head (and whatever body goes with it) of a new request."""
        self.exchange = exchange
        self.requests += 1
        self._unsent = data
        self.host.cluster.sender.send_soon(self)

    def write(self, data: bytes) -> None:
        """More bytes of the same request."""
        if self._unsent:
            self._unsent += data
            if len(self._unsent) > BATCH:
                self.flush()
        else:
            self.transport.write(data)

    def flush(self) -> None:
        """Send what `begin` left for the end of the loop's round."""
        data, self._unsent = self._unsent, b""
        if data and not self.closed:
            self.transport.write(data)

    def pause(self) -> None:
        """The client is slower than the endpoint."""
        if not self._paused and not self.closed:
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        if self._paused and not self.closed:
            self._paused = False
            self.transport.resume_reading()

    def abandon(self) -> None:
        """The exchange is over before its end: the connection can not be used again."""
        self.exchange = None
        self.close()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.host.forget(self, local=True)
            self.transport.close()

    # --- asyncio.Protocol -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=_HIGH_WATER)

    def pause_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.on_upstream_writable(False)

    def resume_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.on_upstream_writable(True)

    def eof_received(self) -> None:
        """The endpoint closes: nobody may be given this connection any more, from this moment on."""
        if self.exchange is None and not self.closed:
            self.closed = True
            self.host.forget(self, local=False)

    def connection_lost(self, exc: Exception | None) -> None:
        exchange, self.exchange = self.exchange, None
        if not self.closed:
            self.closed = True
            self.host.forget(self, local=False)
        if exchange is None:
            return
        if self._state == _CLOSE and exc is None:
            exchange.on_body(b"", True, [])
        elif self._state == _HEAD and not self._buffer:
            exchange.on_reset(TERMINATED, "")
        elif self._state == _TUNNEL:
            exchange.on_body(b"", True, [])
        else:
            self.host.cluster.stats.upstream_cx_protocol_error += 1
            exchange.on_reset(PROTOCOL, "")

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:
            self.close()
            return
        state = self._state
        try:
            if state == _HEAD:
                self._read_head(exchange, data)
            elif state == _LENGTH:
                self._read_length(exchange, data)
            elif state == _CHUNKS:
                self._read_chunks(exchange, data)
            else:
                exchange.on_body(data, False, [])
        except ProtocolError:
            self.exchange = None
            self.host.cluster.stats.upstream_cx_protocol_error += 1
            self.close()
            exchange.on_reset(PROTOCOL, "")

    # --- reading --------------------------------------------------------------------------------------------

    def _read_head(self, exchange: Exchange, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        end = response.find_end(data)
        if end < 0:
            self._buffer = data
            return
        if end == len(data):
            head, rest = response.parse(data, self.host.cluster.max_response_fields), b""
        else:
            head, rest = response.parse(data[:end], self.host.cluster.max_response_fields), data[end:]
        status = head.status
        if status < 200 and status != 101:
            exchange.on_informational(head)
            if rest and self.exchange is exchange:
                self._read_head(exchange, rest)
            return
        if self.host.cluster.keep_case and head.case is None:
            head.case = response.spelling(data[:end])
        length = head.length
        if status in (204, 304) or status == 101 or exchange.method == b"HEAD":
            if status == 101 and exchange.upgrade:
                self._state = _TUNNEL
                exchange.on_response(head, rest, False)
                return
            length = 0
        self._answer(exchange, head, length, rest)

    def _answer(self, exchange: Exchange, head: ResponseHead, length: int, rest: bytes) -> None:
        if exchange.discards(head, length == 0):
            self.exchange = None
            if length == 0 and not rest:
                self._give_back(exchange, head)
            else:
                self.close()
            return
        if length >= 0:
            have = len(rest)
            if have >= length:
                self.exchange = None
                if have > length:
                    self.close()
                    rest = rest[:length]
                else:
                    self._give_back(exchange, head)
                exchange.on_response(head, rest, True)
                return
            self._state, self._left, self._head = _LENGTH, length - have, head
            exchange.on_response(head, rest, False)
        elif length == CHUNKED:
            self._state, self._head, self._decoder = _CHUNKS, head, ChunkedDecoder()
            body = self._decoder.feed(rest) if rest else b""
            if self._decoder.done:
                trailers = self._decoder.trailers
                self._finish(exchange)
                exchange.on_response(head, body, not trailers)
                if trailers:
                    exchange.on_body(b"", True, trailers)
            else:
                exchange.on_response(head, body, False)
        else:
            assert length == UNTIL_CLOSE
            self._state, self._head = _CLOSE, head
            exchange.on_response(head, rest, False)

    def _read_length(self, exchange: Exchange, data: bytes) -> None:
        left = self._left - len(data)
        if left > 0:
            self._left = left
            exchange.on_body(data, False, [])
            return
        head = self._head
        assert head is not None
        self._state, self._head, self.exchange = _HEAD, None, None
        if left < 0:
            self.close()
            data = data[:left]
        else:
            self._give_back(exchange, head)
        exchange.on_body(data, True, [])

    def _read_chunks(self, exchange: Exchange, data: bytes) -> None:
        decoder = self._decoder
        assert decoder is not None
        body = decoder.feed(data)
        if not decoder.done:
            if body:
                exchange.on_body(body, False, [])
            return
        self._finish(exchange)
        exchange.on_body(body, True, decoder.trailers)

    def _finish(self, exchange: Exchange) -> None:
        """A chunked answer is complete."""
        head, decoder = self._head, self._decoder
        assert head is not None
        assert decoder is not None
        self._state, self._head, self._decoder, self.exchange = _HEAD, None, None, None
        if decoder.rest:
            self.close()
        else:
            self._give_back(exchange, head)

    def _give_back(self, exchange: Exchange, head: ResponseHead) -> None:
        """Both directions are done: another request may use the connection, if the endpoint agrees."""
        if self._paused:
            self.resume()
        if head.reusable and exchange.sent_all and head.status != 101:
            self.host.give_back(self)
        else:
            self.close()
