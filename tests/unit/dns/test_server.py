import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import dns.asyncquery
import dns.message
import dns.rcode
import pytest

from mesh.api.services import Service
from mesh.dns import stream as module
from mesh.dns.server import DnsServer
from mesh.dns.zone import View, view
from mesh.runtime.net import BindError

NAME = "web.default.svc.cluster.local"


def one(address: str) -> View:
    spec = {"clusterIP": address, "ports": [{"name": "http", "port": 80}]}
    return view([Service.model_validate({"metadata": {"name": "web", "namespace": "default"}, "spec": spec})], [])


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    running = DnsServer(lambda: one("127.96.0.5"), "127.0.0.1", 0)
    await running.start()
    yield running
    await running.close()
    await running.close()


async def leave(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionResetError):
        await writer.wait_closed()


def frame(query: dns.message.Message) -> bytes:
    wire = query.to_wire()
    return len(wire).to_bytes(2) + wire


async def test_udp_and_tcp_answer_on_one_port(server: DnsServer) -> None:
    query = dns.message.make_query(NAME, "A")
    over_udp = await dns.asyncquery.udp(query, server.address, port=server.port, timeout=5)
    over_tcp = await dns.asyncquery.tcp(query, server.address, port=server.port, timeout=5)
    assert over_udp.answer == over_tcp.answer
    assert over_udp.answer[0].to_text() == f"{NAME}. 5 IN A 127.96.0.5"


async def test_every_question_sees_the_latest_view(server: DnsServer) -> None:
    server.view = lambda: one("127.96.0.6")
    answer = await dns.asyncquery.udp(dns.message.make_query(NAME, "A"), server.address, port=server.port, timeout=5)
    assert answer.answer[0][0].to_text() == "127.96.0.6"


async def test_garbage_is_survived(server: DnsServer) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for junk in (b"", b"x", b"\xff" * 40, b"\x00" * 12):
            sock.sendto(junk, (server.address, server.port))
    answer = await dns.asyncquery.udp(dns.message.make_query(NAME, "A"), server.address, port=server.port, timeout=5)
    assert answer.rcode() == dns.rcode.NOERROR


async def test_tcp_answers_many_questions_in_order_however_they_are_cut(server: DnsServer) -> None:
    reader, writer = await asyncio.open_connection(server.address, server.port)
    queries = [dns.message.make_query(NAME, "A", id=number) for number in (1, 2, 3)]
    stream = b"".join(frame(query) for query in queries)
    for start in range(0, len(stream), 7):
        writer.write(stream[start : start + 7])
        await writer.drain()
        await asyncio.sleep(0)
    for query in queries:
        size = int.from_bytes(await asyncio.wait_for(reader.readexactly(2), 5))
        assert dns.message.from_wire(await reader.readexactly(size)).id == query.id
    await leave(writer)


async def test_tcp_closes_on_what_cannot_be_a_question(server: DnsServer) -> None:
    reader, writer = await asyncio.open_connection(server.address, server.port)
    writer.write(b"\x00\x03abc")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    await leave(writer)


async def test_idle_tcp_connections_are_closed(server: DnsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TCP_IDLE_S", 0.05)
    reader, writer = await asyncio.open_connection(server.address, server.port)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readexactly(1), 5)
    await leave(writer)
    assert not len(server.streams)


async def test_with_too_many_tcp_connections_the_longest_silent_one_goes(
    server: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_TCP_CONNECTIONS", 2)
    opened = [await asyncio.open_connection(server.address, server.port) for _ in range(2)]
    await ask(*opened[0])
    opened.append(await asyncio.open_connection(server.address, server.port))
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(opened[1][0].readexactly(1), 5)
    for at in (0, 2):
        assert await ask(*opened[at]) == dns.rcode.NOERROR
    for _, writer in opened:
        await leave(writer)


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    writer.write(frame(dns.message.make_query(NAME, "A")))
    size = int.from_bytes(await asyncio.wait_for(reader.readexactly(2), 5))
    return dns.message.from_wire(await reader.readexactly(size)).rcode()


async def test_a_taken_port_is_one_clear_error(server: DnsServer) -> None:
    second = DnsServer(server.view, server.address, server.port)
    with pytest.raises(BindError, match=rf"cannot listen on 127\.0\.0\.1:{server.port}: .* in use"):
        await second.start()


async def test_a_port_taken_for_udp_alone_leaves_nothing_bound() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.61.53.1", 0))
        port = sock.getsockname()[1]
        with pytest.raises(BindError):
            await DnsServer(lambda: one("127.96.0.5"), "127.61.53.1", port).start()
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.61.53.1", port))


async def test_other_addresses_than_loopback_are_refused() -> None:
    with pytest.raises(BindError, match="loopback"):
        await DnsServer(lambda: one("127.96.0.5"), "192.0.2.1", 0).start()
