import asyncio
import dataclasses
import socket

import pytest

from mesh.metrics.registry import RequestLabels, Workload
from mesh.proxy.server import Identity, Tables
from mesh.runtime.net import BindError
from tests.unit.proxy.conftest import World, ok, port_of, to


async def test_a_change_of_routes_lets_requests_under_way_finish(world: World) -> None:
    async def slow(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        await ok(head, reader, writer)

    old, new = await world.origin("old", slow), await world.origin("new")
    ports = {"old": [old.port], "new": [new.port]}
    proxy = await world.proxy(world.tables([to("old")], ports))
    bound = port_of(proxy)
    client = await world.connect(proxy)
    client.writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
    await asyncio.sleep(0.05)
    tables = world.tables([to("new")], ports)
    await proxy.apply(dataclasses.replace(tables, listeners=(dataclasses.replace(tables.listeners[0], port=0),)))
    assert port_of(proxy) == bound, "the same address stays bound"
    assert (await client.answer())[0] == 200
    assert (await client.get())[0] == 200
    assert (len(old.heads), len(new.heads)) == (1, 1)


async def test_no_request_fails_while_tables_change(world: World) -> None:
    one, two = await world.origin("one"), await world.origin("two")
    both = {"one": [one.port], "two": [two.port]}
    variants = [
        world.tables([to("one")], both),
        world.tables([to("two")], both),
        world.tables([to("one")], {"one": [two.port]}),
    ]
    proxy = await world.proxy(variants[0])
    failed = 0
    stop = False

    async def load() -> None:
        nonlocal failed
        client = await world.connect(proxy)
        while not stop:
            failed += (await client.get())[0] != 200

    tasks = [asyncio.create_task(load()) for _ in range(4)]
    for number in range(50):
        await proxy.apply(variants[number % 3])
        await asyncio.sleep(0.005)
    stop = True
    await asyncio.gather(*tasks)
    assert failed == 0
    assert len(one.heads) > 10
    assert len(two.heads) > 10


async def test_an_endpoint_change_keeps_the_connections_of_those_that_stay(world: World) -> None:
    one, two = await world.origin("one"), await world.origin("two")
    proxy = await world.proxy(world.tables([to("up")], {"up": [one.port]}))
    client = await world.connect(proxy)
    await client.get()
    await proxy.apply(world.tables([to("up")], {"up": [one.port, two.port]}))
    for _ in range(4):
        await client.get()
    assert (len(one.heads), len(two.heads)) == (3, 2)
    assert (one.opened, two.opened) == (1, 1)
    await proxy.apply(world.tables([to("up")], {"up": [two.port]}))
    await asyncio.sleep(0.05)
    assert proxy.clusters[b"up"].stats.upstream_cx_active == 1, "the idle connection to the one that left is closed"


async def test_an_address_in_use_leaves_everything_as_it_was(world: World) -> None:
    origin = await world.origin("up")
    proxy = await world.proxy(world.tables([to("up")], {"up": [origin.port]}))
    before = proxy.tables
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BindError, match=f"127.0.0.1:{port}"):
            await proxy.apply(world.tables([to("up")], {"up": [origin.port]}, port=port))
    assert proxy.tables is before
    assert (await (await world.connect(proxy)).get())[0] == 200


async def test_a_listener_that_goes_closes_its_idle_connections(world: World) -> None:
    _, proxy = await world.simple()
    client = await world.connect(proxy)
    await client.get()
    await proxy.apply(Tables())
    assert await client.rest() == b""
    assert proxy.listeners == {}


async def test_draining_finishes_what_is_under_way(world: World) -> None:
    async def slow(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        await ok(head, reader, writer)

    _, proxy = await world.simple(slow)
    busy, idle = await world.connect(proxy), await world.connect(proxy)
    busy.writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
    await asyncio.sleep(0.1)
    address = ("127.0.0.1", port_of(proxy))
    draining = asyncio.create_task(proxy.drain(5))
    await asyncio.sleep(0.05)
    with pytest.raises(OSError):
        await asyncio.open_connection(*address)
    status, fields, body = await busy.answer()
    assert (status, fields["connection"], body) == (200, "close", b"ok")
    assert await busy.rest() == b""
    await draining
    assert await idle.rest() == b""


async def test_a_request_just_on_its_way_when_draining_begins_is_answered(world: World) -> None:
    _, proxy = await world.simple(ok)
    resting = await world.connect(proxy)
    draining = asyncio.create_task(proxy.drain(5))
    await asyncio.sleep(0.05)
    resting.writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
    status, fields, _ = await resting.answer()
    assert (status, fields["connection"]) == (200, "close")
    async with asyncio.timeout(2):
        await draining


async def test_draining_does_not_wait_longer_than_it_may(world: World) -> None:
    async def hang(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    _, proxy = await world.simple(hang)
    client = await world.connect(proxy)
    client.writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
    await asyncio.sleep(0.05)
    async with asyncio.timeout(2):
        await proxy.drain(0.2)
        await proxy.close()
    assert await client.rest() == b""


async def test_connections_to_endpoints_leave_from_the_pods_address(world: World) -> None:
    origin = await world.origin("up")
    tables = world.tables([to("up")], {"up": [origin.port]})
    proxy = await world.proxy(tables, bind_source="127.0.0.77")
    await (await world.connect(proxy)).get()
    assert origin.peers == ["127.0.0.77"]


async def test_requests_are_counted_for_both_reporters(world: World) -> None:
    origin = await world.origin("up")
    caller = Workload(workload="caller", namespace="default")
    for direction, reporter, peer in (("OUTBOUND", "source", Workload()), ("INBOUND", "destination", caller)):
        tables = world.tables([to("up")], {"up": [origin.port]}, direction=direction)
        proxy = await world.proxy(tables, identity=Identity(name=direction), peers=lambda ip: caller)
        client = await world.connect(proxy)
        for _ in range(3):
            await client.get()
        ((labels, cell),) = proxy.metrics.requests.items()
        assert isinstance(labels, RequestLabels)
        assert (labels.reporter, labels.peer, labels.response_code, cell.count) == (reporter, peer, 200, 3)
        assert (cell.request_sum_bytes, cell.response_sum_bytes) == (0, 6)


async def test_a_log_line_is_in_envoys_default_format(world: World) -> None:
    lines: list[bytes] = []
    origin = await world.origin("up")
    proxy = await world.proxy(
        world.tables([to("up", prefix_rewrite="/new")], {"up": [origin.port]}), access_log=lines.append
    )
    client = await world.connect(proxy)
    await client.get("/", "user-agent: probe", "x-request-id: 7")
    await asyncio.sleep(0)
    (line,) = lines
    at = f"127.0.0.1:{origin.port}".encode()
    assert b'"GET / HTTP/1.1" 200 - 0 2 ' in line
    assert line.endswith(b' "-" "probe" "7" "h" "' + at + b'"\n')


async def test_an_unused_cluster_costs_nothing(world: World) -> None:
    origin = await world.origin("up")
    proxy = await world.proxy(world.tables([to("up")], {"up": [origin.port], "other": [1], "third": [2]}))
    assert proxy.clusters == {}
    await (await world.connect(proxy)).get()
    assert list(proxy.clusters) == [b"up"]


async def test_close_may_be_called_twice(world: World) -> None:
    _, proxy = await world.simple()
    client = await world.connect(proxy)
    await client.get()
    await proxy.close()
    await proxy.close()
    assert await client.rest() == b""
