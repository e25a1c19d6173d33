import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mesh.node.apps import demo
from mesh.node.apps.context import AppContext, BadSetting
from mesh.node.apps.serving import Listening

ADDRESS, PORT = "127.101.79.1", 18181
CONTEXT = AppContext(
    pod_name="web-1", pod_ip=ADDRESS, node_name="node-1", namespace="default", container_name="app", image="any",
    address=ADDRESS, ports=(PORT,), volume_dir=Path("/nowhere"), labels={"app": "web", "version": "v9"},
)  # fmt: skip
PORTS = (PORT, demo.PROBE_PORT, demo.METRICS_PORT)


class Asking:
    """The application on its ports, and a client."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def text(self, path: str, port: int = PORT, method: str = "GET") -> tuple[int, str]:
        async with self.session.request(method, f"http://{ADDRESS}:{port}{path}") as answer:
            return answer.status, await answer.text()


class Running:
    """Starts the application with some environment."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.asking, self.opened = Asking(session), list[Listening]()

    async def __call__(self, context: AppContext = CONTEXT, **env: str) -> Asking:
        self.opened.append(await Listening.open(demo.build(env, context), ADDRESS, PORTS))
        return self.asking


@pytest.fixture
async def run() -> AsyncIterator[Running]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        running = Running(session)
        yield running
        for opened in running.opened:
            await opened.stop(0.0)


async def test_the_root_says_who_answers(run: Running) -> None:
    app = await run(VERSION="v1.0.0")
    assert await app.text("/") == (200, "Host: web-1, Version: v1.0.0\n")
    assert await app.text("/any/other/path?x=1") == (200, "Host: web-1, Version: v1.0.0\n")
    assert await app.text("/", method="HEAD") == (200, "")


async def test_without_a_version_the_label_says_it(run: Running) -> None:
    assert (await (await run()).text("/"))[1] == "Host: web-1, Version: v9\n"


async def test_without_either_it_is_unknown(run: Running) -> None:
    app = await run(replace(CONTEXT, labels={}))
    assert (await app.text("/"))[1] == "Host: web-1, Version: unknown\n"


async def test_echo_shows_what_arrived_in_order(run: Running) -> None:
    await run(VERSION="v1")
    body = b"x" * 100_000
    reader, writer = await asyncio.open_connection(ADDRESS, PORT)
    head = (
        f"POST /echo?a=1&b=%20 HTTP/1.1\r\nhost: shop\r\nX-B: 2\r\nx-a: 1\r\nX-B: 3\r\ncontent-length: {len(body)}\r\n"
    )
    writer.write(head.encode() + b"connection: close\r\n\r\n" + body)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    seen = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (seen["method"], seen["path"]) == ("POST", "/echo?a=1&b=%20")
    assert seen["headers"] == [["host", "shop"], ["X-B", "2"], ["x-a", "1"], ["X-B", "3"],
                               ["content-length", "100000"], ["connection", "close"]]  # fmt: skip
    assert seen["body"] == {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    assert (seen["pod"], seen["node"], seen["version"]) == ("web-1", "node-1", "v1")


async def test_echo_lets_a_careful_sender_go_on(run: Running) -> None:
    await run()
    reader, writer = await asyncio.open_connection(ADDRESS, PORT)
    writer.write(b"PUT /echo HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"ok")
    assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 200")
    writer.close()


@pytest.mark.parametrize("code", [200, 204, 304, 404, 503, 599])
async def test_status(run: Running, code: int) -> None:
    status, text = await (await run(VERSION="v1")).text(f"/status/{code}")
    assert status == code
    assert text == ("" if code in (204, 304) else f"{code} from web-1, Version: v1\n")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/status/abc", "/status/abc: 'abc' is not a whole number from 200 to 599\n"),
        ("/status/700", "/status/700: '700' is outside 200 to 599\n"),
        ("/status/", "/status/: '' is not a whole number from 200 to 599\n"),
        ("/delay/nan", "/delay/nan: 'nan' is outside 0 to 60\n"),
        ("/delay/61", "/delay/61: '61' is outside 0 to 60\n"),
        ("/delay/soon", "/delay/soon: 'soon' is not a number; 0 to 60 is wanted\n"),
        ("/bytes/-1", "/bytes/-1: '-1' is not a whole number from 0 to 4294967296\n"),
        ("/bytes/4294967297", "/bytes/4294967297: '4294967297' is outside 0 to 4294967296\n"),
        ("/stream?chunks=x", "/stream: 'x' is not a whole number from 0 to 100000\n"),
        ("/stream?interval_ms=-1", "/stream: '-1' is outside 0 to 60000\n"),
    ],
)
async def test_what_is_asked_is_bounded(run: Running, path: str, message: str) -> None:
    assert await (await run()).text(path) == (400, message)


