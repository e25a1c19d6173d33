"""How do bytes get from one connection to another, no faster than the slower side takes them?"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import cast

from mesh.runtime.net import source_socket

CONNECT_S = 5.0
HIGH_WATER = 256 * 1024
Target = tuple[str, int]


class Side(asyncio.Protocol):
    """One end of a pair. What it reads is written to its peer; an end of input is passed on by itself, so that one
    direction may outlive the other."""

    _transport: asyncio.Transport  # there from connection_made on

    def __init__(self) -> None:
        self.peer: Side | None = None
        self.open = False
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(HIGH_WATER)
        self.open = True

    def data_received(self, data: bytes) -> None:
        if self.peer is not None and self.peer.open:
            self.peer._transport.write(data)

    def eof_received(self) -> bool:
        self.ended = True
        peer = self.peer
        if peer is None:
            return True
        if peer.ended:
            # Both have said all: what is still buffered goes out, then both close.
            peer._transport.close()
            return False
        if peer.open and peer._transport.can_write_eof():
            peer._transport.write_eof()
        return True

    def pause_writing(self) -> None:
        if self.peer is not None and self.peer.open:
            self.peer._transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer is not None and self.peer.open:
            self.peer._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        peer, self.peer = self.peer, None
        if peer is not None and peer.open:
            if exc is None:
                peer._transport.close()
            else:
                peer.reset()

    def reset(self) -> None:
        """End the connection at once, so that the other end sees a reset rather than an orderly end."""
        if not self.open:
            return
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self._transport.abort()


class Back(Side):
    """The opened end; joined with its front before it reads its first byte."""

    def __init__(self, front: "Front") -> None:
        super().__init__()
        self._front = front

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._front.join(self)


class Front(Side):
    """The accepted end: asks where to go, and keeps what it reads until the way is open.

    choose(client address, targets that did not answer): where to, and from which address (None: the client's own);
    None when there is nowhere.
    """

    def __init__(
        self,
        choose: Callable[[str, frozenset[Target]], tuple[Target, str | None] | None],
        running: set["Front"],
    ) -> None:
        super().__init__()
        self._choose, self._running = choose, running
        self._early = bytearray()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._running.add(self)
        client = self._transport.get_extra_info("peername")[0]
        self._task = asyncio.get_running_loop().create_task(self._open(client), name="kube-proxy/connect")

    def data_received(self, data: bytes) -> None:
        if self.peer is not None:
            super().data_received(data)
            return
        # Pausing in connection_made has no effect on every event loop: keep what comes before the way is open.
        self._early += data
        self._transport.pause_reading()

    async def _open(self, client: str) -> None:
        """Find an endpoint that takes the connection; one that refuses is not asked again."""
        tried: frozenset[Target] = frozenset()
        while self.open and (way := self._choose(client, tried)) is not None:
            target, source = way
            if await self._connect(source or client, target):
                return
            tried |= {target}
        self.reset()

    async def _connect(self, source: str, target: Target) -> bool:
        """Open the other end from that address; False when it refuses."""
        loop = asyncio.get_running_loop()
        try:
            sock = source_socket(source)
        except OSError:
            return False
        try:
            async with asyncio.timeout(CONNECT_S):
                await loop.sock_connect(sock, target)
            await loop.create_connection(lambda: Back(self), sock=sock)
        except (OSError, TimeoutError):
            sock.close()
            return False
        except BaseException:
            sock.close()
            raise
        return True

    def join(self, back: Back) -> None:
        """The way is open."""
        if not self.open:
            back.reset()
            return
        self.peer, back.peer = back, self
        if self._early:
            back._transport.write(bytes(self._early))
            self._early = bytearray()
            self._transport.resume_reading()
        if self.ended:
            back._transport.write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._running.discard(self)
        if self._task is not None:
            self._task.cancel()
