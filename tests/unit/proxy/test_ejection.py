import asyncio

from tests.unit.proxy.conftest import Origin, World, to


async def test_an_endpoint_that_fails_leaves_and_comes_back(world: World) -> None:
    async def bad(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 500 x\r\ncontent-length: 0\r\n\r\n")

    one, two = await world.origin("one", bad), await world.origin("two")
    cluster = {
        "outlier_detection": {
            "consecutive_5xx": 2,
            "interval": "0.1s",
            "base_ejection_time": "0.2s",
            "max_ejection_percent": 50,
        },
        "common_lb_config": {"update_merge_window": "0s", "healthy_panic_threshold": {"value": 0}},
    }
    proxy = await world.proxy(world.tables([to("up")], {"up": [one.port, two.port]}, cluster=cluster))
    client = await world.connect(proxy)
    for _ in range(4):
        await client.get()
    stats = proxy.clusters[b"up"].stats
    assert stats.outlier_detection_ejections_active == 1
    assert served(one, two) == (2, 2)
    for _ in range(6):
        assert (await client.get())[0] == 200
    assert served(one, two) == (2, 8)
    await asyncio.sleep(0.5)
    assert stats.outlier_detection_ejections_active == 0
    await client.get()
    await client.get()
    assert served(one, two) == (3, 9)


def served(*origins: Origin) -> tuple[int, ...]:
    return tuple(len(origin.heads) for origin in origins)
