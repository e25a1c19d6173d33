import time
from typing import Any

from tests.unit.proxy.conftest import World, to

_FILTERS = "type.googleapis.com/envoy.extensions.filters.http."


def fault(**settings: Any) -> dict[str, Any]:
    return {"name": "envoy.filters.http.fault", "typed_config": {"@type": _FILTERS + "fault.v3.HTTPFault", **settings}}


async def test_a_fault_delays_and_then_aborts(world: World) -> None:
    origin = await world.origin("up")
    always = {"numerator": 100}
    both = fault(delay={"fixed_delay": "0.2s", "percentage": always}, abort={"http_status": 418, "percentage": always})
    proxy = await world.proxy(world.tables([to("up")], {"up": [origin.port]}, filters=[both]))
    client = await world.connect(proxy)
    started = time.monotonic()
    status, _, body = await client.get()
    assert (status, body) == (418, b"fault filter abort")
    assert 0.15 < time.monotonic() - started < 1
    assert origin.heads == []
    stats = proxy.metrics.http("test")
    assert (stats.fault_aborts_injected, stats.fault_delays_injected, stats.fault_active_faults) == (1, 1, 0)


async def test_a_client_that_leaves_during_a_delay_is_forgotten(world: World) -> None:
    origin = await world.origin("up")
    slow = fault(delay={"fixed_delay": "30s", "percentage": {"numerator": 100}})
    proxy = await world.proxy(world.tables([to("up")], {"up": [origin.port]}, filters=[slow]))
    client = await world.connect(proxy)
    client.writer.write(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
    await client.writer.drain()
    await _until(lambda: proxy.metrics.http("test").fault_active_faults == 1)
    client.close()
    await _until(lambda: proxy.metrics.http("test").fault_active_faults == 0)


async def test_a_rate_limit_refuses_what_is_too_much(world: World) -> None:
    origin = await world.origin("up")
    always = {"default_value": {"numerator": 100}}
    limit = {
        "name": "envoy.filters.http.local_ratelimit",
        "typed_config": {
            "@type": _FILTERS + "local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "l",
            "token_bucket": {"max_tokens": 2, "fill_interval": "60s"},
            "filter_enabled": always,
            "filter_enforced": always,
        },
    }
    proxy = await world.proxy(world.tables([to("up")], {"up": [origin.port]}, filters=[limit]))
    client = await world.connect(proxy)
    assert [(await client.get())[0] for _ in range(4)] == [200, 200, 429, 429]


async def _until(condition: Any) -> None:
    import asyncio

    async with asyncio.timeout(3):
        while not condition():
            await asyncio.sleep(0.01)
