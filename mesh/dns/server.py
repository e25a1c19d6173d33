"""How do questions arrive?

Over UDP and over TCP at one loopback address. Each packet asks `message` with the latest view; names of others go to
`forward`, where the user named a server for them.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import cast

from mesh.dns.forward import Forwarder
from mesh.dns.message import Answers, Reply
from mesh.dns.stream import Send, Stream, Streams
from mesh.dns.upstream import DNS_PORT
from mesh.dns.view import View
from mesh.runtime.net import BindError, bind_reason, is_loopback, listening_socket
from mesh.runtime.tasks import Tasks

log = logging.getLogger("mesh.dns")

PORT_TRIES = 16
"""With port 0, how often to look for one that is free for UDP and TCP alike."""
RECEIVE_BYTES = 4 << 20
"""Room for questions that arrive while the process does other work; the system grants what it allows."""


class DnsServer:
    """Answers from `view()`, which is asked anew for every packet and should be cheap."""

    def __init__(
        self,
        view: Callable[[], View],
        address: str = "127.0.0.1",
        port: int = 1053,
        forward: Forwarder | None = None,
        *,
        well_known: bool = False,
    ) -> None:
        """well_known: answer over UDP at port 53 too, where the system lets us; a `resolv.conf` can name no other."""
        self.address = address
        self.port = port
        """With 0 a free one, known after `start`."""
        self.streams = Streams(self._over_tcp)
        self._answers = Answers(view, recursion=forward is not None)
        self._forward = forward
        self._tasks = Tasks("dns")
        self._well_known = well_known and port != DNS_PORT
        self._udp: list[asyncio.DatagramTransport] = []
        self._tcp: asyncio.Server | None = None

    @property
    def view(self) -> Callable[[], View]:
        return self._answers.view

    @view.setter
    def view(self, view: Callable[[], View]) -> None:
        self._answers.view = view

    async def start(self) -> None:
        """Bind both sockets. Raises BindError; nothing stays bound then."""
        loop = asyncio.get_running_loop()
        tcp, udp = _sockets(self.address, self.port)
        self.port = tcp.getsockname()[1]
        self._tcp = await loop.create_server(lambda: Stream(self.streams), sock=tcp)
        for sock in (udp, self._at_well_known()):
            if sock is not None:
                transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=sock)
                self._udp.append(transport)

    def _at_well_known(self) -> socket.socket | None:
        try:
            return _datagram_socket(self.address, DNS_PORT) if self._well_known else None
        except BindError as error:
            log.info("only at port=%d reason=%s", self.port, error)
            return None

    async def close(self) -> None:
        """Stop answering. Safe to call twice."""
        for transport in self._udp:
            transport.close()
        self._udp.clear()
        if self._tcp is not None:
            self._tcp.close()
            self.streams.close()
            await self._tcp.wait_closed()
            self._tcp = None
        await self._tasks.close()

    def over_udp(self, wire: bytes, send: Send) -> None:
        """Answer a packet, now or later, or not at all."""
        reply = self._answers.find(wire, udp=True)
        if reply is not None:
            self._send(wire, reply, send, udp=True)

    def _over_tcp(self, wire: bytes, send: Send) -> bool:
        reply = self._answers.find(wire, udp=False)
        if reply is not None:
            self._send(wire, reply, send, udp=False)
        return reply is not None

    def _send(self, wire: bytes, reply: Reply, send: Send, *, udp: bool) -> None:
        ours = reply.wire(wire[:2], self._answers.view().serial)
        if self._forward is None or not reply.outside:
            send(ours)
        else:
            self._tasks.start(self._elsewhere(self._forward, wire, reply, ours, send, udp=udp), "forward")

    async def _elsewhere(
        self, forward: Forwarder, wire: bytes, reply: Reply, ours: bytes, send: Send, *, udp: bool
    ) -> None:
        outside = reply.answer.outside if reply.answer is not None else ()
        if reply.question is not None:
            send(await forward.answer(wire, reply.question, ours, outside, udp=udp))


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
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
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
        self._server.over_udp(data, lambda answer: self._transport.sendto(answer, addr))

    def error_received(self, exc: Exception) -> None:
        log.debug("udp error error=%r", exc)  # a client that went away before its answer; nothing to mend
