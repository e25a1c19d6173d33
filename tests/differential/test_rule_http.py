"""Retries, faults, CORS and websockets of RouteRules: the same translation, on a real Envoy and on our proxy."""

import asyncio
import re
import time
from collections.abc import AsyncIterator

import planes as both
import pytest
import pytest_asyncio
import yaml

from mesh.translate.gateway import gateway

pytestmark = [pytest.mark.live, pytest.mark.timeout(60)]
ADDRESS, ORIGIN = "127.63.6.9", ("127.63.6.1", 19001)
RULES = {
    "plain": "{}",
    "retried": "{httpReqRetries: {simpleRetry: {attempts: 2, perTryTimeout: 200ms}}}",
    "once": "{httpReqRetries: {simpleRetry: {attempts: 0, perTryTimeout: 200ms}}}",
    "delayed": "{httpFault: {delay: {fixedDelay: 300ms}}}",
    "aborted": "{httpFault: {abort: {httpStatus: 418}}}",
    "never": "{httpFault: {abort: {percent: 0, httpStatus: 418}, delay: {percent: 0, fixedDelay: 5s}}}",
    "half": "{httpFault: {abort: {percent: 50, httpStatus: 418}}}",
    "both": "{httpFault: {delay: {fixedDelay: 300ms}, abort: {httpStatus: 503}}}",
    "moved": "{httpFault: {abort: {httpStatus: 418}}, redirect: {uri: /x}}",
    "cors": (
        "{corsPolicy: {allowOrigin: ['http://a.example'], allowMethods: [GET, PUT], allowHeaders: [x-a, x-b],"
        " exposeHeaders: [x-c], maxAge: 24h, allowCredentials: true}}"
    ),
    "open": "{corsPolicy: {allowOrigin: ['*']}}",
    "switch": "{websocketUpgrade: true}",
}
SERVICE = """
kind: Service
metadata: {{name: {name}}}
spec: {{clusterIP: 127.96.0.5, ports: [{{name: http, port: 80}}]}}
---
kind: EndpointSlice
metadata: {{name: {name}-x, labels: {{kubernetes.io/service-name: {name}}}}}
ports: [{{name: http, port: 19001}}]
endpoints: [{{addresses: [127.63.6.1]}}]
---
kind: Ingress
metadata: {{name: {name}}}
spec: {{rules: [{{host: {name}, http: {{paths: [{{backend: {{service: {{name: {name}, port: {{number: 80}}}}}}}}]}}}}]}}
"""


def bootstrap(port: int) -> both.Bootstrap:
    rules = [
        {"kind": "RouteRule", "metadata": {"name": name}, "spec": {"destination": {"name": name}, **_spec(text)}}
        for name, text in RULES.items()
    ]
    snapshot = both.world("---".join(SERVICE.format(name=name) for name in RULES), rules)
    return both.written(gateway(snapshot, ADDRESS, port))


def _spec(text: str) -> both.Bootstrap:
    found: both.Bootstrap = yaml.safe_load(text)
    return found


