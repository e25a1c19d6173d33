"""How is a connection taken out of aiohttp's hands, to carry something that is not HTTP?

aiohttp knows one upgrade, WebSocket. For every other the transport gets a protocol of our own, with asyncio's readers
and writers on top of it, so that back-pressure works in both directions.
"""

import asyncio
from typing import NoReturn

LIMIT_BYTES = 1 << 16
GRACE_S = 5.0


class _Protocol(asyncio.StreamReaderProtocol):
    """Ours; tells the protocol that had the connection before when it is lost, so that nothing waits for ever."""

    def __init__(self, reader: asyncio.StreamReader, former: asyncio.BaseProtocol) -> None:
        super().__init__(reader)
        self._former = former

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._former.connection_lost(exc)


def take_over(transport: asyncio.Transport) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Reader and writer of a connection that some other protocol has served so far.

    What the peer sends before this is called is the former protocol's. The transport is closed by whoever calls this.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LIMIT_BYTES)
    protocol = _Protocol(reader, transport.get_protocol())
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def leave(writer: asyncio.StreamWriter, timeout_s: float = 2.0) -> None:
    """Close the connection once what was written is sent, or at once when the peer takes too long to read it."""
    writer.close()
    try:
        async with asyncio.timeout(timeout_s):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


async def end_of_request() -> NoReturn:
    """The last step of a handler whose connection was taken over and closed: there is nothing left to answer.

    The protocol that had the connection before cancels the handler as soon as it hears of the loss.
    """
    await asyncio.sleep(GRACE_S)
    raise ConnectionResetError("the connection was taken over and has ended")
