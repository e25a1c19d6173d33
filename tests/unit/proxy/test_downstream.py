import asyncio

from mesh.proxy.server import ProxyServer
from tests.unit.proxy.conftest import World, ok, port_of


async def test_requests_of_one_connection_are_answered_in_order(world: World) -> None:
    async def slow_first(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = head.split()[1]
        await asyncio.sleep(0.1 if path == b"/1" else 0)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(path), path))

    origin, proxy = await world.simple(slow_first)
    client = await world.connect(proxy)
    client.writer.write(b"".join(b"GET /%d HTTP/1.1\r\nhost: h\r\n\r\n" % n for n in range(1, 40)))
    assert [(await client.answer())[2] for _ in range(1, 40)] == [b"/%d" % n for n in range(1, 40)]
    assert origin.opened == 1, "one at a time, over one connection"


async def test_a_body_in_pieces_arrives_whole(world: World) -> None:
    bodies: list[bytes] = []

    async def keep(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bodies.append(await reader.readexactly(10))
        await ok(head, reader, writer)

    _, proxy = await world.simple(keep)
    client = await world.connect(proxy)
    client.writer.write(b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\n")
    for piece in (b"01", b"2345", b"6789GET /next HTTP/1.1\r\nhost: h\r\n"):
        client.writer.write(piece)
        await asyncio.sleep(0.02)
    assert (await client.answer())[0] == 200
    client.writer.write(b"content-length: 10\r\n\r\nabcdefghij")
    assert (await client.answer())[0] == 200
    assert bodies == [b"0123456789", b"abcdefghij"]


async def test_a_bad_second_request_is_refused_after_the_first_is_answered(world: World) -> None:
    origin, proxy = await world.simple()
    client = await world.connect(proxy)
    assert (
        await client.ask(b"GET /1 HTTP/1.1\r\nhost: h\r\n\r\nPOST / HTTP/1.1\r\nhost: h\r\ncontent-length: +1\r\n\r\n")
    )[0] == 200
    status, fields, body = await client.answer()
    assert (status, fields["connection"], body) == (400, "close", b"Bad Request")
    assert len(origin.heads) == 1


async def test_a_smuggled_request_never_reaches_an_origin(world: World) -> None:
    origin, proxy = await world.simple()
    inner = b"GET /secret HTTP/1.1\r\nhost: h\r\n\r\n"
    for attempt in (
        b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
        b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: xchunked\r\ncontent-length: 0\r\n\r\n" + inner,
        b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding:\r\n chunked\r\ncontent-length: 0\r\n\r\n" + inner,
        b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n" + inner,
        b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\ncontent-length: 44\r\n\r\n" + inner,
        b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n0\n\n" + inner,
        b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n1\r\nZ\n0\r\n\r\n" + inner,
    ):
        client = await world.connect(proxy)
        status, fields, _ = await client.ask(attempt)
        assert status in (400, 501), attempt
        assert fields["connection"] == "close"
        client.close()
    await asyncio.sleep(0.1)
    assert not any(b"secret" in head for head in origin.heads)


async def test_a_client_that_leaves_ends_its_request(world: World) -> None:
    gone = asyncio.Event()

    async def hang(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        gone.set()

    _, proxy = await world.simple(hang)
    client = await world.connect(proxy)
    client.writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
    await asyncio.sleep(0.1)
    client.close()
    async with asyncio.timeout(2):
        await gone.wait()
    cluster = proxy.clusters[b"up"]
    assert (cluster.requests, cluster.hosts[0].active, cluster.stats.upstream_rq_active) == (0, 0, 0)


async def test_an_idle_connection_is_closed(world: World) -> None:
    _, proxy = await world.simple(hcm={"common_http_protocol_options": {"idle_timeout": "0.2s"}})
    client = await world.connect(proxy)
    assert await client.rest() == b""
    assert proxy.metrics.http("test").downstream_cx_idle_timeout == 1


async def test_half_a_head_does_not_wait_for_ever(world: World) -> None:
    _, proxy = await world.simple(hcm={"request_headers_timeout": "0.2s", "delayed_close_timeout": "0.1s"})
    client = await world.connect(proxy)
    assert (await client.ask(b"GET / HTTP/1.1\r\nhost:"))[0] == 408
    assert await client.rest() == b""


async def test_a_slow_reader_stops_the_origin(world: World) -> None:
    """A large answer to a client that does not read is not collected in the proxy."""
    size = 64 * 1024 * 1024
    written = 0

    async def stream(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size // 65536):
            writer.write(b"x" * 65536)
            await writer.drain()
            written += 65536

    _, proxy = await world.simple(stream)
    client = await world.connect(proxy)
    client.writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
    await asyncio.sleep(0.7)
    stuck = written
    assert stuck < 24 * 1024 * 1024, "what the kernel's and the proxy's buffers hold, not the whole answer"
    assert held_by(proxy) < 4 * 1024 * 1024
    await client.reader.readuntil(b"\r\n\r\n")
    left = size
    async with asyncio.timeout(20):
        while left:
            left -= len(await client.reader.read(1 << 20))
    assert written == size


async def test_a_slow_origin_stops_the_client(world: World) -> None:
    size = 64 * 1024 * 1024
    go_on = asyncio.Event()

    async def slow(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        left = size
        while left:
            left -= len(await reader.read(1 << 20))
        await ok(head, reader, writer)

    _, proxy = await world.simple(slow)
    client = await world.connect(proxy)
    client.writer.write(b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n\r\n" % size)
    sent = 0

    async def upload() -> None:
        nonlocal sent
        while sent < size:
            client.writer.write(b"y" * 65536)
            await client.writer.drain()
            sent += 65536

    task = asyncio.create_task(upload())
    await asyncio.sleep(0.7)
    assert sent < 32 * 1024 * 1024
    assert held_by(proxy) < 4 * 1024 * 1024
    go_on.set()
    async with asyncio.timeout(20):
        await task
    assert (await client.answer())[0] == 200


def held_by(proxy: ProxyServer) -> int:
    """Bytes in the proxy's own write buffers."""
    listener = next(iter(proxy.listeners.values()))
    downstream = sum(connection.transport.get_write_buffer_size() for connection in listener.connections)
    hosts = [host for cluster in proxy.clusters.values() for host in cluster.hosts]
    return downstream + sum(c.transport.get_write_buffer_size() for host in hosts for c in host.all)


async def test_an_upgraded_connection_carries_bytes_both_ways(world: World) -> None:
    async def echo(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n")
        while data := await reader.read(1000):
            writer.write(data.upper())

    _, proxy = await world.simple(echo, hcm={"upgrade_configs": [{"upgrade_type": "websocket"}]})
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(proxy))
    writer.write(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nearly")
    async with asyncio.timeout(5):
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(5) == b"EARLY"
        writer.write(b"later")
        assert await reader.readexactly(5) == b"LATER"
    assert proxy.metrics.http("test").downstream_cx_upgrades_active == 1
    writer.close()
