"""The HTTP client keeps the client contract against the real server."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mesh.api.core import Node, Pod
from mesh.api.errors import AlreadyExists, ApiError, Conflict, Expired, Invalid, NotFound, Unavailable
from mesh.api.meta import ObjectMeta
from mesh.api.workloads import Deployment
from mesh.apiserver import streaming
from mesh.apiserver.registry import Registry, index
from mesh.apiserver.server import ApiServer
from mesh.client.base import JSON_PATCH, Client
from mesh.client.http import HttpClient, path
from mesh.client.informer import Informer
from mesh.runtime.clock import SystemClock
from mesh.runtime.tasks import Tasks
from mesh.store import Store


def make_registry(store: Store | None = None) -> Registry:
    clock = SystemClock()
    registry = Registry(store or Store(None, clock.wall(), index, 64), clock, random.Random(1))
    registry.bootstrap([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}])
    return registry


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    made = ApiServer(make_registry(), "127.0.0.1", 0)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def client(server: ApiServer) -> AsyncIterator[HttpClient]:
    async with HttpClient(server.url) as made:
        yield made


def pod(name: str, **labels: str) -> Pod:
    return Pod.model_validate(
        {
            "metadata": {"name": name, "namespace": "default", "labels": labels},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
    )


@pytest.mark.parametrize(
    ("cls", "namespace", "name", "subresource", "expected"),
    [
        (Pod, "d", "a", "", "/api/v1/namespaces/d/pods/a"),
        (Pod, None, "", "", "/api/v1/pods"),
        (Node, "ignored", "n", "status", "/api/v1/nodes/n/status"),
        (Deployment, "d", "x", "scale", "/apis/apps/v1/namespaces/d/deployments/x/scale"),
        (Pod, "d", "../a", "", "/api/v1/namespaces/d/pods/..%2Fa"),
    ],
)
def test_path(cls: Any, namespace: str | None, name: str, subresource: str, expected: str) -> None:
    assert path(cls, namespace, name, subresource) == expected


async def test_the_verbs(client: HttpClient) -> None:
    contract: Client = client
    made = await contract.create(pod("a", app="x"))
    assert (made.status.phase, made.kind) == ("Pending", "Pod")
    made.metadata.labels = {"app": "y"}
    changed = await contract.update(made)
    changed.status.phase = "Running"
    assert (await contract.update_status(changed)).status.phase == "Running"
    patched = await contract.patch(Pod, "a", {"spec": {"nodeName": "n1"}}, "default")
    assert patched.spec.node_name == "n1"
    step = [{"op": "add", "path": "/metadata/labels/z", "value": "1"}]
    assert (await contract.patch(Pod, "a", step, "default", content_type=JSON_PATCH)).metadata.label_map["z"] == "1"
    await contract.create(pod("b"))
    listed = await contract.list(Pod, "default", label_selector="app=y")
    assert [(item.name, item.kind, item.api_version) for item in listed.items] == [("a", "Pod", "v1")]
    assert [item.name for item in (await contract.list(Pod, field_selector="metadata.name=b")).items] == ["b"]
    await contract.delete(Pod, "a", "default", grace_period_s=7)
    assert (await contract.get(Pod, "a", "default")).metadata.deletion_grace_period_seconds == 7
    await contract.delete(Pod, "a", "default", grace_period_s=0, uid=made.metadata.uid)
    with pytest.raises(NotFound):
        await contract.get(Pod, "a", "default")


async def test_refusals_come_back_as_the_errors_they_are(client: HttpClient) -> None:
    made = await client.create(pod("a"))
    with pytest.raises(AlreadyExists):
        await client.create(pod("a"))
    with pytest.raises(Conflict):
        await client.patch(Pod, "a", {"metadata": {"resourceVersion": "1"}}, "default")
    with pytest.raises(Conflict):
        await client.delete(Pod, "a", "default", uid="another")
    with pytest.raises(Invalid) as caught:
        await client.create(Pod(metadata=ObjectMeta(name="B", namespace="default")))
    assert {cause.field for cause in caught.value.causes} == {"metadata.name", "spec.containers"}
    assert made.metadata.uid


async def test_watch(client: HttpClient) -> None:
    version = (await client.list(Pod)).resource_version
    events = client.watch(Pod, version, "default", label_selector="app=x")
    await client.create(pod("hidden"))
    await client.create(pod("a", app="x"))
    async with asyncio.timeout(5):
        event = await anext(events)
    assert (event.type, event.object.name) == ("ADDED", "a")
    await events.aclose()  # type: ignore[attr-defined]


async def test_a_watch_that_the_server_ends_goes_on(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "_LONGEST_S", 0.05)
    version = (await client.list(Pod)).resource_version
    events = client.watch(Pod, version)
    names = []
    async with asyncio.timeout(10):
        creator = asyncio.create_task(_create_slowly(client))
        async for event in events:
            if event.type == "ADDED":
                names.append(event.object.name)
            if len(names) == 3:
                break
        await creator
    assert names == ["p0", "p1", "p2"]


async def _create_slowly(client: HttpClient) -> None:
    for number in range(3):
        await asyncio.sleep(0.12)
        await client.create(pod(f"p{number}"))


async def test_too_old_is_expired(client: HttpClient) -> None:
    with pytest.raises(Expired):
        await anext(client.watch(Pod, "5"))


async def test_large_objects_arrive_whole(client: HttpClient) -> None:
    version = (await client.list(Pod)).resource_version
    events = client.watch(Pod, version)
    big = pod("big")
    big.metadata.annotations = {f"k{number}": "x" * 1000 for number in range(200)}
    await client.create(big)
    async with asyncio.timeout(5):
        event = await anext(events)
    assert event.object.metadata.annotation_map == big.metadata.annotations


async def test_nobody_there_is_unavailable() -> None:
    async with HttpClient("http://127.0.0.1:9") as client:
        with pytest.raises(Unavailable):
            await client.list(Pod)
        with pytest.raises(Unavailable):
            await anext(client.watch(Pod, "5"))


async def test_a_page_that_is_no_status_keeps_its_code(server: ApiServer) -> None:
    async with HttpClient(f"{server.url}/nowhere") as client:
        with pytest.raises(ApiError) as caught:
            await client.list(Pod)
    assert caught.value.code == 404


async def test_an_informer_survives_a_restart_of_the_server(tmp_path: Any) -> None:
    store = Store(tmp_path / "objects.db", SystemClock().wall(), index)
    first = ApiServer(make_registry(store), "127.0.0.1", 0)
    await first.start()
    tasks = Tasks("test")
    async with HttpClient(first.url) as client, asyncio.timeout(20):
        informer: Informer[Pod] = Informer(client, Pod)
        informer.start(tasks)
        await client.create(pod("a"))
        await informer.synced()
        while informer.get("a", "default") is None:
            await asyncio.sleep(0.01)
        await first.close()
        store.close()
        await asyncio.sleep(0.1)
        assert informer.get("a", "default") is not None
        again = make_registry(Store(tmp_path / "objects.db", SystemClock().wall(), index))
        second = ApiServer(again, "127.0.0.1", first.port)
        await second.start()
        await client.delete(Pod, "a", "default")
        await client.create(pod("b"))
        while informer.get("b", "default") is None or informer.get("a", "default") is not None:
            await asyncio.sleep(0.01)
        await tasks.close()
    await second.close()
    again.store.close()
