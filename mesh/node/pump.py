"""How do bytes get from one connection to another, no faster than the slower side takes them?"""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from mesh.runtime.net import source_socket

CONNECT_S = 5.0
HIGH_WATER = 256 * 1024


class Side(asyncio.Protocol):
    """One end of a pair. What it reads is written to its peer."""

    _transport: asyncio.Transport  # there from connection_made on

    def __init__(self) -> None:
        self.peer: Side | None = None
        self.open = False
        self.closed: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(HIGH_WATER)
        self.open = True

    def data_received(self, data: bytes) -> None:
        if self.peer is not None and self.peer.open:
            self.peer._transport.write(data)

    def eof_received(self) -> bool:
        if self.peer is not None and self.peer.open and self.peer._transport.can_write_eof():
            self.peer._transport.write_eof()
        return True

    def pause_writing(self) -> None:
        if self.peer is not None and self.peer.open:
            self.peer._transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer is not None and self.peer.open:
            self.peer._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if self.peer is not None and self.peer.open:
            if exc is None:
                self.peer._transport.close()
            else:
                self.peer._transport.abort()
        if self.closed is not None:
            self.closed()
        self.peer = None


class Front(Side):
    """The accepted end: asks where to go, and reads nothing until the way is open."""

    def __init__(self, choose: Callable[[str], tuple[str, int] | None], running: set["Front"]) -> None:
        super().__init__()
        self._choose, self._running = choose, running
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._running.add(self)
        client = self._transport.get_extra_info("peername")[0]
        target = self._choose(client)
        if target is None:
            self.abort()
            return
        self._transport.pause_reading()
        self._task = asyncio.get_running_loop().create_task(self._connect(client, target), name="kube-proxy/connect")

    async def _connect(self, client: str, target: tuple[str, int]) -> None:
        """Open the other end from the client's own address, so that the source stays true."""
        loop, back = asyncio.get_running_loop(), Side()
        sock: socket.socket | None = None
        try:
            sock = source_socket(client)
            async with asyncio.timeout(CONNECT_S):
                await loop.sock_connect(sock, target)
            await loop.create_connection(lambda: back, sock=sock)
        except (OSError, TimeoutError):
            if sock is not None:
                sock.close()
            self.abort()
            return
        if not self.open:
            back._transport.abort()
            return
        self.peer, back.peer = back, self
        self._transport.resume_reading()

    def abort(self) -> None:
        if self.open:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._running.discard(self)