async def test_delay(run: Running) -> None:
    app, before = await run(), time.monotonic()
    assert (await app.text("/delay/0.2"))[0] == 200
    assert time.monotonic() - before >= 0.2


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 3_000_000])
async def test_bytes(run: Running, size: int) -> None:
    app = await run()
    async with app.session.get(f"http://{ADDRESS}:{PORT}/bytes/{size}") as answer:
        assert answer.headers["content-length"] == str(size)
        assert await answer.read() == b"x" * size
    async with app.session.head(f"http://{ADDRESS}:{PORT}/bytes/{size}") as answer:
        assert answer.headers["content-length"] == str(size)


async def test_stream_comes_piece_by_piece(run: Running) -> None:
    app, pieces, before = await run(), [], time.monotonic()
    async with app.session.get(f"http://{ADDRESS}:{PORT}/stream?chunks=3&interval_ms=150") as answer:
        assert "content-length" not in answer.headers
        async for piece, _ in answer.content.iter_chunks():
            pieces.append((piece, time.monotonic() - before))
    assert [piece for piece, _ in pieces] == [b"chunk %d of 3 from web-1\n" % n for n in (1, 2, 3)]
    assert pieces[2][1] - pieces[0][1] > 0.15, "they came together"


async def test_latency_and_errors_come_from_the_environment(run: Running) -> None:
    app, before = await run(LATENCY_MS="100", ERROR_RATE="1"), time.monotonic()
    assert await app.text("/") == (500, "injected by ERROR_RATE\n")
    assert time.monotonic() - before >= 0.1
    assert (await app.text("/live", demo.PROBE_PORT))[0] == 200


async def test_probes(run: Running) -> None:
    app = await run(READY_DELAY_S="0.3")
    assert await app.text("/ready", demo.PROBE_PORT) == (503, "not ready yet\n")
    assert (await app.text("/live", demo.PROBE_PORT))[0] == 200
    assert (await app.text("/ready"))[0] == 503
    assert (await app.text("/other", demo.PROBE_PORT))[0] == 404
    await asyncio.sleep(0.35)
    assert await app.text("/ready", demo.PROBE_PORT) == (200, "ok\n")


async def test_metrics_count_requests_by_code(run: Running) -> None:
    app = await run(replace(CONTEXT, labels={"app": 'we"b'}), VERSION="v1")
    for path in ("/", "/", "/status/503"):
        await app.text(path)
    await app.text("/live", demo.PROBE_PORT)
    _, text = await app.text("/metrics", demo.METRICS_PORT)
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        r'http_requests_total{app="we\"b",version="v1",code="200"} 2',
        r'http_requests_total{app="we\"b",version="v1",code="503"} 1',
    ]


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"LATENCY_MS": "abc"}, "environment variable LATENCY_MS: 'abc' is not a number; 0 to 60000 is wanted"),
        ({"LATENCY_MS": "-1"}, "environment variable LATENCY_MS: '-1' is outside 0 to 60000"),
        ({"ERROR_RATE": "1.5"}, "environment variable ERROR_RATE: '1.5' is outside 0 to 1"),
        ({"READY_DELAY_S": "inf"}, "environment variable READY_DELAY_S: 'inf' is outside 0 to 3600"),
    ],
)
def test_a_bad_setting_is_named(env: Mapping[str, str], message: str) -> None:
    with pytest.raises(BadSetting) as caught:
        demo.build(env, CONTEXT)
    assert str(caught.value) == message


async def test_a_client_that_leaves_does_not_disturb(run: Running, caplog: Any) -> None:
    app = await run()
    for path in ("/bytes/100000000", "/stream?chunks=1000&interval_ms=1"):
        reader, writer = await asyncio.open_connection(ADDRESS, PORT)
        writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        await reader.readexactly(100)
        writer.close()
    await asyncio.sleep(0.1)
    assert (await app.text("/"))[0] == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
