import asyncio

from mesh.proxy.sender import Sender
from tests.unit.proxy.conftest import World


class Recorder:
    def __init__(self, order: list[str], name: str) -> None:
        self.order, self.name = order, name

    def flush(self) -> None:
        self.order.append(self.name)


async def test_everything_of_one_round_is_sent_at_its_end() -> None:
    order: list[str] = []
    sender = Sender(asyncio.get_running_loop())
    for name in "abc":
        sender.send_soon(Recorder(order, name))
    assert order == []
    await asyncio.sleep(0)
    assert order == ["a", "b", "c"]
    sender.send_soon(Recorder(order, "d"))
    await asyncio.sleep(0)
    assert order[-1] == "d"


async def test_a_body_never_overtakes_its_head(world: World) -> None:
    seen: list[bytes] = []

    async def keep(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readexactly(100_000))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + seen[-1])

    _, proxy = await world.simple(keep)
    client = await world.connect(proxy)
    body = bytes(range(250)) * 400
    for _ in range(5):
        client.writer.write(b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 100000\r\n\r\n" + body[:10])
        client.writer.write(body[10:])
        assert (await client.answer())[2] == body
    assert seen == [body] * 5
