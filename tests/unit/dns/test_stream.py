import asyncio
import contextlib
import random
import resource
import socket
import struct
from collections.abc import AsyncIterator

import dns.asyncquery
import dns.message
import dns.rcode
import pytest

from mesh.api.services import EndpointSlice, Service
from mesh.dns import stream as module
from mesh.dns.server import DnsServer
from mesh.dns.view import View, view
from mesh.dns.zone import CIRCLE

NAME = "kv.default.svc.cluster.local"
PODS = 500


def cluster() -> View:
    meta = {"name": "kv-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "kv"}}
    endpoints = [{"addresses": [f"127.244.{i // 250}.{i % 250 + 1}"], "hostname": f"kv-{i}"} for i in range(PODS)]
    slices = [EndpointSlice.model_validate({"metadata": meta, "endpoints": endpoints, "ports": [{"port": 80}]})]
    specs: dict[str, dict[str, object]] = {
        "kv": {"clusterIP": "None"},
        "ping": {"type": "ExternalName", "externalName": "pong.default.svc.cluster.local"},
        "pong": {"type": "ExternalName", "externalName": "ping.default.svc.cluster.local"},
    }
    named = [{"metadata": {"name": name, "namespace": "default"}, "spec": spec} for name, spec in specs.items()]
    return view([Service.model_validate(each) for each in named], slices)


VIEW = cluster()


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    running = DnsServer(lambda: VIEW, "127.0.0.1", 0)
    await running.start()
    yield running
    await running.close()


async def alive(server: DnsServer) -> None:
    """It answers over both transports."""
    query = dns.message.make_query(f"kv-7.{NAME}", "A")
    for send in (dns.asyncquery.udp, dns.asyncquery.tcp):
        answer = await send(query, server.address, port=server.port, timeout=5)
        assert answer.answer[0][0].to_text() == "127.244.0.8"


async def leave(writer: asyncio.StreamWriter, *, abruptly: bool = False) -> None:
    writer.transport.abort() if abruptly else writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def frame(wire: bytes) -> bytes:
    return len(wire).to_bytes(2) + wire


async def test_a_client_that_never_reads_costs_no_more_than_its_buffers(server: DnsServer) -> None:
    _, writer = await asyncio.open_connection(server.address, server.port, limit=1024)
    whole = frame(dns.message.make_query(NAME, "A").to_wire())
    with contextlib.suppress(ConnectionError):
        for _ in range(100):  # 100 x 200 questions whose answers are 8 KB each: 160 MB
            writer.write(whole * 200)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await writer.drain()
    (stream,) = server.streams._open
    assert len(stream._buffer) < 2 * module.LONGEST_FRAME + (1 << 18)
    assert stream._transport.get_write_buffer_size() < 1 << 20
    await alive(server)
    await leave(writer, abruptly=True)


async def test_many_questions_in_one_piece_are_all_answered(server: DnsServer) -> None:
    reader, writer = await asyncio.open_connection(server.address, server.port)
    count = 3 * module.AT_ONCE + 5
    writer.write(b"".join(frame(dns.message.make_query(f"kv-{i}.{NAME}", "A", id=i).to_wire()) for i in range(count)))
    writer.write_eof()  # and nothing more: what was asked is answered all the same
    for i in range(count):
        size = int.from_bytes(await asyncio.wait_for(reader.readexactly(2), 5))
        assert int.from_bytes((await reader.readexactly(size))[:2]) == i
    assert await asyncio.wait_for(reader.read(), 5) == b""
    await leave(writer)


async def test_others_are_answered_while_one_asks_without_end(server: DnsServer) -> None:
    reader, writer = await asyncio.open_connection(server.address, server.port)
    wire = frame(dns.message.make_query(f"kv-1.{NAME}", "A").to_wire())

    async def flood() -> None:
        while True:
            writer.write(wire * 500)
            await writer.drain()
            await reader.read(1 << 16)

    flooding = asyncio.create_task(flood())
    for _ in range(20):
        await alive(server)
    flooding.cancel()
    await asyncio.gather(flooding, return_exceptions=True)
    await leave(writer, abruptly=True)


async def test_one_byte_at_a_time_is_no_life(server: DnsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TCP_IDLE_S", 0.1)
    reader, writer = await asyncio.open_connection(server.address, server.port)
    began = asyncio.get_running_loop().time()
    with contextlib.suppress(ConnectionError):
        for byte in frame(dns.message.make_query(NAME, "A").to_wire() * 5):
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(0.01)
            if reader.at_eof():
                break
        await reader.read()
    await leave(writer)
    assert asyncio.get_running_loop().time() - began < 2
    assert not len(server.streams)
    await alive(server)


async def test_thousands_of_silent_connections_keep_nobody_out(server: DnsServer) -> None:
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(2000, allowed // 2 - 100)
    sockets = []
    for _ in range(count):
        sock = socket.socket()
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (server.address, server.port))
        sockets.append(sock)
    await alive(server)
    assert len(server.streams) <= module.MAX_TCP_CONNECTIONS
    for sock in sockets:
        sock.close()


def garbage(rng: random.Random) -> bytes:
    """A packet that is broken in some way, or is none at all."""
    if rng.random() < 0.3:
        return rng.randbytes(rng.randint(0, 600))
    query = dns.message.make_query(
        rng.choice((NAME, f"ping.{NAME[3:]}", "x.example.com")), rng.choice(("A", "SRV", "ANY"))
    )
    if rng.random() < 0.5:
        query.use_edns(0, payload=rng.randint(0, 65535))
    wire = bytearray(query.to_wire())
    for _ in range(rng.randint(1, 5)):
        wire[rng.randrange(len(wire))] = rng.randrange(256)
    cut = rng.randint(0, len(wire)) if rng.random() < 0.5 else len(wire)
    return bytes(wire[:cut]) + rng.randbytes(rng.choice((0, 0, 5)))


@pytest.mark.parametrize("seed", range(3))
async def test_garbage_over_udp(server: DnsServer, seed: int) -> None:
    rng = random.Random(seed)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((server.address, server.port))
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        answered = 0
        for _ in range(1000):
            wire = garbage(rng)
            sock.send(wire)
            if len(wire) >= 12 and not wire[2] & 0x80:  # what has an id and is no answer gets one
                answer = await asyncio.wait_for(loop.sock_recv(sock, 65535), 5)
                assert answer[:2] == wire[:2]
                assert answer[2] & 0x80
                answered += 1
    await alive(server)
    assert answered > 100


@pytest.mark.parametrize("seed", range(3))
async def test_garbage_over_tcp_and_lengths_that_lie(server: DnsServer, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(60):
        _, writer = await asyncio.open_connection(server.address, server.port)
        for _ in range(rng.randint(1, 10)):
            wire = garbage(rng)
            size = rng.choice((len(wire), 0, 1, 65535, rng.randint(0, 700)))
            writer.write(struct.pack("!H", size) + wire)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        await leave(writer, abruptly=rng.random() < 0.5)
    await alive(server)


async def test_names_in_a_circle_get_an_answer_that_says_so(server: DnsServer) -> None:
    query = dns.message.make_query("ping.default.svc.cluster.local", "A", use_edns=0)
    answer = await dns.asyncquery.udp(query, server.address, port=server.port, timeout=5)
    assert answer.rcode() == dns.rcode.NOERROR
    assert len(answer.answer) == 2
    assert CIRCLE in str(answer.options[0])