class Origin:
    """Answers as the path says, and remembers what was asked: /STATUS/TIMES fails so often before it answers 200."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                path = head.split(" ")[1]
                self.asked.append(path)
                status, _, times = path.strip("/").partition("/")
                if "upgrade: websocket" in head.lower():
                    writer.write(
                        b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n"
                    )
                    while data := await reader.read(100):
                        writer.write(data.upper())
                    break
                if status == "slow" and self.asked.count(path) <= int(times or 0):
                    await asyncio.sleep(5)
                failing = status.isdigit() and self.asked.count(path) <= int(times or 1000)
                code = int(status) if failing else 200
                own = b"access-control-allow-origin: own\r\n" if "own" in path else b""
                writer.write(b"HTTP/1.1 %d X\r\ncontent-length: 2\r\n%b\r\nok" % (code, own))
        except (asyncio.IncompleteReadError, OSError):
            pass
        writer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def planes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[tuple[int, int], Origin]]:
    origin = Origin()
    folder = tmp_path_factory.mktemp("rules")
    async with both.serving(origin, ORIGIN), both.planes(folder, ADDRESS, bootstrap, (19821, 19822)) as ports:
        yield ports, origin


Planes = tuple[tuple[int, int], Origin]
PREFLIGHT = ["access-control-request-method: PUT"]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("host", "path", "lines"),
    [
        pytest.param("plain", "/503", [], id="nobody tries again unasked"),
        pytest.param("retried", "/503/1", [], id="a 503 is tried again"),
        pytest.param("retried", "/500/2", [], id="twice"),
        pytest.param("retried", "/503/3", [], id="not three times"),
        pytest.param("retried", "/404", [], id="not what the client did wrong"),
        pytest.param("retried", "/slow/1", [], id="a slow try is tried again"),
        pytest.param("once", "/502", [], id="no attempts"),
        pytest.param("aborted", "/", [], id="abort"),
        pytest.param("never", "/", [], id="a fault for nobody"),
        pytest.param("moved", "/", [], id="a fault before a redirect"),
        pytest.param("cors", "/own", ["origin: http://a.example"], id="an origin that may"),
        pytest.param("cors", "/own", ["origin: http://b.example"], id="one that may not"),
        pytest.param("cors", "/own", [], id="no origin"),
        pytest.param("open", "/", ["origin: http://b.example"], id="any origin"),
        pytest.param("plain", "/", ["connection: upgrade", "upgrade: websocket"], id="an upgrade nobody allowed"),
    ],
)
async def test_as_a_real_envoy(planes: Planes, host: str, path: str, lines: list[str]) -> None:
    ports, origin = planes
    found = []
    for port in ports:
        origin.asked.clear()
        status, body, fields = await both.get((ADDRESS, port), path, lines, host)
        shown = [f for f in fields if not re.match("date|x-envoy-upstream-service-time|location", f)]
        found.append((status, body, shown, list(origin.asked)))
    assert found[1] == found[0]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("origin_line", ["http://a.example", "http://b.example"])
@pytest.mark.parametrize("host", ["cors", "open"])
async def test_preflights(planes: Planes, host: str, origin_line: str) -> None:
    ports, origin = planes
    found = []
    for port in ports:
        origin.asked.clear()
        reader, writer = await asyncio.open_connection(ADDRESS, port)
        lines = ["OPTIONS /own HTTP/1.1", f"host: {host}", f"origin: {origin_line}", *PREFLIGHT, "", ""]
        writer.write("\r\n".join(lines).encode())
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode().split("\r\n")
        writer.close()
        found.append(([line for line in head if not re.match("date|x-envoy-up", line)], list(origin.asked)))
    assert found[1] == found[0]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("host", "status"), [("delayed", 200), ("both", 503)])
async def test_delays(planes: Planes, host: str, status: int) -> None:
    for port in planes[0]:
        began = time.monotonic()
        assert (await both.get((ADDRESS, port), "/", host=host))[0] == status
        assert 0.295 <= time.monotonic() - began < 3  # both count in whole milliseconds


@pytest.mark.asyncio(loop_scope="module")
async def test_a_fault_for_some(planes: Planes) -> None:
    for port in planes[0]:
        seen = [(await both.get((ADDRESS, port), "/", host="half"))[0] for _ in range(200)]
        # 200 draws at one half: five standard deviations are 36.
        assert abs(seen.count(418) - 100) < 36
        assert set(seen) == {200, 418}


@pytest.mark.asyncio(loop_scope="module")
async def test_websockets(planes: Planes) -> None:
    for port in planes[0]:
        reader, writer = await asyncio.open_connection(ADDRESS, port)
        lines = ["GET /chat HTTP/1.1", "host: switch", "connection: Upgrade", "upgrade: websocket", "", ""]
        writer.write("\r\n".join(lines).encode())
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith(b"HTTP/1.1 101")
        writer.write(b"hello")
        assert await asyncio.wait_for(reader.readexactly(5), 5) == b"HELLO"
        writer.close()
