"""A connection leaves aiohttp's hands, and aiohttp hears of its end."""

import asyncio

from aiohttp import web

from mesh.runtime import handover


async def test_a_taken_connection_speaks_another_protocol_and_its_handler_ends() -> None:
    ended = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        reader, writer = handover.take_over(request.transport)
        try:
            writer.write(b"ready\n")
            while line := await reader.readline():
                writer.write(line.upper())
            await handover.leave(writer)
            await handover.end_of_request()
        finally:
            ended.set()

    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    reader, writer = await asyncio.open_connection(*runner.addresses[0])
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await asyncio.wait_for(reader.readline(), 5) == b"ready\n"
    writer.write(b"no http\n")
    assert await asyncio.wait_for(reader.readline(), 5) == b"NO HTTP\n"
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 5) == b""
    await asyncio.wait_for(ended.wait(), 5)
    writer.close()
    await runner.cleanup()
