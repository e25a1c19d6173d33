"""Malformed and hostile calls against an API server in a process of its own.

Each gets the Status that a cluster gives; afterwards the process is up, small, and has lost nothing that it had
acknowledged.
"""

import asyncio
import contextlib
import http.client
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

pytestmark = pytest.mark.live

SERVER = """
import asyncio, pathlib, random, sys
from mesh.apiserver.registry import Registry, index
from mesh.apiserver.server import ApiServer
from mesh.runtime.clock import SystemClock
from mesh.store import Store

async def serve():
    clock = SystemClock()
    registry = Registry(Store(pathlib.Path(sys.argv[1]), clock.wall(), index), clock, random.Random(1))
    registry.bootstrap([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}])
    server = ApiServer(registry, "127.0.0.1", 0)
    await server.start()
    print(server.url, flush=True)
    await asyncio.Event().wait()

asyncio.run(serve())
"""
MAPS, PODS = "/api/v1/namespaces/default/configmaps", "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
RULES = "/apis/config.istio.io/v1alpha2/namespaces/default/routerules"
JSON, YAML = {"Content-Type": "application/json"}, {"Content-Type": "application/yaml"}
JSON_PATCH, MERGE = {"Content-Type": "application/json-patch+json"}, {"Content-Type": "application/merge-patch+json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}
MOST_RSS_MB = 200
MOST_RSS_WATCHED_MB = 400


class Server:
    """The process, and calls to it that nothing tidies up on the way."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.process, self.host, self.port = process, urlsplit(url).hostname or "", urlsplit(url).port or 0

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        try:
            connection.putrequest(method, path, skip_host="Host" in (headers or {}))
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders()
            try:
                connection.send(body or b"")
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before all of it was sent; the answer is there all the same
            answer = connection.getresponse()
            data = answer.read()
            is_json = answer.headers.get_content_type() == "application/json"
            return answer.status, orjson.loads(data) if is_json else data, dict(answer.headers)
        finally:
            connection.close()

    def raw(self, data: bytes) -> bytes:
        with socket.create_connection((self.host, self.port), timeout=20) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            received = b""
            while chunk := sock.recv(65536):
                received += chunk
            return received

    def rss_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@contextlib.contextmanager
def serving(state: Path) -> Iterator[Server]:
    """A server on that state file, as a mesh has it; killed at the end."""
    with subprocess.Popen([sys.executable, "-c", SERVER, str(state)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Server(process, process.stdout.readline().strip())
        finally:
            process.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("state") / "state.db") as found:
        yield found


@pytest.fixture(autouse=True)
def nothing_is_lost(server: Server) -> Iterator[None]:
    status, kept, _ = server.call("GET", f"{MAPS}/kept")
    if status == 404:
        _, kept, _ = server.call("POST", MAPS, config_map("kept", data={"a": "b"}), JSON)
    yield
    assert server.process.poll() is None
    assert server.call("GET", f"{MAPS}/kept")[:2] == (200, kept)
    assert server.rss_mb() < MOST_RSS_WATCHED_MB


def config_map(name: str, meta: dict[str, Any] | None = None, **fields: Any) -> bytes:
    return orjson.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **(meta or {})}, **fields})


def deployment(name: str = "web", **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "httpd:2.4"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }


BOMB = b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 10)
)
COPIES = orjson.dumps(
    [{"op": "copy", "from": "/data", "path": f"/metadata/annotations/{n}"} for n in range(2)]
    + [{"op": "copy", "from": "/metadata/annotations", "path": f"/metadata/annotations/x{n}"} for n in range(40)]
)
TOWER = orjson.dumps([{"op": "add", "path": "/metadata/annotations" + "/a" * n, "value": {}} for n in range(900)])
DEEP = (
    b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","annotations":' + b'{"a":' * 500 + b"1" + b"}" * 502
)
ANNOTATED = config_map("x", meta={"annotations": {"a": "x" * 1_000_000}})


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "reason"),
    [
        pytest.param("POST", MAPS, JSON, b"{", 400, "BadRequest", id="half-an-object"),
        pytest.param("POST", MAPS, JSON, b"", 400, "BadRequest", id="empty"),
        pytest.param("POST", MAPS, JSON, b'{"a":"\xff\xfe"}', 400, "BadRequest", id="not-utf8"),
        pytest.param("POST", MAPS, JSON, b'{"a":NaN}', 400, "BadRequest", id="nan"),
        pytest.param("POST", MAPS, JSON, b"[]", 400, "BadRequest", id="list"),
        pytest.param("POST", MAPS, JSON, b"7", 400, "BadRequest", id="number"),
        pytest.param("POST", MAPS, JSON, b"null", 400, "BadRequest", id="null"),
        pytest.param("POST", MAPS, JSON, b'{"metadata":[]}', 422, "Invalid", id="metadata-is-a-list"),
        pytest.param("POST", MAPS, JSON, b"[" * 100_000, 400, "BadRequest", id="a-hundred-thousand-brackets"),
        pytest.param("POST", MAPS, JSON, DEEP, 400, "BadRequest", id="nested-500-deep"),
        pytest.param("POST", MAPS, YAML, b"[" * 100_000, 400, "BadRequest", id="yaml-brackets"),
        pytest.param("POST", MAPS, YAML, BOMB, 400, "BadRequest", id="alias-bomb"),
        pytest.param("POST", MAPS, YAML, b"a: &a [*a]", 400, "BadRequest", id="alias-of-itself"),
        pytest.param("POST", MAPS, YAML, b"a: !!python/object/apply:os.abort []", 400, "BadRequest", id="yaml-tag"),
        pytest.param("PATCH", f"{MAPS}/x?fieldManager=m", APPLY, BOMB, 400, "BadRequest", id="alias-bomb-applied"),
        pytest.param("POST", MAPS, JSON, b" " * 10_485_760, 413, "RequestEntityTooLarge", id="ten-mebibytes"),
        pytest.param("POST", MAPS, JSON, ANNOTATED, 422, "Invalid", id="annotation-of-a-megabyte"),
        pytest.param("POST", MAPS, {"Content-Type": "text/csv"}, b"{}", 415, "UnsupportedMediaType", id="csv"),
        pytest.param("PATCH", f"{MAPS}/kept", JSON, b"{}", 415, "UnsupportedMediaType", id="patch-as-json"),
        pytest.param(
            "POST", MAPS, {"Content-Type": "application/vnd.kubernetes.protobuf"}, b"k8s\0\xff\xff\xff\xff\xff\xff",
            400, "BadRequest", id="broken-protobuf",
        ),
        pytest.param(
            "PATCH", f"{RULES}/x", {"Content-Type": "application/strategic-merge-patch+json"}, b"{}",
            415, "UnsupportedMediaType", id="strategic-patch-of-a-custom-kind",
        ),
        pytest.param("PATCH", f"{MAPS}/kept", MERGE, b"[]", 400, "BadRequest", id="merge-patch-is-a-list"),
        pytest.param("PATCH", f"{MAPS}/kept", JSON_PATCH, b'[{"op":"fly"}]', 400, "BadRequest", id="unknown-operation"),
        pytest.param(
            "PATCH", f"{MAPS}/kept", JSON_PATCH, b'[{"op":"remove","path":"/data/zzz"}]', 422, "Invalid",
            id="patch-that-does-not-fit",
        ),
        pytest.param("PATCH", f"{MAPS}/noted", JSON_PATCH, COPIES, 413, "RequestEntityTooLarge", id="copies-of-copies"),
        pytest.param("PATCH", f"{MAPS}/noted", JSON_PATCH, TOWER, 400, "BadRequest", id="tower-by-patch"),
        pytest.param(
            "PATCH", f"{MAPS}/kept", JSON_PATCH, b"[" + b'{"op":"test","path":""},' * 20_000 + b"{}]", 413,
            "RequestEntityTooLarge", id="many-operations",
        ),
        pytest.param(
            "PUT", f"{MAPS}/kept", JSON, config_map("kept", meta={"resourceVersion": "1"}), 409, "Conflict",
            id="stale-version",
        ),
        pytest.param(
            "DELETE", f"{MAPS}/kept", JSON, b'{"preconditions":{"resourceVersion":"1"}}', 409, "Conflict",
            id="stale-delete",
        ),
        pytest.param("PUT", f"{MAPS}/kept", JSON, config_map("other"), 400, "BadRequest", id="other-name"),
        pytest.param(
            "POST", f"{DEPLOYMENTS}?fieldValidation=Strict", JSON, orjson.dumps(deployment(replics=1)),
            400, "BadRequest", id="unknown-field",
        ),
        pytest.param(
            "POST", DEPLOYMENTS, JSON, orjson.dumps(deployment()).replace(b'"spec"', b'"spec":{"replicas":1e99},"spec"', 1)
            .replace(b'"selector"', b'"replicas":1e99,"selector"', 1), 422, "Invalid", id="replicas-beyond-all",
        ),
        pytest.param(
            "POST", DEPLOYMENTS, JSON, orjson.dumps(deployment(replicas=2**40)), 422, "Invalid", id="replicas-beyond-int32",
        ),
        pytest.param("POST", MAPS, JSON, config_map("../../etc"), 422, "Invalid", id="name-with-slashes"),
        pytest.param("POST", MAPS, JSON, config_map("A b"), 422, "Invalid", id="name-with-blanks"),
        pytest.param("POST", MAPS, JSON, config_map("x" * 300), 422, "Invalid", id="long-name"),
        pytest.param("POST", MAPS, JSON, config_map("x\x00y"), 422, "Invalid", id="name-with-a-zero"),
        pytest.param("GET", f"{MAPS}/..%2f..%2fetc", {}, None, 400, "BadRequest", id="encoded-slashes"),
        pytest.param("GET", f"{MAPS}/%2e%2e", {}, None, 400, "BadRequest", id="encoded-dots"),
        pytest.param("GET", f"{MAPS}/%00", {}, None, 400, "BadRequest", id="encoded-zero"),
        pytest.param("GET", f"{MAPS}/a%0d%0aSet-Cookie:x", {}, None, 400, "BadRequest", id="encoded-lines"),
        pytest.param("GET", f"{MAPS}/%252e", {}, None, 400, "BadRequest", id="encoded-twice"),
        pytest.param("GET", f"{MAPS}/{'x' * 3000}", {}, None, 400, "BadRequest", id="long-path"),
        pytest.param("GET", f"{PODS}?labelSelector=a+in+(", {}, None, 400, "BadRequest", id="half-a-selector"),
        pytest.param("GET", f"{PODS}?fieldSelector=spec.x%3D1", {}, None, 400, "BadRequest", id="unknown-selector"),
        pytest.param("GET", f"{PODS}?watch=1&resourceVersion=%C2%B2", {}, None, 400, "BadRequest", id="raised-two"),
        pytest.param(
            "GET", f"{PODS}?watch=1&resourceVersion={'9' * 5000}", {}, None, 400, "BadRequest", id="version-of-5000-digits",
        ),
        pytest.param("GET", f"{PODS}?watch=1&timeoutSeconds=%C2%B2", {}, None, 400, "BadRequest", id="timeout-raised-two"),
        pytest.param("GET", f"{PODS}?limit=%C2%B2", {}, None, 400, "BadRequest", id="limit-raised-two"),
        pytest.param("GET", f"{PODS}?continue=%C2%B2", {}, None, 400, "BadRequest", id="token-made-up"),
        pytest.param("GET", PODS, {"Host": "evil.example"}, None, 403, "Forbidden", id="rebinding"),
        pytest.param("GET", PODS, {"Host": "127.0.0.1.evil.example:80"}, None, 403, "Forbidden", id="rebinding-prefix"),
        pytest.param("GET", PODS, {"Origin": "http://evil.example"}, None, 403, "Forbidden", id="foreign-page"),
        pytest.param("POST", MAPS, {"Origin": "null", **JSON}, config_map("n"), 403, "Forbidden", id="page-from-nowhere"),
        pytest.param("TRACE", PODS, {}, None, 405, "MethodNotAllowed", id="strange-method"),
        pytest.param("DELETE", "/version", {}, None, 405, "MethodNotAllowed", id="delete-the-version"),
    ],
)  # fmt: skip
def test_refused(
    server: Server, method: str, path: str, headers: dict[str, str], body: bytes | None, status: int, reason: str
) -> None:
    if "/noted" in path:
        server.call("POST", MAPS, config_map("noted", meta={"annotations": {"a": "b"}}, data={"k": "v" * 100}), JSON)
    began = time.monotonic()
    got, answer, _ = server.call(method, path, body, headers)
    assert (got, answer["kind"], answer["reason"], answer["code"]) == (status, "Status", reason, status)
    assert time.monotonic() - began < 5
    assert server.rss_mb() < MOST_RSS_MB


def test_unknown_fields_are_told_and_kept(server: Server) -> None:
    body = orjson.dumps(deployment("odd", replics=1))
    status, answer, headers = server.call("POST", DEPLOYMENTS, body, JSON)
    assert (status, answer["spec"]["replics"]) == (201, 1)
    assert headers["Warning"] == '299 - "unknown field \\"spec.replics\\""'


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200, id="tls"),
        pytest.param(
            b"GET /api HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n", id="large-header"
        ),
        pytest.param(b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", id="large-path"),
        pytest.param(b"GET /api HTTP/9.9\r\n\r\n", id="version-from-the-future"),
        pytest.param(
            b"POST /api HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="two-lengths",
        ),
    ],
)
def test_what_is_hardly_http(server: Server, data: bytes) -> None:
    try:
        answer = server.raw(data)
    except OSError:
        return  # cut off, which is an answer as well
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")) or answer == b""


def test_a_body_that_never_comes(server: Server) -> None:
    head = (
        f"POST {MAPS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 3000000\r\n\r\n"
    )
    sockets = [socket.create_connection((server.host, server.port), timeout=20) for _ in range(50)]
    for sock in sockets:
        sock.sendall(head.encode() + b'{"a":')
    assert server.call("GET", "/version")[0] == 200
    for sock in sockets:
        sock.close()


def test_a_chunked_flood_is_cut_off(server: Server) -> None:
    head = f"POST {MAPS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    with socket.create_connection((server.host, server.port), timeout=20) as sock:
        sock.sendall(head.encode())
        received = b""
        try:
            for _ in range(160):
                sock.sendall(chunk)
            sock.sendall(b"0\r\n\r\n")
            received = sock.recv(65536)
        except ConnectionError:
            return  # cut off before it could say so
    assert received.startswith(b"HTTP/1.1 413")


def test_a_kill_in_the_middle_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """Writers create, change and delete as fast as they can until the process is killed; another one takes over."""
    state, writers = tmp_path / "state.db", 4
    told: list[dict[str, str | None]] = [{} for _ in range(writers)]
    doubtful: list[str] = ["" for _ in range(writers)]

    def write(server: Server, writer: int) -> None:
        connection = http.client.HTTPConnection(server.host, server.port, timeout=20)

        def call(method: str, path: str, body: bytes | None) -> None:
            connection.request(method, path, body, JSON)
            answer = connection.getresponse()
            assert answer.status in (200, 201), answer.read()
            answer.read()

        with contextlib.suppress(OSError, http.client.HTTPException):
            for number in range(100_000):
                name = doubtful[writer] = f"w{writer}-{number}"
                call("POST", MAPS, config_map(name, data={"a": "1"}))
                told[writer][name] = "1"
                if number % 2:
                    call("PUT", f"{MAPS}/{name}", config_map(name, data={"a": "2"}))
                    told[writer][name] = "2"
                if number % 3 == 0:
                    call("DELETE", f"{MAPS}/{name}", None)
                    told[writer][name] = None

    with serving(state) as server:
        threads = [threading.Thread(target=write, args=(server, writer)) for writer in range(writers)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 20
        while sum(map(len, told)) < 300 and time.monotonic() < deadline:
            time.sleep(0.02)
        server.process.kill()
        for thread in threads:
            thread.join(20)
    acknowledged = {name: value for part in told for name, value in part.items() if name not in doubtful}
    assert len(acknowledged) > 200
    with serving(state) as server:
        status, listed, _ = server.call("GET", MAPS)
        assert status == 200
        found = {item["metadata"]["name"]: item["data"]["a"] for item in listed["items"]}
        assert {name: found.get(name) for name in acknowledged} == acknowledged
        assert set(found) - set(acknowledged) <= set(doubtful)
        assert server.call("POST", MAPS, config_map("after", data={"a": "1"}), JSON)[0] == 201


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_ten_thousand_idle_watches(server: Server) -> None:
    count = 10_000
    before = server.rss_mb()

    async def play() -> tuple[float, float, int]:
        head = f"GET {PODS}?watch=true HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        for _ in range(count // 200):
            opened = await asyncio.gather(
                *(asyncio.open_connection(server.host, server.port, limit=4096) for _ in range(200))
            )
            for reader, writer in opened:
                writer.write(head)
                streams.append((reader, writer))
            for reader, _ in opened:
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        loop = asyncio.get_running_loop()
        began = loop.time()
        status, _, _ = await asyncio.to_thread(server.call, "GET", PODS)
        assert status == 200
        answered_s, rss_mb = loop.time() - began, server.rss_mb()
        pod = {"metadata": {"name": "seen"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        assert (await asyncio.to_thread(server.call, "POST", PODS, orjson.dumps(pod), JSON))[0] == 201
        seen = await asyncio.gather(*(asyncio.wait_for(reader.readuntil(b"ADDED"), 60) for reader, _ in streams))
        for _, writer in streams:
            writer.transport.abort()
        return answered_s, rss_mb, len(seen)

    answered_s, rss_mb, seen = asyncio.run(play())
    print(f"answered in {answered_s * 1000:.0f} ms, {before:.0f} -> {rss_mb:.0f} MB")
    assert (seen, answered_s < 2, rss_mb < MOST_RSS_WATCHED_MB) == (count, True, True), (answered_s, rss_mb)
    assert server.call("DELETE", f"{PODS}/seen?gracePeriodSeconds=0")[0] == 200
