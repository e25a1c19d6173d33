"""When do bytes leave the process?

At the end of the event loop's round in which they were made, all together.
"""

import asyncio
from typing import Protocol

BATCH = 16 * 1024
"""More bytes than this do not wait: the transport has to see them, to say when the other side is too slow."""


class Sending(Protocol):
    """A connection with bytes that wait for the end of the round."""

    def flush(self) -> None:
        """Write them now."""


class Sender:
    """Writes what one round of the event loop has to send together, at its end.

    A write wakes the other side at once; on a busy machine it then takes turns with us, message by message. Sent
    together, messages cost both sides fewer switches, and none waits longer than the round it belongs to.
    """

    __slots__ = ("_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[Sending] = []

    def send_soon(self, connection: Sending) -> None:
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(connection)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for connection in waiting:
            connection.flush()
