"""Connections into a pod: paired streams, many at once, over SPDY and over WebSocket's numbered channels."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from mesh.node.kubelet.forward import SpdyForward, port_number
from mesh.node.kubelet.spdy import Data, Frame, Reader, Reset, Writer
from mesh.runtime.tasks import Tasks


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    """An application that answers each connection with what it heard, in capitals, once it has heard all."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read()).upper())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


class Peer:
    def __init__(self) -> None:
        self.writer, self.reader, self.tasks = Writer(), Reader(), Tasks("test")
        self.to_server: asyncio.Queue[bytes] = asyncio.Queue()
        self.heard: list[Frame] = []
        forward = SpdyForward(self.to_server.get, self._hear, lambda port: "127.0.0.1", self.tasks)
        self.running = asyncio.ensure_future(forward.run())

    async def _hear(self, data: bytes) -> None:
        self.heard += self.reader.feed(data)

    def open(self, stream: int, kind: str, port: object, request: object) -> None:
        headers = {"streamtype": kind, "port": str(port), "requestid": str(request)}
        self.to_server.put_nowait(self.writer.open(stream, headers))

    def said(self, stream: int) -> bytes:
        return b"".join(frame.data for frame in self.heard if isinstance(frame, Data) and frame.stream == stream)

    async def until_ended(self, *streams: int) -> None:
        async with asyncio.timeout(5):
            while not set(streams) <= {frame.stream for frame in self.heard if isinstance(frame, Data) and frame.fin}:
                await asyncio.sleep(0.01)

    async def leave(self) -> None:
        self.to_server.put_nowait(b"")
        await asyncio.wait_for(self.running, 5)
        await self.tasks.close()


async def test_streams_are_paired_by_request_in_any_order(port: int) -> None:
    peer = Peer()
    for stream, kind, request in ((1, "error", 0), (3, "error", 1), (5, "data", 1), (7, "data", 0)):
        peer.open(stream, kind, port, request)
    peer.to_server.put_nowait(peer.writer.data(7, b"first", fin=True) + peer.writer.data(5, b"second", fin=True))
    await peer.until_ended(1, 3, 5, 7)
    assert [peer.said(stream) for stream in (1, 3, 5, 7)] == [b"", b"", b"SECOND", b"FIRST"]
    await peer.leave()


@pytest.mark.parametrize(
    ("kind", "port"),
    [("data", 0), ("data", 70000), ("data", "x"), ("gopher", 80)],
    ids=["zero", "high", "word", "kind"],
)
async def test_what_is_no_connection_is_refused(kind: str, port: object) -> None:
    peer = Peer()
    peer.open(1, kind, port, 0)
    peer.open(3, "error", 80, 0)
    peer.open(5, "error", 80, 0)
    await peer.leave()
    assert [frame for frame in peer.heard if isinstance(frame, Reset)] == [Reset(1), Reset(5)]


@pytest.mark.parametrize(
    ("text", "number"), [("80", 80), ("65535", 65535), ("65536", None), ("0", None), ("", None), ("-1", None), ("\u0661", None)]
)  # fmt: skip
def test_port_numbers(text: str, number: int | None) -> None:
    assert port_number(text) == number
