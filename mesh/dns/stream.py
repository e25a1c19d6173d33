"""How is a TCP connection served that brings questions?

Messages with two bytes of length in front, answered as they come. A client may be slow, silent, or faster than it
reads: each costs at most its connection's buffers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

TCP_IDLE_S = 10.0
"""A TCP connection that asks nothing for so long is closed. Source: RFC 7766 leaves it to us; common practice."""
MAX_TCP_CONNECTIONS = 256
"""With one more, the one that has been silent for longest goes, so that silence cannot keep others out."""
AT_ONCE = 64
"""Questions of one connection that are answered before others have their turn."""
MOST_WAITING = 64
"""Questions of one connection that wait for another server; it is not read further until one has its answer."""
LONGEST_FRAME = 2 + 65535

Send = Callable[[bytes], None]
Ask = Callable[[bytes, Send], bool]
"""(question, where the answer goes) -> False when it deserves none. The answer may go out later."""


class Streams:
    """The open connections, the one that was silent for longest first."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self._open: dict[Stream, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def alive(self, stream: Stream) -> None:
        """This one was heard of just now."""
        self._open.pop(stream, None)
        self._open[stream] = None
        if len(self._open) > MAX_TCP_CONNECTIONS:
            next(iter(self._open)).abort()

    def gone(self, stream: Stream) -> None:
        self._open.pop(stream, None)

    def close(self) -> None:
        for stream in list(self._open):
            stream.abort()


class Stream(asyncio.Protocol):
    """One TCP connection."""

    _transport: asyncio.Transport  # there from connection_made on

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._buffer = bytearray()
        self._idle: asyncio.TimerHandle | None = None
        self._turn: asyncio.Handle | None = None
        self._full = False
        self._ended = False
        self._answering = False
        self._waiting = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._alive()

    def connection_lost(self, exc: Exception | None) -> None:
        for handle in (self._idle, self._turn):
            if handle is not None:
                handle.cancel()
        self._buffer.clear()
        self._streams.gone(self)

    def abort(self) -> None:
        self._streams.gone(self)
        self._transport.abort()

    def _alive(self) -> None:
        """Begin the idle time anew; only whole messages count as life."""
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(TCP_IDLE_S, self.abort)
        self._streams.alive(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._turn is None:
            self._answer()
        if len(self._buffer) >= LONGEST_FRAME:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._ended = True
        return self._busy()  # what was asked is answered, then it is closed

    def _busy(self) -> bool:
        return self._turn is not None or self._full or self._waiting > 0

    def _answer(self) -> None:
        """Answer some of what has arrived, as long as the client reads."""
        self._turn = None
        answered = 0
        self._answering = True
        while answered < AT_ONCE and not self._full and self._waiting < MOST_WAITING:
            message = self._message()
            if message is None:
                break
            answered += 1
            self._waiting += 1
            if not self._streams.ask(message, self._send):
                self._transport.close()  # there is no telling where the next message would begin
                return
        self._answering = False
        if answered:
            self._alive()
        if answered == AT_ONCE:
            self._later()
        if len(self._buffer) < LONGEST_FRAME and not self._full:
            self._transport.resume_reading()
        if self._ended and not self._busy():
            self._transport.close()

    def _message(self) -> bytes | None:
        """The next whole message."""
        size = int.from_bytes(self._buffer[:2])
        if len(self._buffer) < 2 + size or len(self._buffer) < 2:
            return None
        message = bytes(self._buffer[2 : 2 + size])
        del self._buffer[: 2 + size]
        return message

    def _send(self, answer: bytes) -> None:
        self._waiting -= 1
        if not self._transport.is_closing():
            self._transport.write(len(answer).to_bytes(2) + answer)
            if not self._answering:
                self._later()

    def _later(self) -> None:
        """Go on with what still waits in the buffer, once those before it are done."""
        if self._turn is None and (self._ended or len(self._buffer) >= 2) and not self._transport.is_closing():
            self._turn = asyncio.get_running_loop().call_soon(self._answer)

    def pause_writing(self) -> None:
        self._full = True
        self._transport.pause_reading()  # who does not read answers asks no more

    def resume_writing(self) -> None:
        self._full = False
        self._transport.resume_reading()
        self._later()
