import asyncio
import json

import pytest

from mesh.proxy.server import ProxyServer
from tests.unit.proxy.conftest import World, to


async def fetch(proxy: ProxyServer, page: str, which: int = 0) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection(*proxy._pages[which].address)
    writer.write(f"GET {page} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".encode())
    async with asyncio.timeout(3):
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body


@pytest.fixture
async def proxy(world: World) -> ProxyServer:
    origin = await world.origin("up")
    made = await world.proxy(
        world.tables([to("up")], {"up": [origin.port], "quiet": [origin.port]}),
        admin=("127.0.0.1", 0),
        prometheus=("127.0.0.1", 0),
        describe=lambda: {"configs": [{"name": b"x"}]},
    )
    await (await world.connect(made)).get()
    return made


async def test_ready_until_draining(proxy: ProxyServer) -> None:
    assert await fetch(proxy, "/ready") == (200, "LIVE\n")
    await proxy.drain(0)
    assert await fetch(proxy, "/ready") == (503, "DRAINING\n")


async def test_clusters_shows_those_that_nobody_used_yet(proxy: ProxyServer) -> None:
    status, text = await fetch(proxy, "/clusters")
    assert status == 200
    assert "quiet::default_priority::max_requests::1024\n" in text
    assert "::rq_active::0\n" in text
    assert "::health_flags::healthy\n" in text
    parsed = json.loads((await fetch(proxy, "/clusters?format=json"))[1])
    assert {one["name"] for one in parsed["cluster_statuses"]} == {"up", "quiet"}


async def test_stats_in_three_forms(proxy: ProxyServer) -> None:
    assert "cluster.up.upstream_rq_total: 1\n" in (await fetch(proxy, "/stats"))[1]
    parsed = json.loads((await fetch(proxy, "/stats?format=json"))[1])
    assert {"name": "http.test.downstream_rq_total", "value": 1} in parsed["stats"]
    assert "istio_requests_total{" in (await fetch(proxy, "/stats/prometheus"))[1]


async def test_the_metrics_listener_has_nothing_else(proxy: ProxyServer) -> None:
    assert "istio_requests_total{" in (await fetch(proxy, "/stats/prometheus", 1))[1]
    assert (await fetch(proxy, "/config_dump", 1))[0] == 404


async def test_other_pages(proxy: ProxyServer) -> None:
    assert json.loads((await fetch(proxy, "/server_info"))[1])["state"] == "LIVE"
    assert json.loads((await fetch(proxy, "/config_dump"))[1]) == {"configs": [{"name": "x"}]}
    assert (await fetch(proxy, "/listeners"))[1].startswith("listener::127.0.0.1:")
    status, text = await fetch(proxy, "/nothing")
    assert status == 404
    assert "/config_dump" in text
