"""Over which channels do a command and its user talk? The same five, whether SPDY or WebSocket carries them."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import WSMsgType, web

from mesh.api.errors import BadRequest
from mesh.node.kubelet.inbox import Inbox
from mesh.node.kubelet.spdy_session import Receive, Send, SpdySession, Stream

OPEN_S = 30.0
STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
_STDIN_CLOSED = b"\xff\x00"
_LARGEST_SIDE = 1000
_TRUE = ("true", "1")

Resized = Callable[[int, int], None]
"""(columns, lines) of the user's terminal."""


class NotOpened(Exception):
    """The client did not open the channels that it asked for."""


@dataclass(frozen=True, slots=True)
class Wants:
    """Which of them a client asks for."""

    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Wants":
        """From the query of an exec or attach. Raises BadRequest."""
        stdin, stdout, stderr, tty = (query.get(name) in _TRUE for name in ("stdin", "stdout", "stderr", "tty"))
        if not (stdin or stdout or stderr):
            raise BadRequest("you must specify at least 1 of stdin, stdout, stderr")
        return cls(stdin, stdout, stderr and not tty, tty)

    @property
    def names(self) -> set[str]:
        """The streams that a SPDY client opens."""
        asked = {"error": True, "stdin": self.stdin, "stdout": self.stdout, "stderr": self.stderr, "resize": self.tty}
        return {name for name, wanted in asked.items() if wanted}


class Terminal:
    """The size of the user's terminal: known before, or changed while, somebody listens."""

    def __init__(self) -> None:
        self._size: tuple[int, int] | None = None
        self._told: Resized | None = None

    def listen(self, told: Resized | None) -> None:
        self._told = told
        if told is not None and self._size is not None:
            told(*self._size)

    def take(self, message: bytes) -> None:
        """A message from the client; what is no size is ignored."""
        size = read_size(message)
        if size is not None:
            self._size = size
            if self._told is not None:
                self._told(*size)


def read_size(message: bytes) -> tuple[int, int] | None:
    """Columns and lines of a resize message; None when it is none."""
    try:
        found = json.loads(message)
        columns, lines = int(found["Width"]), int(found["Height"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return (columns, lines) if 0 < columns <= _LARGEST_SIDE and 0 < lines <= _LARGEST_SIDE else None


class Channels(Protocol):
    """stdin: what the user types."""

    stdin: Inbox
    terminal: Terminal

    async def run(self) -> None:
        """Carry what comes in, until the client leaves."""
        ...

    async def opened(self) -> None:
        """Wait until everything asked for is there. Raises NotOpened."""
        ...

    async def write(self, name: str, data: bytes) -> None:
        """Bytes on stdout or stderr."""
        ...

    async def finish(self, status: Mapping[str, Any]) -> None:
        """Say how it ended: the last words."""
        ...


class SpdyChannels:
    """The channels are the streams of a SPDY connection, told apart by their header `streamtype`."""

    def __init__(self, receive: Receive, send: Send, wants: Wants) -> None:
        self.stdin, self.terminal = Inbox(), Terminal()
        self._expected = wants.names
        self._streams: dict[str, Stream] = {}
        self._complete = asyncio.Event()
        self._session = SpdySession(receive, send, self._accept)

    def _accept(self, stream: Stream) -> bool:
        name = stream.headers.get("streamtype", "").lower()
        if name not in self._expected or name in self._streams:
            return False
        self._streams[name] = stream
        if name == "stdin":
            self.stdin = stream.inbox
        elif name == "resize":
            stream.inbox.take = self._resize
        else:
            stream.inbox.discard()
        if self._expected == set(self._streams):
            self._complete.set()
        return True

    def _resize(self, data: bytes) -> None:
        for message in data.splitlines():
            self.terminal.take(message)

    async def run(self) -> None:
        await self._session.run()

    async def opened(self) -> None:
        try:
            async with asyncio.timeout(OPEN_S):
                await self._complete.wait()
        except TimeoutError:
            raise NotOpened from None

    async def write(self, name: str, data: bytes) -> None:
        if name in self._streams:
            await self._streams[name].write(data)

    async def finish(self, status: Mapping[str, Any]) -> None:
        await self._streams["error"].finish(json.dumps(status).encode())
        for name in ("stdout", "stderr"):
            if name in self._streams:
                await self._streams[name].finish()


class WebSocketChannels:
    """The channels are the first byte of each message."""

    def __init__(self, socket: web.WebSocketResponse, wants: Wants) -> None:
        self.stdin, self.terminal = Inbox(), Terminal()
        self._socket, self._wants = socket, wants

    async def run(self) -> None:
        async for message in self._socket:
            if message.type is WSMsgType.TEXT:
                await self._take(message.data.encode())
            elif message.type is WSMsgType.BINARY:
                await self._take(message.data)
        self.stdin.end()

    async def _take(self, data: bytes) -> None:
        if data[:2] == _STDIN_CLOSED:
            self.stdin.end()
        elif data[:1] == bytes([STDIN]) and self._wants.stdin:
            await self.stdin.put(data[1:])
        elif data[:1] == bytes([RESIZE]):
            self.terminal.take(data[1:])

    async def opened(self) -> None:
        """All are there from the start."""

    async def write(self, name: str, data: bytes) -> None:
        await self._send(STDERR if name == "stderr" else STDOUT, data)

    async def finish(self, status: Mapping[str, Any]) -> None:
        await self._send(ERROR, json.dumps(status).encode())
        await self._socket.close()

    async def _send(self, channel: int, data: bytes) -> None:
        if not self._socket.closed:
            await self._socket.send_bytes(bytes([channel]) + data)
