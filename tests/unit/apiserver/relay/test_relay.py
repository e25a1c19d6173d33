"""Bytes go through the API server to a node and back: whatever protocol they are."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from mesh.apiserver.registry import Registry, index
from mesh.apiserver.relay import relay
from mesh.apiserver.server import ApiServer
from mesh.runtime.clock import SystemClock
from mesh.store import Store

PODS = "/api/v1/namespaces/default/pods"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Node:
    """Stands for a node: what it was asked, and what it does then."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.left = asyncio.Event()
        self.answer: Serve = self.echo

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        await self.answer(reader, writer)
        writer.close()

    async def echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\n\r\n")
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        self.left.set()


@pytest_asyncio.fixture
async def node() -> AsyncIterator[Node]:
    yield Node()


@pytest_asyncio.fixture
async def api(node: Node) -> AsyncIterator[ApiServer]:
    """An API server that knows a node, and the pods `web` on it, `lost` on one that is away, `waits` on none."""
    backend = await asyncio.start_server(node.serve, "127.0.0.1", 0)
    clock = SystemClock()
    registry = Registry(Store(None, clock.wall(), index), clock, random.Random(1))

    def made(kind: str, name: str, spec: dict[str, Any], port: int = 0) -> dict[str, Any]:
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        }
        namespace = {} if kind == "Node" else {"namespace": "default"}
        obj = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **namespace}, "spec": spec}
        return {**obj, "status": status} if kind == "Node" else obj

    port = backend.sockets[0].getsockname()[1]
    where = {"web": "node-1", "lost": "node-2", "waits": ""}
    registry.bootstrap(
        [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}},
            made("Node", "node-1", {}, port),
            made("Node", "node-2", {}, 1),
            *(
                made("Pod", name, {"containers": [{"name": "main", "image": "x"}], **({"nodeName": at} if at else {})})
                for name, at in where.items()
            ),
        ]
    )
    server = ApiServer(registry, "127.0.0.1", 0)
    await server.start()
    yield server
    await server.close()
    backend.close()


async def ask(api: ApiServer, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.request(method, api.url + path, headers=headers) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize(
    ("path", "method", "code", "says"),
    [
        (f"{PODS}/nope/log", "GET", 404, r"pods \"nope\" not found"),
        (f"{PODS}/waits/log", "GET", 400, "does not have a host assigned"),
        (f"{PODS}/lost/log", "GET", 500, "error dialing backend: 127.0.0.1:1"),
        (f"{PODS}/web/log?container=x", "GET", 400, "container x is not valid for pod web"),
        (f"{PODS}/web/log", "POST", 405, "not supported"),
        (f"{PODS}/web/exec?command=ls", "GET", 400, "Upgrade request required"),
        (f"{PODS}/web/exec?command=ls", "DELETE", 405, "not supported"),
        ("/api/v1/namespaces/default/log", "GET", 404, ""),
    ],
)
async def test_what_is_refused_is_refused_before_the_node(
    api: ApiServer, node: Node, path: str, method: str, code: int, says: str
) -> None:
    status, text = await ask(api, path, method)
    assert (status, says in text, node.asked) == (code, True, [])


async def test_a_log_is_the_nodes_answer(api: ApiServer, node: Node) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\none\ntwo\n")

    node.answer = answer
    assert await ask(api, f"{PODS}/web/log?tailLines=2&follow=true") == (200, "one\ntwo\n")
    assert node.asked[0].startswith("GET /containerLogs/default/web/main?tailLines=2&follow=true HTTP/1.1\r\n")


async def upgraded(api: ApiServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(
        f"POST {PODS}/web/exec?command=cat&stdin=true HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: secret\r\n"
        "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n"
        "X-Stream-Protocol-Version: v3.channel.k8s.io\r\n\r\n".encode()
    )
    assert b"101" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    return reader, writer


async def test_an_upgrade_carries_megabytes_both_ways(api: ApiServer, node: Node) -> None:
    reader, writer = await upgraded(api)
    sent = random.Random(1).randbytes(4_000_000)
    reading = asyncio.ensure_future(reader.readexactly(len(sent)))
    writer.write(sent)
    await writer.drain()
    assert await asyncio.wait_for(reading, 20) == sent
    assert node.asked[0].count("X-Stream-Protocol-Version") == 2
    assert "Cookie" not in node.asked[0]
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    assert (await ask(api, "/healthz"))[0] == 200


async def test_who_does_not_read_is_not_buffered_for(api: ApiServer, node: Node) -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    node.answer = flood
    _, writer = await upgraded(api)
    await asyncio.sleep(0.5)
    held = sent
    await asyncio.sleep(0.3)
    assert (sent == held, held < 50_000_000) == (True, True)
    writer.transport.abort()


async def test_a_client_that_leaves_is_felt_by_the_node(api: ApiServer, node: Node) -> None:
    _, writer = await upgraded(api)
    writer.transport.abort()
    await asyncio.wait_for(node.left.wait(), 5)


async def test_a_node_that_dies_ends_the_clients_stream(api: ApiServer, node: Node) -> None:
    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\n\r\n")
        await writer.drain()
        writer.transport.abort()

    node.answer = die
    reader, writer = await upgraded(api)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_sessions_are_bounded_and_given_back(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "MAX_SESSIONS", 1)
    _, writer = await upgraded(api)
    assert (await ask(api, f"{PODS}/web/log"))[0] == 429
    writer.transport.abort()
    for _ in range(100):
        await asyncio.sleep(0.02)
        if not api._resources._relay._sessions:
            return
    pytest.fail("the session still counts")
