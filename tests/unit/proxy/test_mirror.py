import asyncio
import time

import pytest

from mesh.proxy.server import ProxyServer
from tests.unit.proxy.conftest import Handler, Origin, World, ok, to


async def mirrored(world: World, handler: Handler) -> tuple[Origin, Origin, ProxyServer]:
    up, copy = await world.origin("up"), await world.origin("copy", handler)
    route = to("up", request_mirror_policies=[{"cluster": "copy"}])
    proxy = await world.proxy(world.tables([route], {"up": [up.port], "copy": [copy.port]}))
    return up, copy, proxy


async def hang(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def fail(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 500 x\r\ncontent-length: 3\r\n\r\nbad")


async def drop(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


@pytest.mark.parametrize("handler", [ok, hang, fail, drop], ids=["ok", "hang", "fail", "drop"])
async def test_the_client_never_notices_the_copy(world: World, handler: Handler) -> None:
    up, copy, proxy = await mirrored(world, handler)
    client = await world.connect(proxy)
    started = time.monotonic()
    for number in range(50):
        status, fields, body = await client.get(f"/{number}")
        assert (status, body, "connection" in fields) == (200, b"ok", False)
    assert time.monotonic() - started < 2
    async with asyncio.timeout(3):
        while len(copy.heads) < 50:
            await asyncio.sleep(0.01)
    assert len(up.heads) == 50
    assert len(copy.heads) == 50, "every request is copied exactly once"
    assert all(b"\r\nhost: h-shadow\r\n" in head for head in copy.heads)
    assert proxy.clusters[b"copy"].stats.upstream_rq_total == 50


async def test_nobody_listens_to_the_copies(world: World) -> None:
    up = await world.origin("up")
    unused = await world.origin("unused")
    unused.stop()
    route = to("up", request_mirror_policies=[{"cluster": "copy"}, {"cluster": "nosuch"}])
    proxy = await world.proxy(world.tables([route], {"up": [up.port], "copy": [unused.port], "nosuch": []}))
    client = await world.connect(proxy)
    for _ in range(5):
        assert (await client.get())[0] == 200
    await asyncio.sleep(0.1)
    stats = proxy.clusters[b"copy"].stats
    assert stats.upstream_cx_connect_fail == 5
    assert stats.upstream_rq_active == 0


async def test_a_copy_gets_the_body(world: World) -> None:
    bodies: list[bytes] = []

    async def keep(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bodies.append(await reader.readexactly(200_000))
        await ok(head, reader, writer)

    up, _, proxy = await mirrored(world, keep)
    up.handler = keep
    client = await world.connect(proxy)
    body = bytes(range(256)) * 782
    text = b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 200000\r\n\r\n" + body[:200_000]
    assert (await client.ask(text))[0] == 200
    async with asyncio.timeout(3):
        while len(bodies) < 2:
            await asyncio.sleep(0.01)
    assert bodies[0] == bodies[1] == body[:200_000]


async def test_a_copy_that_does_not_take_its_body_is_given_up(world: World) -> None:
    size = 16 * 1024 * 1024

    async def take(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = size
        while left:
            left -= len(await reader.read(1 << 20))
        await ok(head, reader, writer)

    up, _, proxy = await mirrored(world, hang)
    up.handler = take
    client = await world.connect(proxy)
    client.writer.write(b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n\r\n" % size)
    for _ in range(size // 65536):
        client.writer.write(b"z" * 65536)
        await client.writer.drain()
    assert (await client.answer())[0] == 200
    stats = proxy.clusters[b"copy"].stats
    assert stats.retry_or_shadow_abandoned == 1
    assert stats.upstream_rq_active == 0
