"""Streams of a connection: opened, refused, written to, ended, and what breaks the rules."""

import asyncio

import pytest

from mesh.node.kubelet import spdy_session
from mesh.node.kubelet.spdy import Data, Frame, GoAway, Ping, Reader, Reset, Writer
from mesh.node.kubelet.spdy_session import SpdySession, Stream


class Peer:
    """The client's side; accepts every stream unless told otherwise."""

    def __init__(self) -> None:
        self.writer, self.reader = Writer(), Reader()
        self.to_server: asyncio.Queue[bytes] = asyncio.Queue()
        self.heard: list[Frame] = []
        self.streams: list[Stream] = []
        self.refuses = False
        self.session = SpdySession(self.to_server.get, self._hear, self._accept)
        self.running = asyncio.ensure_future(self.session.run())

    async def _hear(self, data: bytes) -> None:
        self.heard += self.reader.feed(data)

    def _accept(self, stream: Stream) -> bool:
        if not self.refuses:
            self.streams.append(stream)
        return not self.refuses

    async def say(self, *frames: bytes) -> None:
        for frame in frames:
            self.to_server.put_nowait(frame)
        while not self.to_server.empty() and not self.running.done():
            await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def leave(self) -> None:
        self.to_server.put_nowait(b"")
        await asyncio.wait_for(self.running, 5)


async def test_a_stream_carries_bytes_both_ways() -> None:
    peer = Peer()
    await peer.say(peer.writer.open(1, {"a": "b"}), Writer.data(1, b"in", fin=True))
    stream = peer.streams[0]
    assert (stream.headers, await stream.inbox.get(), await stream.inbox.get()) == ({"a": "b"}, b"in", b"")
    await stream.write(b"x" * (spdy_session.CHUNK_BYTES + 1))
    await stream.finish(b"end")
    await stream.finish(b"twice")
    await stream.write(b"too late")
    assert [(len(frame.data), frame.fin) for frame in peer.heard if isinstance(frame, Data)] == [
        (spdy_session.CHUNK_BYTES, False), (1, False), (3, True),
    ]  # fmt: skip
    await peer.leave()


async def test_pings_come_back_and_streams_end_with_the_connection() -> None:
    peer = Peer()
    await peer.say(peer.writer.open(1, {}), Writer.ping(b"\0\0\0\5"))
    assert peer.heard == [Ping(b"\0\0\0\5")]
    await peer.leave()
    assert await peer.streams[0].inbox.get() == b""


async def test_a_refused_stream_is_reset_and_the_others_live_on() -> None:
    peer = Peer()
    peer.refuses = True
    await peer.say(peer.writer.open(1, {}))
    assert peer.heard == [Reset(1)]
    peer.refuses = False
    await peer.say(peer.writer.open(3, {}), Writer.data(3, b"x"))
    assert await peer.streams[0].inbox.get() == b"x"
    await peer.leave()


async def test_streams_are_not_without_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spdy_session, "MAX_STREAMS", 2)
    peer = Peer()
    await peer.say(*(peer.writer.open(number, {}) for number in (1, 3, 5)))
    assert peer.heard == [Reset(5)]
    await peer.leave()


async def test_data_on_its_way_when_a_stream_ends_is_no_fault() -> None:
    peer = Peer()
    await peer.say(peer.writer.open(1, {}), Writer.reset(1, 5), Writer.data(1, b"late"), Writer.ping(b"\0\0\0\1"))
    assert peer.heard == [Ping(b"\0\0\0\1")]
    await peer.leave()


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([Writer.data(7, b"x")], id="never-opened"),
        pytest.param([Writer.data(0, b"x")], id="stream-zero"),
        pytest.param([Writer().open(2, {})], id="even-number"),
        pytest.param([Writer.data(0x7FFFFFFF, b"x")], id="last-number"),
        pytest.param([b"\xff" * 64], id="noise"),
    ],
)
async def test_who_breaks_the_rules_is_sent_away(frames: list[bytes]) -> None:
    peer = Peer()
    await peer.say(*frames)
    await asyncio.wait_for(peer.running, 5)
    assert peer.heard == [GoAway()]


async def test_a_stream_is_opened_once_and_silent_after_its_end() -> None:
    for second in (lambda peer: peer.writer.open(1, {}), lambda peer: Writer.data(1, b"more")):
        peer = Peer()
        await peer.say(peer.writer.open(1, {}), Writer.data(1, b"", fin=True), second(peer))
        await asyncio.wait_for(peer.running, 5)
        assert peer.heard == [GoAway()]
