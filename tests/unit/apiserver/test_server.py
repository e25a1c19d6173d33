"""Where the server listens, whom it serves, and what it answers besides resources."""

import asyncio
import io
import random
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from mesh.apiserver.registry import Registry, index
from mesh.apiserver.server import ApiServer
from mesh.runtime.clock import SystemClock
from mesh.runtime.net import BindError
from mesh.store import Store


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("/version", {"major": "1", "minor": "32"}, id="version"),
        pytest.param("/version/", {"gitVersion": "v1.32.4"}, id="one-trailing-slash"),
        pytest.param("/api", {"kind": "APIVersions", "versions": ["v1"]}, id="api"),
        pytest.param("/apis", {"kind": "APIGroupList"}, id="apis"),
        pytest.param("/apis/apps", {"kind": "APIGroup", "name": "apps"}, id="group"),
        pytest.param("/api/v1", {"kind": "APIResourceList", "groupVersion": "v1"}, id="core-resources"),
        pytest.param("/apis/apps/v1", {"kind": "APIResourceList", "groupVersion": "apps/v1"}, id="resources"),
        pytest.param("/openapi/v3/apis/apps/v1?hash=x", {"openapi": "3.0.0"}, id="schema"),
        pytest.param("/", {}, id="root"),
    ],
)
async def test_documents(http: aiohttp.ClientSession, path: str, expected: dict[str, Any]) -> None:
    async with http.get(path) as response:
        assert response.status == 200
        found = await response.json()
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
async def test_health(http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(path) as response:
        assert (response.status, await response.text()) == (200, "ok")


async def test_openapi_v2_is_a_protobuf_message(http: aiohttp.ClientSession) -> None:
    async with http.get("/openapi/v2") as response:
        assert (response.status, (await response.read())[:5]) == (200, b"\n\x032.0")
        assert response.headers["Content-Type"] == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


@pytest.mark.parametrize("path", ["/api", "/apis"])
async def test_aggregated_discovery_has_its_exact_type(http: aiohttp.ClientSession, path: str) -> None:
    wanted = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    async with http.get(path, headers={"Accept": f"{wanted},application/json"}) as response:
        assert response.headers["Content-Type"] == wanted
        assert (await response.json())["kind"] == "APIGroupDiscoveryList"


@pytest.mark.parametrize("path", ["/nope", "/apis/nope", "/apis/apps/v9", "/api/v1/gadgets", "/openapi/v3/apis/x/y"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_unknown_urls_are_plain_text(http: aiohttp.ClientSession, method: str, path: str) -> None:
    async with http.request(method, path) as response:
        assert (response.status, await response.text()) == (404, "404 page not found\n")


@pytest.mark.parametrize("path", ["/version", "/healthz", "/apis", "/openapi/v2"])
async def test_documents_are_only_read(http: aiohttp.ClientSession, path: str) -> None:
    async with http.post(path) as response:
        assert (response.status, (await response.json())["reason"]) == (405, "MethodNotAllowed")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Host": "evil.example:8001"}, id="another-host"),
        pytest.param({"Origin": "https://evil.example"}, id="a-foreign-page"),
        pytest.param({"Origin": "null"}, id="a-page-from-nowhere"),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/namespaces", "/version", "/healthz", "/extra"])
async def test_no_web_page_may_drive_the_api(registry: Registry, headers: dict[str, str], path: str) -> None:
    async def extra(_request: web.Request) -> web.Response:
        return web.Response(text="extra")

    server = ApiServer(registry, "127.0.0.1", 0, [web.get("/extra", extra)])
    await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            async with session.get(server.url + path, headers=headers) as response:
                assert response.status == 403
                assert (await response.json())["reason"] == "Forbidden"
            async with session.get(server.url + path) as response:
                assert response.status == 200
    finally:
        await server.close()


async def test_an_error_inside_is_a_status_and_not_the_end(
    registry: Registry, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_args: Any) -> None:
        raise ZeroDivisionError("by hand")

    monkeypatch.setattr(registry, "list", broken)
    async with http.get("/api/v1/pods") as response:
        answer = await response.json()
        assert (response.status, answer["reason"], answer["code"]) == (500, "InternalError", 500)
    assert "request failed" in caplog.text
    async with http.get("/version") as response:
        assert response.status == 200


async def test_a_body_that_never_ends_is_cut_off(http: aiohttp.ClientSession) -> None:
    big = io.BytesIO(b'"' + b"x" * (12 * 1024 * 1024) + b'"')
    async with http.post("/api/v1/namespaces", data=big) as response:
        assert (response.status, (await response.json())["reason"]) == (413, "RequestEntityTooLarge")


async def test_a_port_in_use_is_one_clear_line(registry: Registry, server: ApiServer) -> None:
    second = ApiServer(registry, "127.0.0.1", server.port)
    with pytest.raises(BindError, match=rf"cannot listen on 127.0.0.1:{server.port}: the port is in use"):
        await second.start()
    await second.close()


async def test_other_addresses_are_never_served(registry: Registry) -> None:
    with pytest.raises(BindError, match="only loopback"):
        await ApiServer(registry, "0.0.0.0", 0).start()


async def test_closing_ends_the_watches_at_once(registry: Registry) -> None:
    server = ApiServer(registry, "127.0.0.1", 0)
    await server.start()
    async with aiohttp.ClientSession() as session:
        response = await session.get(f"{server.url}/api/v1/pods?watch=true&resourceVersion={registry.store.version}")
        async with asyncio.timeout(5):
            await server.close()
            with suppress(aiohttp.ClientError):  # cut off or ended in order: both are at once
                await response.content.read()
        response.close()
    await server.close()
    assert registry.store._listeners["pods"] == []


async def test_a_thousand_pods_are_listed_quickly() -> None:
    clock = SystemClock()
    registry = Registry(Store(None, clock.wall(), index), clock, random.Random(1))
    registry.bootstrap([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}])
    from mesh.api.scheme import BY_NAME

    container = {
        "name": "c",
        "image": "i",
        "readinessProbe": {"httpGet": {"port": 80}},
        "ports": [{"containerPort": 80}],
    }
    for number in range(1000):
        obj = {"metadata": {"name": f"p{number}"}, "spec": {"containers": [dict(container)]}}
        registry.create(BY_NAME["pods"], obj, "default")
    server = ApiServer(registry, "127.0.0.1", 0)
    await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            for accept in ("application/json", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"):
                began = clock.now()
                async with session.get(f"{server.url}/api/v1/pods", headers={"Accept": accept}) as response:
                    body = await response.read()
                took_ms = (clock.now() - began) * 1000
                assert body.count(b'"p999"') >= 1
                assert took_ms < 300, f"{accept}: {took_ms:.0f} ms"
    finally:
        await server.close()
