"""How do the streams of one SPDY connection come and go?

One task reads; a stream whose reader is slow makes the whole connection wait once its inbox is full, since the
protocol as kubectl speaks it has no window of its own.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping

from mesh.node.kubelet.inbox import Inbox
from mesh.node.kubelet.spdy import (
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    BadFrame,
    Data,
    Frame,
    GoAway,
    Opened,
    Ping,
    Reader,
    Reset,
    Writer,
)

log = logging.getLogger("mesh.node")
MAX_STREAMS = 512
CHUNK_BYTES = 1 << 15
Send = Callable[[bytes], Awaitable[None]]
Receive = Callable[[], Awaitable[bytes]]


class Stream:
    """One stream: what the peer sends arrives in `inbox`."""

    def __init__(self, number: int, headers: Mapping[str, str], session: "SpdySession") -> None:
        self.number, self.headers, self.inbox = number, headers, Inbox()
        self._session = session
        self.finished = False
        """Nothing more may be written."""
        self.heard = False
        """The peer writes no more."""

    async def write(self, data: bytes) -> None:
        """Send bytes; nothing when the stream is closed already."""
        for at in range(0, len(data), CHUNK_BYTES):
            if self.finished:
                return
            await self._session.send(Writer.data(self.number, data[at : at + CHUNK_BYTES]))

    async def finish(self, data: bytes = b"") -> None:
        """Send the last bytes and say that they are."""
        if not self.finished:
            self.finished = True
            await self._session.send(Writer.data(self.number, data, fin=True))
            self._session.settle(self)

    def cut(self) -> None:
        """The peer wants to hear and say nothing any more."""
        self.finished = self.heard = True
        self.inbox.end()
        self.inbox.discard()


class SpdySession:
    """The server's side of a connection.

    receive: the next bytes, empty at the end.  accept: what to do with a stream that the peer opens; False refuses it.
    """

    def __init__(self, receive: Receive, send: Send, accept: Callable[[Stream], bool]) -> None:
        self._receive, self.send, self._accept = receive, send, accept
        self._reader, self._writer = Reader(), Writer()
        self._streams: dict[int, Stream] = {}
        self._last = 0

    async def run(self) -> None:
        """Serve until the peer leaves or breaks the rules; then every stream has ended."""
        try:
            while data := await self._receive():
                for frame in self._reader.feed(data):
                    await self._take(frame)
        except BadFrame as error:
            log.info("stream connection closed why=%s", error)
            await self.send(self._writer.go_away(self._last, PROTOCOL_ERROR))
        finally:
            for stream in list(self._streams.values()):
                stream.cut()
            self._streams.clear()

    def settle(self, stream: Stream) -> None:
        """Forget a stream that is closed on both sides."""
        if stream.finished and stream.heard:
            self._streams.pop(stream.number, None)

    async def _take(self, frame: Frame) -> None:
        match frame:
            case Data(number, data, fin):
                await self._data(number, data, fin)
            case Opened():
                await self._open(frame)
            case Reset(number):
                stream = self._streams.pop(number, None)
                if stream is not None:
                    stream.cut()
            case Ping(payload):
                await self.send(self._writer.ping(payload))
            case GoAway():
                pass  # the peer closes the connection when it is done

    async def _data(self, number: int, data: bytes, fin: bool) -> None:
        stream = self._streams.get(number)
        if stream is None:
            if number > self._last or number % 2 == 0:
                raise BadFrame(f"data on stream {number}, which was never opened")
            return  # it was on its way when the stream was closed
        if stream.heard:
            raise BadFrame(f"data on stream {number} after its end")
        await stream.inbox.put(data)
        if fin:
            self._heard(stream)

    def _heard(self, stream: Stream) -> None:
        stream.heard = True
        stream.inbox.end()
        self.settle(stream)

    async def _open(self, frame: Opened) -> None:
        number = frame.stream
        if number <= self._last or number % 2 == 0:
            raise BadFrame(f"stream {number} opened after stream {self._last}")
        self._last = number
        stream = Stream(number, frame.headers, self)
        if len(self._streams) >= MAX_STREAMS or not self._accept(stream):
            await self.send(self._writer.reset(number, REFUSED_STREAM))
            return
        self._streams[number] = stream
        await self.send(self._writer.reply(number))
        if frame.fin:
            self._heard(stream)
