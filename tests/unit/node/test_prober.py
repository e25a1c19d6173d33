import asyncio
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mesh.api.core import Container, Probe
from mesh.node import probes
from mesh.node.prober import Prober, ask
from mesh.runtime.clock import SystemClock

CONTAINER = Container.model_validate({"name": "app", "ports": [{"name": "http", "containerPort": 9}]})


class Server:
    """Answers with what it is told to, and keeps the heads that came."""

    def __init__(self) -> None:
        self.answer = b"HTTP/1.1 200 OK\r\n\r\n"
        self.heads: list[str] = []
        self.times: list[float] = []
        self.delay_s = 0.0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.times.append(time.monotonic())
        try:
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        except asyncio.IncompleteReadError:
            self.heads.append("")
        await asyncio.sleep(self.delay_s)
        try:
            writer.write(self.answer)
            writer.close()
            await writer.wait_closed()
        except OSError:
            pass  # a prober that is tired of waiting has left


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    yield made
    listening.close()
    await asyncio.sleep(made.delay_s)


def http(port: int, **fields: Any) -> Probe:
    return Probe.model_validate({"httpGet": {"port": port, **fields}, "periodSeconds": 1})


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", None, id="200"),
        pytest.param(b"HTTP/1.1 302 Found\r\n\r\n", None, id="302"),
        pytest.param(b"HTTP/1.1 503 X\r\n\r\n", "HTTP probe failed with statuscode: 503 Service Unavailable", id="503"),
        pytest.param(b"", "the connection was closed before an answer came", id="nothing"),
        pytest.param(b"hello\r\n", "HTTP probe failed with statuscode: 0", id="no HTTP"),
    ],
)
async def test_http(server: Server, answer: bytes, problem: str | None) -> None:
    server.answer = answer
    assert await ask(http(server.port, path="/ready"), CONTAINER, "127.0.0.1") == problem


async def test_the_question_is_a_kubelets(server: Server) -> None:
    headers = [{"name": "X-Probe", "value": "1"}]
    await ask(http(server.port, path="ready?x=1", host="shop", httpHeaders=headers), CONTAINER, "127.0.0.1")
    assert server.heads == [
        (
            f"GET /ready?x=1 HTTP/1.1\r\nhost: shop:{server.port}\r\nuser-agent: kube-probe/1.32\r\n"
            "connection: close\r\nx-probe: 1\r\n\r\n"
        )
    ]


@pytest.mark.parametrize("fields", [{"path": "/a\r\nx: y"}, {"httpHeaders": [{"name": "x", "value": "a\nb"}]}])
async def test_a_control_character_is_not_sent(server: Server, fields: dict[str, Any]) -> None:
    assert "control character" in (await ask(http(server.port, **fields), CONTAINER, "127.0.0.1") or "")
    assert server.heads == []


async def test_a_slow_answer_is_a_failure(server: Server) -> None:
    server.delay_s = 1.5
    assert await ask(http(server.port), CONTAINER, "127.0.0.1") == "no answer within 1 s"


async def test_tcp(server: Server) -> None:
    probe = Probe.model_validate({"tcpSocket": {"port": server.port}})
    assert await ask(probe, CONTAINER, "127.0.0.1") is None
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        free = sock.getsockname()[1]
    gone = Probe.model_validate({"tcpSocket": {"port": free}})
    assert await ask(gone, CONTAINER, "127.0.0.1") == "dial tcp 127.0.0.1: connection refused"


async def test_a_port_name_is_looked_up() -> None:
    problem = await ask(Probe.model_validate({"tcpSocket": {"port": "none"}}), CONTAINER, "127.0.0.1")
    assert problem == "probe port 'none': container app has no port of that name"


Told = list[tuple[bool | None, bool, bool, str]]


def prober(server: Server, told: Told, **fields: Any) -> Prober:
    def hear(track: probes.Track, noted: probes.Noted, problem: str) -> None:
        told.append((track.value, noted.flipped, noted.counted, problem))

    probe = http(server.port)
    for name, value in fields.items():
        setattr(probe, name, value)
    return Prober("readiness", probe, CONTAINER, "127.0.0.1", SystemClock(), hear)


async def test_a_start_is_asked_soon_and_often(server: Server) -> None:
    server.answer, told = b"HTTP/1.1 503 X\r\n\r\n", Told()
    asking = prober(server, told)
    asking.start()
    await asyncio.sleep(0.25)
    server.answer = b"HTTP/1.1 200 OK\r\n\r\n"
    await asyncio.sleep(0.4)
    asking.stop()
    assert told == [
        (False, False, True, "HTTP probe failed with statuscode: 503 Service Unavailable"),
        (True, True, False, ""),
    ]
    assert 4 <= len(server.heads) <= 5  # after 0, 20, 60, 140, 300 ms, and then not for a period


async def test_the_initial_delay_is_kept(server: Server) -> None:
    told = Told()
    asking = prober(server, told, initial_delay_seconds=1)
    started = time.monotonic()
    asking.start()
    await asyncio.sleep(1.2)
    asking.stop()
    assert [at - started >= 0.99 for at in server.times] == [True]


async def test_a_stopped_prober_is_silent(server: Server) -> None:
    server.delay_s, told = 0.2, Told()
    asking = prober(server, told)
    asking.start()
    await asyncio.sleep(0.1)
    asking.stop()
    await asyncio.sleep(0.3)
    assert (told, len(server.heads)) == ([], 1)
