"""How does a user's connection reach a port of a pod? Each one is a pair of streams: its bytes, and what went wrong."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol

from aiohttp import WSMsgType, web

from mesh.node.kubelet.inbox import Inbox
from mesh.node.kubelet.spdy_session import Receive, Send, SpdySession, Stream
from mesh.runtime.tasks import Tasks

CONNECT_S = 5.0
MAX_PORTS = 64
_CHUNK_BYTES = 1 << 15
_HIGHEST_PORT = 65535

AddressOf = Callable[[int], str]
"""Where the application, or its sidecar, listens on a port."""


class Pipe(Protocol):
    """One direction to the user, and what comes from there."""

    inbox: Inbox

    async def write(self, data: bytes) -> None: ...

    async def finish(self, data: bytes = b"") -> None: ...


async def carry(data: Pipe, error: Pipe, port: int, address_of: AddressOf) -> None:
    """Connect to the port and pump both ways until the pod has said everything; trouble goes to the error stream."""
    try:
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(address_of(port), port)
    except (OSError, TimeoutError) as failed:
        data.inbox.discard()
        why = getattr(failed, "strerror", None) or str(failed) or "no answer"
        await error.finish(f"cannot connect to port {port} of the pod: {why}".encode())
        await data.finish()
        return
    sending = asyncio.ensure_future(_to_pod(data, writer))
    try:
        await _to_user(reader, data)
        await error.finish()
    finally:
        sending.cancel()
        data.inbox.discard()
        writer.transport.abort()


async def _to_pod(data: Pipe, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await data.inbox.get():
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()
    except OSError:
        data.inbox.discard()


async def _to_user(reader: asyncio.StreamReader, data: Pipe) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK_BYTES):
            await data.write(chunk)
    await data.finish()


class SpdyForward:
    """Connections of one kubectl: streams are paired by the header `requestid`, whatever order they come in."""

    def __init__(self, receive: Receive, send: Send, address_of: AddressOf, tasks: Tasks) -> None:
        self._address_of, self._tasks = address_of, tasks
        self._waiting: dict[tuple[str, str], Stream] = {}
        self._session = SpdySession(receive, send, self._accept)

    async def run(self) -> None:
        await self._session.run()

    def _accept(self, stream: Stream) -> bool:
        kind, request = stream.headers.get("streamtype"), stream.headers.get("requestid", "")
        port = port_number(stream.headers.get("port", ""))
        other = {"data": "error", "error": "data"}.get(kind or "")
        if kind is None or other is None or port is None:
            return False
        self._waiting = {key: held for key, held in self._waiting.items() if not held.finished}
        pair = self._waiting.pop((request, other), None)
        if pair is None:
            if (request, kind) in self._waiting:
                return False
            self._waiting[(request, kind)] = stream
            return True
        data, error = (stream, pair) if kind == "data" else (pair, stream)
        self._tasks.start(carry(data, error, port, self._address_of), f"forward-{port}")
        return True


class _Channel:
    """One numbered channel of a WebSocket, as the Python client uses them."""

    def __init__(self, number: int, socket: web.WebSocketResponse) -> None:
        self._number, self._socket, self.inbox = number, socket, Inbox()

    async def write(self, data: bytes) -> None:
        if not self._socket.closed:
            await self._socket.send_bytes(bytes([self._number]) + data)

    async def finish(self, data: bytes = b"") -> None:
        if data:
            await self.write(data)


class WebSocketForward:
    """Ports of a WebSocket: channel 2k carries the bytes of the k-th port, 2k+1 what went wrong with it.

    The protocol has no end of one port's bytes, so the socket is closed when every connection is over.
    """

    def __init__(self, socket: web.WebSocketResponse, ports: list[int], address_of: AddressOf, tasks: Tasks) -> None:
        self._socket, self._ports, self._address_of, self._tasks = socket, ports, address_of, tasks
        self._channels = [_Channel(number, socket) for number in range(2 * len(ports))]

    async def run(self) -> None:
        """Each channel begins with the number of its port; then bytes, until the client leaves."""
        for position, port in enumerate(self._ports):
            for channel in self._channels[2 * position : 2 * position + 2]:
                await channel.write(port.to_bytes(2, "little"))
        self._tasks.start(self._carry_all(), "forward")
        async for message in self._socket:
            if message.type is not WSMsgType.BINARY or not message.data:
                continue
            number = message.data[0]
            if number >= len(self._channels):
                await self._socket.close(code=1002, message=b"no such channel")
                return
            await self._channels[number].inbox.put(message.data[1:])
        for channel in self._channels:
            channel.inbox.end()

    async def _carry_all(self) -> None:
        pairs = zip(self._channels[::2], self._channels[1::2], self._ports, strict=True)
        await asyncio.gather(*(carry(data, error, port, self._address_of) for data, error, port in pairs))
        await self._socket.close()


def port_number(text: str) -> int | None:
    """A port from a header or a query; None for what is none."""
    if not (text.isascii() and text.isdigit()) or len(text) > 5:
        return None
    return int(text) if 0 < int(text) <= _HIGHEST_PORT else None
