"""A registry on a store in memory, and the real server on a free port."""

import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from mesh.apiserver.local import LocalClient
from mesh.apiserver.registry import Registry, index
from mesh.apiserver.server import ApiServer
from mesh.runtime.clock import SystemClock
from mesh.store import Store


class StillClock(SystemClock):
    """Wall time stands still, so that stamps and ages are known; monotonic time goes on."""

    def wall(self) -> float:
        return 1_800_000_000.0


@pytest.fixture
def registry() -> Registry:
    clock = StillClock()
    made = Registry(Store(None, clock.wall(), index, events_per_resource=64), clock, random.Random(1))
    made.bootstrap(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in ("default", "other")
    )
    return made


@pytest.fixture
def local(registry: Registry) -> LocalClient:
    return LocalClient(registry)


@pytest.fixture
async def server(registry: Registry) -> AsyncIterator[ApiServer]:
    made = ApiServer(registry, "127.0.0.1", 0)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def http(server: ApiServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(server.url, timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


@pytest.fixture
def pod() -> Callable[..., dict[str, Any]]:
    def make(name: str = "a", namespace: str = "default", **meta: Any) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, **meta},
            "spec": {"containers": [{"name": "c", "image": "httpd:2.4"}]},
        }

    return make


@pytest.fixture
def deployment() -> Callable[..., dict[str, Any]]:
    def make(name: str = "web", **spec: Any) -> dict[str, Any]:
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
            "spec": {
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{"name": "c", "image": "httpd:2.4"}]},
                },
                **spec,
            },
        }

    return make
