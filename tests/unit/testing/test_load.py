"""The load generator against a real server: it counts what happened and tells failures apart."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from mesh.testing.load import Load, LoadError, run


class Backend:
    """A small server on a port of its own, that remembers who called."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[web.Request] = []
        self.peers: set[tuple[str, int]] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        assert request.transport is not None
        self.peers.add(request.transport.get_extra_info("peername")[:2])
        match request.path:
            case "/slow":
                await asyncio.sleep(5)
            case "/broken":
                return web.Response(status=503, text="no healthy upstream")
            case "/missing":
                return web.Response(status=404)
            case "/cut":
                request.transport.abort()
            case "/chunks":
                stream = web.StreamResponse()
                await stream.prepare(request)
                await stream.write(b"Host: pod-2, ")
                await stream.write(b"Version: v2.0.0\n")
                return stream
        number = len(self.requests)
        return web.Response(text=f"Host: pod-{number % 2}, Version: v{1 + (number % 10 == 0)}.0.0\n")


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    state = Backend()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", state.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    state.port = runner.addresses[0][1]
    yield state
    await runner.cleanup()


async def test_counts_versions_pods_and_statuses(backend: Backend) -> None:
    answers = await run(Load(address="127.0.0.1", port=backend.port, requests=100, concurrency=4))
    assert answers.versions == {"v1.0.0": 90, "v2.0.0": 10}
    assert answers.pods == {"pod-0": 50, "pod-1": 50}
    assert answers.statuses == {200: 100}
    assert (answers.sent, answers.good, answers.errors) == (100, 100, 0)
    assert len(backend.peers) == 4


async def test_fresh_connections(backend: Backend) -> None:
    await run(Load(address="127.0.0.1", port=backend.port, requests=20, concurrency=2, keep_alive=False))
    assert len(backend.peers) == 20
    assert backend.requests[0].headers["Connection"] == "close"


async def test_a_streamed_answer_is_whole(backend: Backend) -> None:
    answers = await run(Load(address="127.0.0.1", port=backend.port, path="/chunks", requests=3, concurrency=1))
    assert answers.versions == {"v2.0.0": 3}


@pytest.mark.parametrize(
    ("path", "cause", "statuses"),
    [
        pytest.param("/slow", "timeout", {}, id="no answer in time"),
        pytest.param("/cut", "reset", {}, id="connection ended"),
        pytest.param("/broken", "503", {503: 4}, id="an answer of the server class"),
    ],
)
async def test_failures_have_a_cause(backend: Backend, path: str, cause: str, statuses: dict[int, int]) -> None:
    load = Load(address="127.0.0.1", port=backend.port, path=path, requests=4, concurrency=2, timeout_s=0.2)
    answers = await run(load)
    assert answers.causes == {cause: 4}
    assert answers.statuses == statuses
    assert (answers.good, answers.errors) == (0, 4)
    assert answers.failures[0].cause == cause


async def test_a_local_reply_is_quoted(backend: Backend) -> None:
    answers = await run(Load(address="127.0.0.1", port=backend.port, path="/broken", requests=1))
    assert answers.failures[0].detail == "no healthy upstream"


async def test_a_404_is_an_answer(backend: Backend) -> None:
    answers = await run(Load(address="127.0.0.1", port=backend.port, path="/missing", requests=2))
    assert (answers.errors, answers.statuses, answers.versions) == (0, {404: 2}, {"-": 2})


async def test_refused(unused_tcp_port: int) -> None:
    answers = await run(Load(address="127.0.0.1", port=unused_tcp_port, requests=3))
    assert answers.causes == {"refused": 3}


async def test_garbage_is_no_answer() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-door\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        answers = await run(Load(address="127.0.0.1", port=server.sockets[0].getsockname()[1], requests=1))
    assert answers.causes == {"garbled": 1}


async def test_an_answer_that_ends_with_the_connection() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nHost: a, Version: v1.0.0\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        answers = await run(Load(address="127.0.0.1", port=server.sockets[0].getsockname()[1], requests=3))
    assert answers.versions == {"v1.0.0": 3}


async def test_a_short_answer_is_a_reset() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nHost: a, Version: v1.0.0\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        answers = await run(Load(address="127.0.0.1", port=server.sockets[0].getsockname()[1], requests=1))
    assert answers.causes == {"reset": 1}


async def test_a_steady_rate(backend: Backend) -> None:
    begin = time.monotonic()
    answers = await run(Load(address="127.0.0.1", port=backend.port, requests=60, rate=200, concurrency=8))
    assert 0.29 <= time.monotonic() - begin < 2
    assert answers.sent == 60


async def test_a_stall_is_seen_by_every_request_that_was_due(backend: Backend) -> None:
    load = Load(address="127.0.0.1", port=backend.port, path="/slow", requests=5, rate=50, concurrency=1, timeout_s=0.2)
    answers = await run(load)
    assert max(answers.took_ms) > 700  # the fifth waited for four that took 200 ms each


async def test_duration_ends_the_load(backend: Backend) -> None:
    begin = time.monotonic()
    answers = await run(Load(address="127.0.0.1", port=backend.port, duration_s=0.2, rate=100))
    assert time.monotonic() - begin < 2
    assert 5 <= answers.sent <= 20


async def test_stop_ends_the_load(backend: Backend) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, stop.set)
    answers = await run(Load(address="127.0.0.1", port=backend.port), stop)
    assert answers.sent > 0
    assert answers.errors == 0


async def test_the_request_as_it_is_sent(backend: Backend) -> None:
    load = Load(
        address="127.0.0.1",
        port=backend.port,
        method="POST",
        path="/echo?a=b",
        authority="my-app",
        headers=(("x-api-version", "v2"), ("cookie", "user=jason")),
        body=b"12345",
        requests=1,
        source="127.0.0.7",
    )
    await run(load)
    seen = backend.requests[0]
    assert (seen.method, seen.path_qs, seen.host) == ("POST", "/echo?a=b", "my-app")
    assert (seen.headers["x-api-version"], seen.cookies["user"]) == ("v2", "jason")
    assert seen.content_length == 5
    assert next(iter(backend.peers))[0] == "127.0.0.7"


def test_through_a_proxy_the_target_is_absolute() -> None:
    load = Load(address="127.0.0.1", port=15001, authority="my-app", path="/x", via_proxy=True, requests=1)
    assert load.head().startswith(b"GET http://my-app/x HTTP/1.1\r\nhost: my-app\r\n")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param({"address": "10.0.0.1"}, "within this machine only", id="another machine"),
        pytest.param({"source": "192.168.1.1"}, "within this machine only", id="a source elsewhere"),
        pytest.param({"concurrency": 0}, "must be 1 to 1000", id="no clients"),
        pytest.param({"concurrency": 1001}, "must be 1 to 1000", id="too many clients"),
        pytest.param({"requests": -1}, "must be 0 to", id="less than nothing"),
        pytest.param({"rate": 0}, "more than 0", id="no rate"),
        pytest.param({"path": "/\r\nx: y"}, "line break", id="a second line in the path"),
        pytest.param({"headers": (("a", "b\nc: d"),)}, "line break", id="a second line in a header"),
    ],
)
def test_what_is_never_sent(options: dict[str, object], says: str) -> None:
    with pytest.raises(LoadError, match=says):
        Load(**{"address": "127.0.0.1", "port": 80, "requests": 1, **options})  # type: ignore[arg-type]


async def test_a_load_without_an_end_is_refused() -> None:
    with pytest.raises(LoadError, match="never end"):
        await run(Load(address="127.0.0.1", port=1))
