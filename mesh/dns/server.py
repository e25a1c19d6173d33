"""How do questions arrive?

Over UDP and over TCP at one loopback address. Each packet asks `message` with the latest view; nothing is kept
between two questions but a counter that rotates answers.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import cast

from mesh.dns.message import respond
from mesh.dns.view import View
from mesh.runtime.net import BindError, bind_reason, is_loopback, listening_socket

log = logging.getLogger("mesh.dns")

TCP_IDLE_S = 10.0
"""A TCP connection that asks nothing for so long is closed. Source: RFC 7766 leaves it to us; common practice."""
MAX_TCP_CONNECTIONS = 256
"""More than these are closed at once, so that forgotten connections cannot fill the process."""
PORT_TRIES = 16
"""With port 0, how often to look for one that is free for UDP and TCP alike."""


class DnsServer:
    """Answers from `view()`, which is asked anew for every packet and should be cheap."""

    def __init__(self, view: Callable[[], View], address: str = "127.0.0.1", port: int = 1053) -> None:
        self.view = view
        self.address = address
        self.port = port
        """With 0 a free one, known after `start`."""
        self.connections: set[asyncio.Transport] = set()
        self._turn = 0
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None

    async def start(self) -> None:
        """Bind both sockets. Raises BindError; nothing stays bound then."""
        loop = asyncio.get_running_loop()
        tcp, udp = _sockets(self.address, self.port)
        self.port = tcp.getsockname()[1]
        self._tcp = await loop.create_server(lambda: _Stream(self), sock=tcp)
        self._udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=udp)

    async def close(self) -> None:
        """Stop answering. Safe to call twice."""
        if self._udp is not None:
            self._udp.close()
            self._udp = None
        if self._tcp is not None:
            self._tcp.close()
            for connection in list(self.connections):
                connection.abort()
            await self._tcp.wait_closed()
            self._tcp = None

    def answer(self, wire: bytes, *, udp: bool) -> bytes | None:
        self._turn += 1
        return respond(wire, self.view(), udp=udp, turn=self._turn)


def _sockets(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """A TCP and a UDP socket on the same port."""
    for _ in range(PORT_TRIES):
        tcp = listening_socket(address, port)
        chosen = tcp.getsockname()[1]
        try:
            return tcp, _datagram_socket(address, chosen)
        except BindError:
            tcp.close()
            if port:
                raise
    raise BindError(address, port, "no port is free for UDP and TCP alike")


def _datagram_socket(address: str, port: int) -> socket.socket:
    if not is_loopback(address):
        raise BindError(address, port, "only loopback addresses (127.0.0.0/8) are served")
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.bind((address, port))
    except OSError as error:
        sock.close()
        raise BindError(address, port, bind_reason(error, address)) from error
    return sock


class _Datagrams(asyncio.DatagramProtocol):
    _transport: asyncio.DatagramTransport  # there from connection_made on

    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        answer = self._server.answer(data, udp=True)
        if answer is not None:
            self._transport.sendto(answer, addr)

    def error_received(self, exc: Exception) -> None:
        log.debug("udp error error=%r", exc)  # a client that went away before its answer; nothing to mend


class _Stream(asyncio.Protocol):
    """One TCP connection: messages with two bytes of length in front, answered in order."""

    _transport: asyncio.Transport  # there from connection_made on

    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._buffer = bytearray()
        self._idle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self._transport)
        if len(self._server.connections) > MAX_TCP_CONNECTIONS:
            self._transport.abort()
            return
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._server.connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 2:
            size = int.from_bytes(self._buffer[:2])
            if len(self._buffer) < 2 + size:
                return
            message = bytes(self._buffer[2 : 2 + size])
            del self._buffer[: 2 + size]
            answer = self._server.answer(message, udp=False)
            if answer is None:
                self._transport.close()  # over TCP there is no telling where the next message would begin
                return
            self._transport.write(len(answer).to_bytes(2) + answer)
            self._wait()

    def _wait(self) -> None:
        """Begin the idle time anew; only whole messages count as life."""
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(TCP_IDLE_S, self._transport.abort)

    def pause_writing(self) -> None:
        self._transport.pause_reading()  # who does not read answers asks no more

    def resume_writing(self) -> None:
        self._transport.resume_reading()
