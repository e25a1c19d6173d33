import asyncio
from typing import Any

import pytest

from tests.unit.proxy.conftest import Handler, World, ok, to


def failing_first(times: int) -> Handler:
    seen = 0

    async def handler(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        if b"content-length: 5" in head:
            assert await reader.readexactly(5) == b"hello"
        seen += 1
        if seen <= times:
            writer.write(b"HTTP/1.1 503 x\r\ncontent-length: 3\r\n\r\nbad")
        else:
            await ok(head, reader, writer)

    return handler


def retrying(**policy: Any) -> dict[str, Any]:
    back_off = {"base_interval": "0.001s", "max_interval": "0.002s"}
    return to("up", retry_policy={"retry_on": "5xx", "retry_back_off": back_off, **policy})


@pytest.mark.parametrize(("failures", "retries", "status"), [(1, 1, 200), (2, 1, 503), (2, 2, 200)])
async def test_as_often_as_the_policy_says(world: World, failures: int, retries: int, status: int) -> None:
    origin = await world.origin("up", failing_first(failures))
    proxy = await world.proxy(world.tables([retrying(num_retries=retries)], {"up": [origin.port]}))
    client = await world.connect(proxy)
    text = b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nhello"
    assert (await client.ask(text))[0] == status
    stats = proxy.clusters[b"up"].stats
    assert len(origin.heads) == min(failures, retries) + 1
    assert stats.upstream_rq_retry == min(failures, retries)
    assert (proxy.clusters[b"up"].retries, stats.upstream_rq_active) == (0, 0)


async def test_elsewhere_when_the_policy_wants_that(world: World) -> None:
    bad, good = await world.origin("bad", failing_first(1000)), await world.origin("good")
    previous = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
    predicate = {"name": "p", "typed_config": {"@type": f"type.googleapis.com/{previous}"}}
    route = retrying(retry_host_predicate=[predicate], host_selection_retry_max_attempts=5)
    proxy = await world.proxy(world.tables([route], {"up": [bad.port, good.port]}))
    client = await world.connect(proxy)
    assert [(await client.get())[0] for _ in range(20)] == [200] * 20
    assert len(good.heads) == 20


async def test_a_body_that_is_too_large_is_sent_once(world: World) -> None:
    origin = await world.origin("up", failing_first(1))
    tables = world.tables([retrying()], {"up": [origin.port]})
    route = tables.listeners[0].http.routes.virtual_hosts[0].routes[0]  # type: ignore[union-attr]
    route.buffer_limit_bytes = 4
    proxy = await world.proxy(tables)
    client = await world.connect(proxy)
    assert (await client.ask(b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nhello"))[0] == 503
    assert len(origin.heads) == 1


async def test_a_try_may_not_take_too_long(world: World) -> None:
    calls = 0

    async def first_hangs(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        await asyncio.sleep(30 if calls == 1 else 0)
        await ok(head, reader, writer)

    origin = await world.origin("up", first_hangs)
    proxy = await world.proxy(world.tables([retrying(per_try_timeout="0.1s")], {"up": [origin.port]}))
    assert (await (await world.connect(proxy)).get())[0] == 200
    assert proxy.clusters[b"up"].stats.upstream_rq_per_try_timeout == 1


async def test_a_client_that_leaves_during_the_pause_stops_the_retry(world: World) -> None:
    origin = await world.origin("up", failing_first(1000))
    # The pause is drawn from 0 to this: far more than the test waits, nearly always.
    route = retrying(num_retries=3, retry_back_off={"base_interval": "500s", "max_interval": "900s"})
    proxy = await world.proxy(world.tables([route], {"up": [origin.port]}))
    client = await world.connect(proxy)
    client.writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
    await asyncio.sleep(0.1)
    client.close()
    await asyncio.sleep(0.1)
    cluster = proxy.clusters[b"up"]
    assert (cluster.retries, cluster.requests, len(origin.heads)) == (0, 0, 1)
