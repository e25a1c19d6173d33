"""How does one client put a request on a connection and know its answer?

The smallest client that can be trusted to tell failures apart: refused, reset, timeout, and an answer that is no HTTP.
"""

import asyncio
import socket
from dataclasses import dataclass
from typing import Any

import httptools

from mesh.runtime.net import source_socket

KEPT_BODY_BYTES = 4096
"""How much of an answer's body is kept: enough to say who answered."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete answer; `body` holds its first bytes only."""

    status: int
    body: bytes
    keep_alive: bool


class Failed(Exception):
    """No complete answer. cause: refused, reset, timeout, unreachable or garbled."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause, self.detail = cause, detail


class Connection(asyncio.Protocol):
    """One connection; one request at a time."""

    __slots__ = ("_body", "_framed", "_keep_alive", "_loop", "_method", "_parser", "_started", "_transport", "_waiter")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Answer] | None = None
        self._parser: Any = None
        self._body = bytearray()
        self._method = "GET"
        self._keep_alive = False
        self._started = False
        self._framed = False

    @classmethod
    async def open(cls, address: str, port: int, source: str | None, timeout_s: float) -> "Connection":
        """Connect, or raise Failed. source: the address to leave from."""
        loop = asyncio.get_running_loop()
        sock = source_socket(source)
        try:
            async with asyncio.timeout(timeout_s):
                await loop.sock_connect(sock, (address, port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _, protocol = await loop.create_connection(cls, sock=sock)
            return protocol
        except BaseException as error:
            sock.close()
            if isinstance(error, TimeoutError):
                raise Failed("timeout", f"no connection to {address}:{port} within {timeout_s:g} s") from None
            if isinstance(error, ConnectionRefusedError):
                raise Failed("refused", f"nobody listens on {address}:{port}") from None
            if isinstance(error, ConnectionResetError):
                raise Failed("reset", f"{address}:{port} closed the connection at once") from None
            if isinstance(error, OSError):
                raise Failed("unreachable", f"{address}:{port}: {error.strerror or error}") from None
            raise

    async def ask(self, request: bytes, method: str, timeout_s: float) -> Answer:
        """Send one request and wait for its whole answer. Raises Failed."""
        transport = self._transport
        if transport is None or transport.is_closing():
            raise Failed("reset", "the server had closed the connection before the request")
        self._waiter = waiter = self._loop.create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._body.clear()
        self._method, self._started, self._framed = method, False, False
        timer = self._loop.call_later(max(timeout_s, 0.001), self._fail, "timeout", "no answer in time")
        transport.write(request)
        try:
            answer: Answer = await waiter
            return answer
        finally:
            self._waiter = None
            timer.cancel()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _fail(self, cause: str, detail: str) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(Failed(cause, detail))

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():
            self.close()  # an answer nobody asked for
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail("garbled", f"the answer is no HTTP: {error}")

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        if self._started and not self._framed:
            self._complete(keep_alive=False)  # only the end of the connection ends such an answer
        when = "in the middle of the answer" if self._started else "before any answer"
        self._fail("reset", f"the connection ended {when}")

    # httptools callbacks

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._framed = True

    def on_headers_complete(self) -> None:
        if self._parser.get_status_code() >= 200:
            self._started = True
            self._keep_alive = self._parser.should_keep_alive()
            if self._method == "HEAD":
                self._complete(self._keep_alive)

    def on_body(self, body: bytes) -> None:
        room = KEPT_BODY_BYTES - len(self._body)
        if room > 0:
            self._body += body[:room]

    def on_message_complete(self) -> None:
        if self._started:
            self._complete(self._keep_alive)

    def _complete(self, keep_alive: bool) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(Answer(self._parser.get_status_code(), bytes(self._body), keep_alive))
