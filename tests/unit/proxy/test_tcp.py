import asyncio

from mesh.proxy.server import Tables
from mesh.routing.spec import ClusterSpec, EndpointSpec, ListenerSpec, TcpSpec
from tests.unit.proxy.conftest import World, port_of


def tables(ports: list[int], **tcp: float) -> Tables:
    spec = TcpSpec(stat_prefix="t", cluster=b"up", **tcp)  # type: ignore[arg-type]
    return Tables(
        listeners=(ListenerSpec(name="tcp", address="127.0.0.1", port=0, tcp=spec),),
        clusters={b"up": ClusterSpec(name=b"up")},
        endpoints={b"up": tuple(EndpointSpec(address="127.0.0.1", port=port) for port in ports)},
    )


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.write(b"bye")
    writer.close()


async def test_bytes_and_half_close_pass_both_ways(world: World) -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = await world.proxy(tables([server.sockets[0].getsockname()[1]]))
    client = await world.connect(proxy)
    body = b"abc" * 100_000
    client.writer.write(body)
    client.writer.write_eof()
    assert await client.rest() == body + b"bye"
    await asyncio.sleep(0.05)
    ((_, cell),) = proxy.metrics.tcp.items()
    assert (cell.opened, cell.closed, cell.received_bytes, cell.sent_bytes) == (1, 1, len(body), len(body) + 3)
    assert proxy.clusters[b"up"].hosts[0].active == 0
    server.close()


async def test_connections_are_spread(world: World) -> None:
    seen: list[int] = []

    def counting(number: int) -> object:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(number)
            writer.close()

        return serve

    servers = [await asyncio.start_server(counting(n), "127.0.0.1", 0) for n in (0, 1)]  # type: ignore[arg-type]
    proxy = await world.proxy(tables([server.sockets[0].getsockname()[1] for server in servers]))
    for _ in range(6):
        assert await (await world.connect(proxy)).rest() == b""
    assert sorted(seen) == [0, 0, 0, 1, 1, 1]
    for server in servers:
        server.close()


async def test_a_refused_endpoint_ends_the_connection(world: World) -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    proxy = await world.proxy(tables([port]))
    assert await (await world.connect(proxy)).rest() == b""
    assert proxy.clusters[b"up"].stats.upstream_cx_connect_fail == 1


async def test_a_silent_connection_is_closed(world: World) -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = await world.proxy(tables([server.sockets[0].getsockname()[1]], idle_timeout_s=0.2))
    client = await world.connect(proxy)
    client.writer.write(b"x")
    assert await client.rest() == b"x"
    assert port_of(proxy)
    server.close()
