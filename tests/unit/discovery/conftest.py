"""A real store and registry behind an in-process client, and proxies that only remember what they were given."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from mesh.api.core import Namespace
from mesh.api.meta import ObjectMeta
from mesh.api.scheme import decode, find
from mesh.apiserver.local import LocalClient
from mesh.apiserver.registry import Registry, index
from mesh.discovery.source import ConfigSource
from mesh.routing.request import Request
from mesh.runtime.clock import SystemClock
from mesh.runtime.tasks import Tasks
from mesh.store import Store

SHOP = """
kind: Service
metadata: {name: shop}
spec: {clusterIP: 127.96.0.5, selector: {app: shop}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
kind: Pod
metadata: {name: shop-1, labels: {app: shop, version: v1}}
spec: {nodeName: node-1, containers: [{name: c, image: x, ports: [{containerPort: 8080}]}]}
status: {podIP: 127.244.0.1}
---
kind: Pod
metadata: {name: shop-2, labels: {app: shop, version: v2}}
spec: {nodeName: node-2, containers: [{name: c, image: x, ports: [{containerPort: 8080}]}]}
status: {podIP: 127.244.4.1}
---
kind: EndpointSlice
metadata: {name: shop-abc, labels: {kubernetes.io/service-name: shop}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints:
- {addresses: [127.244.4.1], conditions: {ready: true}, targetRef: {kind: Pod, name: shop-2}}
- {addresses: [127.244.0.1], conditions: {ready: true}, targetRef: {kind: Pod, name: shop-1}}
---
kind: Ingress
metadata: {name: front}
spec:
  rules:
  - host: shop.example
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}]}
"""


def objects(text: str) -> list[Any]:
    found = []
    for document in yaml.safe_load_all(text):
        kind = find(document["kind"])
        assert kind is not None
        document["metadata"].setdefault("namespace", "default")
        found.append(decode(kind.model, document))
    return found


@dataclass(frozen=True, slots=True)
class Tables:
    """Stands for the proxy's own type of this name."""

    listeners: Any
    clusters: Any
    endpoints: Any


@dataclass
class Proxy:
    """A proxy that listens nowhere: it keeps every table it was given, and answers which route a request takes."""

    given: list[Tables] = field(default_factory=list)
    fail: Exception | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def apply(self, tables: Tables) -> None:
        if self.fail is not None:
            raise self.fail
        self.given.append(tables)
        self.arrived.set()

    @property
    def tables(self) -> Tables:
        return self.given[-1]

    def route(self, target: str, **headers: str) -> str | None:
        """The name of the route that the first listener takes for `host/path`."""
        authority, slash, path = target.partition("/")
        lines = [(name.encode(), value.encode()) for name, value in headers.items()]
        found = self.tables.listeners[0].http.routes.find(
            Request(b"GET", (slash + path).encode(), authority.encode(), lines)
        )
        return None if found is None else found.name.decode()

    def addresses(self, cluster: str) -> list[str]:
        return [f"{end.address}:{end.port}" for end in self.tables.endpoints[cluster.encode()]]

    async def until(self, condition: Callable[["Proxy"], bool], timeout_s: float = 2.0) -> None:
        """Wait until the tables fulfil a condition."""
        async with asyncio.timeout(timeout_s):
            while not (self.given and condition(self)):
                self.arrived.clear()
                await self.arrived.wait()


@pytest.fixture
def parse() -> Callable[[str], list[Any]]:
    return objects


@pytest.fixture
def proxy() -> type[Proxy]:
    return Proxy


@pytest.fixture
def tables() -> type[Tables]:
    return Tables


@pytest.fixture
def registry() -> Registry:
    return Registry(Store(None, 0.0, index=index), SystemClock(), random.Random(1))


@pytest.fixture
async def client(registry: Registry) -> LocalClient:
    """An API that holds the namespace `default` and the shop with its Ingress."""
    local = LocalClient(registry)
    await local.create(Namespace(metadata=ObjectMeta(name="default")))
    for obj in objects(SHOP):
        status = obj.status if hasattr(obj, "status") else None
        made = await local.create(obj)
        if status is not None:
            made.status = status
            await local.update_status(made)
    return local


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    owner = Tasks("test")
    yield owner
    await owner.close()


@pytest.fixture
async def source(client: LocalClient, tasks: Tasks) -> ConfigSource:
    """A source that follows the shop."""
    made = ConfigSource(client, Tables)
    made.start(tasks)
    async with asyncio.timeout(5):
        await made.synced()
    return made
