"""What do the endpoints of a recorded case do, and what do they see?

An origin acts by a list of actions, one per request that reaches it (the last one repeats), and keeps every byte of
every connection for the comparison.
"""

import asyncio
import re
import socket
import struct
from typing import Any, cast

_PLAIN = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.I)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked", re.I)


class Origin:
    """One endpoint."""

    def __init__(self, name: str, where: tuple[str, int], script: list[dict[str, Any]]) -> None:
        self.name, self.where, self.script = name, where, script
        self.requests = 0
        self.connections: list[OriginConnection] = []
        self.server: asyncio.Server | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: OriginConnection(self), *self.where)

    def next_action(self) -> dict[str, Any]:
        return self.script[min(self.requests, len(self.script) - 1)] if self.script else {}

    def stop(self) -> None:
        if self.server is not None:
            self.server.close()
        for connection in self.connections:
            connection.stop()


class OriginConnection(asyncio.Protocol):
    """One connection that the proxy opened."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.seen = b""
        self._read = 0
        self._acting: asyncio.Task[None] | None = None
        self._raw = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.origin.connections.append(self)

    def data_received(self, data: bytes) -> None:
        self.seen += data
        self._go_on()

    def stop(self) -> None:
        if self._acting is not None:
            self._acting.cancel()
        self.transport.abort()

    def _go_on(self) -> None:
        if self._raw or (self._acting is not None and not self._acting.done()):
            return
        start = self._read
        head_end = self.seen.find(b"\r\n\r\n", start)
        if head_end < 0:
            return
        action = self.origin.next_action()
        end = _message_end(self.seen, start, head_end + 4)
        if end is None and action.get("when") != "head":
            return
        self._read = len(self.seen) if end is None else end
        self.origin.requests += 1
        self._acting = asyncio.get_running_loop().create_task(self._act(action))
        self._acting.add_done_callback(lambda task: None if task.cancelled() else self._go_on())

    async def _act(self, action: dict[str, Any]) -> None:
        await asyncio.sleep(action.get("delay", 0))
        if action.get("hang"):
            await asyncio.Event().wait()
        if action.get("reset"):
            self._reset()
            return
        if action.get("close_silently"):
            self.transport.close()
            return
        for part in action.get("parts") or [action.get("respond", _PLAIN)]:
            if isinstance(part, str):
                self.transport.write(part.encode("latin-1"))
            else:
                await asyncio.sleep(part)
        match action.get("then"):
            case "close":
                self.transport.close()
            case "reset":
                await asyncio.sleep(0.05)
                self._reset()
            case "tunnel":
                self._raw = True
            case "wait_body":
                await asyncio.sleep(0.3)

    def _reset(self) -> None:
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def _message_end(data: bytes, start: int, body: int) -> int | None:
    """Index behind the request that starts at `start`; None while its body is incomplete."""
    head = data[start:body]
    if _CHUNKED.search(head):
        at = body
        while (line_end := data.find(b"\r\n", at)) >= 0:
            size = int(data[at:line_end].split(b";")[0], 16)
            if size == 0:
                end = data.find(b"\r\n\r\n", line_end)
                return end + 4 if end >= 0 else None
            at = line_end + 2 + size + 2
        return None
    found = _LENGTH.search(head)
    end = body + (int(found[1]) if found else 0)
    return end if end <= len(data) else None


class BlackHole:
    """An address whose connections are never completed: its queue of waiting connections is full."""

    def __init__(self, where: tuple[str, int]) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(0)
        self._sockets = [listener]
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(where)
            self._sockets.append(filler)

    def stop(self) -> None:
        for each in self._sockets:
            each.close()
