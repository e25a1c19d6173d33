"""Where do bytes wait between a connection that brings them and a program that takes them?"""

import asyncio
from collections import deque
from collections.abc import Callable

LIMIT_BYTES = 1 << 20


class Inbox:
    """Bytes in order, bounded: whoever puts waits while there are too many."""

    def __init__(self, limit: int = LIMIT_BYTES) -> None:
        self._chunks: deque[bytes] = deque()
        self._size, self._limit = 0, limit
        self._ended = self._discards = False
        self._arrived, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()
        self.take: Callable[[bytes], None] | None = None
        """Where set: gets the bytes at once, and nothing waits here."""

    async def put(self, data: bytes) -> None:
        """Add bytes. What comes after the end, or when nobody takes any more, is thrown away."""
        if self.take is not None:
            self.take(data)
            return
        await self._room.wait()
        if data and not (self._ended or self._discards):
            self._chunks.append(data)
            self._size += len(data)
            self._arrived.set()
            if self._size >= self._limit:
                self._room.clear()

    def end(self) -> None:
        """Nothing more comes."""
        self._ended = True
        self._arrived.set()

    def discard(self) -> None:
        """Nobody takes any more: whoever puts must not wait for it."""
        self._discards = True
        self._chunks.clear()
        self._room.set()

    async def get(self) -> bytes:
        """The next bytes; empty at the end."""
        while not self._chunks:
            if self._ended:
                return b""
            self._arrived.clear()
            await self._arrived.wait()
        data = self._chunks.popleft()
        self._size -= len(data)
        if self._size < self._limit and not self._room.is_set():
            self._room.set()
        return data
