import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from mesh.node.pump import Front, Target
from mesh.runtime.net import listen_stream

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Pumps:
    """A front on a free port, and backends behind it."""

    def __init__(self) -> None:
        self.running: set[Front] = set()
        self.targets: list[Target] = []
        self.source: str | None = None
        self.asked: list[tuple[str, frozenset[Target]]] = []
        self.servers: list[asyncio.Server] = []
        self.address: Target = ("", 0)

    def choose(self, client: str, tried: frozenset[Target]) -> tuple[Target, str | None] | None:
        self.asked.append((client, tried))
        return next(((target, self.source) for target in self.targets if target not in tried), None)

    async def backend(self, handler: Handler) -> Target:
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        self.servers.append(server)
        target: Target = server.sockets[0].getsockname()
        self.targets.append(target)
        return target

    async def connect(self, source: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self.address, local_addr=(source, 0))


@pytest.fixture
async def pumps() -> AsyncIterator[Pumps]:
    made = Pumps()
    front = await listen_stream(lambda: Front(made.choose, made.running), "127.0.0.1", 0)
    made.servers.append(front)
    made.address = front.sockets[0].getsockname()
    yield made
    for server in made.servers:
        server.close()
    for one in list(made.running):
        one.reset()
    await asyncio.sleep(0.01)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write(b"<end>")
    writer.close()


async def refused_port() -> Target:
    """A port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        address: Target = sock.getsockname()
        return address


async def drained(pumps: Pumps) -> None:
    async with asyncio.timeout(5):
        while pumps.running:
            await asyncio.sleep(0.01)


async def test_bytes_pass_both_ways_and_an_end_of_input_alone_ends_nothing(pumps: Pumps) -> None:
    await pumps.backend(echo)
    reader, writer = await pumps.connect()
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    writer.write(b" again")
    writer.write_eof()
    assert await reader.read() == b" again<end>"
    writer.close()
    await drained(pumps)


async def test_what_is_sent_before_the_way_is_open_arrives(pumps: Pumps) -> None:
    await pumps.backend(echo)
    for _ in range(20):
        reader, writer = await pumps.connect()
        writer.write(b"at once")
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 5) == b"at once<end>"
        writer.close()
    await drained(pumps)


async def test_the_source_address_stays_true(pumps: Pumps) -> None:
    async def who(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(writer.get_extra_info("peername")[0].encode())
        writer.close()

    await pumps.backend(who)
    for source in ("127.0.0.1", "127.0.0.7"):
        reader, writer = await pumps.connect(source)
        assert (await reader.read()).decode() == source
        writer.close()
    assert [client for client, _ in pumps.asked] == ["127.0.0.1", "127.0.0.7"]


async def test_the_source_address_may_be_another(pumps: Pumps) -> None:
    async def who(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(writer.get_extra_info("peername")[0].encode())
        writer.close()

    await pumps.backend(who)
    pumps.source = "127.101.80.1"
    reader, writer = await pumps.connect("127.0.0.7")
    assert (await reader.read()).decode() == "127.101.80.1"
    writer.close()


async def test_an_endpoint_that_refuses_is_passed_over(pumps: Pumps) -> None:
    gone = await refused_port()
    pumps.targets.append(gone)
    await pumps.backend(echo)
    reader, writer = await pumps.connect()
    writer.write(b"x")
    writer.write_eof()
    assert await reader.read() == b"x<end>"
    assert [tried for _, tried in pumps.asked] == [frozenset(), frozenset({gone})]
    writer.close()


@pytest.mark.parametrize("refused", [0, 2])
async def test_without_an_endpoint_the_connection_is_reset(pumps: Pumps, refused: int) -> None:
    pumps.targets += [await refused_port() for _ in range(refused)]
    sock = socket.create_connection(pumps.address)
    sock.setblocking(False)
    with sock, pytest.raises(ConnectionResetError):
        await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 1), 5)
    await drained(pumps)


async def test_a_reset_behind_is_a_reset_in_front(pumps: Pumps) -> None:
    async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    await pumps.backend(slam)
    reader, writer = await pumps.connect()
    writer.write(b"x")
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await drained(pumps)


async def test_a_slow_reader_holds_back_a_fast_sender(pumps: Pumps) -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        for _ in range(1600):
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536
        writer.close()

    await pumps.backend(flood)
    reader, writer = await pumps.connect()
    await asyncio.sleep(0.3)
    held = sent
    assert held < 40 << 20, "a sender of 100 MiB ran ahead of a reader that read nothing"
    digest, size = hashlib.sha256(), 0
    while data := await reader.read(1 << 20):
        digest.update(data)
        size += len(data)
    assert size == 1600 * 65536
    writer.close()


async def test_a_client_that_leaves_early_leaves_nothing(pumps: Pumps) -> None:
    seen = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == b""
        seen.set()
        writer.close()

    await pumps.backend(wait)
    _, writer = await pumps.connect()
    await asyncio.sleep(0.05)
    writer.close()
    await asyncio.wait_for(seen.wait(), 5)
    await drained(pumps)
