"""Watches over HTTP: one line an event, honest about what is too old."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest

from mesh.api.scheme import BY_NAME
from mesh.apiserver import streaming
from mesh.apiserver.registry import Registry

POD = BY_NAME["pods"]
PODS = "/api/v1/namespaces/default/pods"
Make = Callable[..., dict[str, Any]]
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}


@asynccontextmanager
async def watching(
    http: aiohttp.ClientSession, headers: dict[str, str] | None = None, path: str = PODS, **query: str
) -> AsyncIterator[Callable[[], Any]]:
    async with http.get(path, params={"watch": "true", **query}, headers=headers) as response:
        assert response.status == 200, await response.text()

        async def read() -> Any:
            line = await asyncio.wait_for(response.content.readline(), 5)
            return orjson.loads(line) if line else None

        yield read


def told(event: dict[str, Any]) -> tuple[str, str]:
    return event["type"], event["object"]["metadata"]["name"]


@pytest.mark.parametrize("version", ["0", ""])
async def test_from_zero_everything_comes_first(
    http: aiohttp.ClientSession, registry: Registry, pod: Make, version: str
) -> None:
    registry.create(POD, pod("a"), "default")
    async with watching(http, resourceVersion=version) as read:
        assert told(await read()) == ("ADDED", "a")
        registry.create(POD, pod("b"), "default")
        assert told(await read()) == ("ADDED", "b")


async def test_from_a_version_only_what_came_later(http: aiohttp.ClientSession, registry: Registry, pod: Make) -> None:
    first = registry.create(POD, pod("a"), "default")
    registry.create(POD, pod("b"), "default")
    async with watching(http, resourceVersion=str(first.version)) as read:
        assert told(await read()) == ("ADDED", "b")
        registry.patch(POD, "default", "a", lambda old: {**old, "spec": {**old["spec"], "nodeName": "n1"}})
        event = await read()
        assert told(event) == ("MODIFIED", "a")
        assert event["object"]["spec"]["nodeName"] == "n1"
        assert event["object"]["kind"] == "Pod"


async def test_selectors_hold_for_watches(http: aiohttp.ClientSession, registry: Registry, pod: Make) -> None:
    version = str(registry.store.version)

    def label(value: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        return lambda old: {**old, "metadata": {**old["metadata"], "labels": {"app": value}}}

    async with watching(http, resourceVersion=version, labelSelector="app=x") as read:
        registry.create(POD, pod("a", labels={"app": "y"}), "default")
        registry.patch(POD, "default", "a", label("x"))
        assert told(await read()) == ("ADDED", "a")
        registry.patch(POD, "default", "a", label("z"))
        event = await read()
        assert told(event) == ("DELETED", "a")
        assert event["object"]["metadata"]["resourceVersion"] == str(registry.store.version)


async def test_one_object_by_name(http: aiohttp.ClientSession, registry: Registry, pod: Make) -> None:
    registry.create(POD, pod("a"), "default")
    registry.create(POD, pod("b"), "default")
    async with watching(http, fieldSelector="metadata.name=b", resourceVersion="0") as read:
        assert told(await read()) == ("ADDED", "b")
    async with watching(http, path="/api/v1/watch/namespaces/default/pods/a", resourceVersion="0") as read:
        assert told(await read()) == ("ADDED", "a")


async def test_time_up_ends_in_order_with_a_bookmark(http: aiohttp.ClientSession, registry: Registry) -> None:
    version = str(registry.store.version)
    async with watching(http, resourceVersion=version, timeoutSeconds="1", allowWatchBookmarks="true") as read:
        event = await read()
        assert event["type"] == "BOOKMARK"
        assert event["object"]["metadata"]["resourceVersion"] == version
        assert await read() is None


async def test_bookmarks_come_now_and_then(
    http: aiohttp.ClientSession, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "BOOKMARK_EVERY_S", 0.05)
    async with watching(http, resourceVersion=str(registry.store.version), allowWatchBookmarks="true") as read:
        assert [(await read())["type"] for _ in range(2)] == ["BOOKMARK", "BOOKMARK"]


async def test_initial_events_end_with_a_marked_bookmark(
    http: aiohttp.ClientSession, registry: Registry, pod: Make
) -> None:
    registry.create(POD, pod("a"), "default")
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    async with watching(http, **query) as read:
        assert told(await read()) == ("ADDED", "a")
        event = await read()
        assert event["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_too_old_is_410(http: aiohttp.ClientSession, registry: Registry, pod: Make) -> None:
    version = registry.store.version
    for number in range(100):
        registry.create(POD, pod(f"p{number}"), "default")
    async with http.get(PODS, params={"watch": "true", "resourceVersion": str(version)}) as response:
        answer = await response.json()
        assert (response.status, answer["reason"]) == (410, "Expired")


async def test_falling_behind_is_an_error_event(http: aiohttp.ClientSession, registry: Registry, pod: Make) -> None:
    async with watching(http, resourceVersion=str(registry.store.version)) as read:
        for number in range(100):  # in one step: the watcher cannot read in between
            registry.create(POD, pod(f"p{number}"), "default")
        event = await read()
        assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
        assert await read() is None


async def test_table_watches(http: aiohttp.ClientSession, registry: Registry, pod: Make) -> None:
    registry.create(POD, pod("a"), "default")
    async with watching(http, TABLE, resourceVersion="0", allowWatchBookmarks="true") as read:
        first = await read()
        assert first["object"]["kind"] == "Table"
        assert first["object"]["columnDefinitions"]
        registry.create(POD, pod("b"), "default")
        second = await read()
        assert second["object"]["rows"][0]["cells"][0] == "b"
        assert second["object"]["columnDefinitions"] is None


async def test_a_client_that_leaves_is_forgotten(http: aiohttp.ClientSession, registry: Registry) -> None:
    async with watching(http, resourceVersion=str(registry.store.version)):
        assert len(registry.store._listeners["pods"]) == 1
    for _ in range(100):
        if not registry.store._listeners["pods"]:
            break
        await asyncio.sleep(0.02)
    assert registry.store._listeners["pods"] == []
