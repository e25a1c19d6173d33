"""Builds snapshots from manifests, and asks compiled tables where a request goes."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from mesh.api.scheme import decode, find
from mesh.routing.compile import compile_routes
from mesh.routing.request import Request
from mesh.routing.route_table import Route, RouteTable
from mesh.translate.snapshot import Snapshot, build

SHOP = """
kind: Service
metadata: {name: shop, namespace: default}
spec: {clusterIP: 127.96.0.5, selector: {app: shop}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
kind: Pod
metadata: {name: shop-1, namespace: default, labels: {app: shop, version: v1}}
spec: {nodeName: node-1, containers: [{name: c, ports: [{containerPort: 8080}]}]}
status: {podIP: 127.244.0.1}
---
kind: Pod
metadata: {name: shop-2, namespace: default, labels: {app: shop, version: v2}}
spec: {nodeName: node-2, containers: [{name: c, ports: [{containerPort: 8080}]}]}
status: {podIP: 127.244.4.1}
---
kind: EndpointSlice
metadata: {name: shop-abc, namespace: default, labels: {kubernetes.io/service-name: shop}}
ports: [{name: http, port: 8080}]
endpoints:
- {addresses: [127.244.4.1], conditions: {ready: true}, targetRef: {kind: Pod, name: shop-2}}
- {addresses: [127.244.0.1], conditions: {ready: true}, targetRef: {kind: Pod, name: shop-1}}
---
"""


def objects(text: str) -> list[Any]:
    documents = [document for document in yaml.safe_load_all(text) if document]
    found = []
    for document in documents:
        kind = find(document["kind"])
        assert kind is not None, document["kind"]
        document.setdefault("metadata", {}).setdefault("namespace", "default")
        found.append(decode(kind.model, document))
    return found


@pytest.fixture
def world() -> Callable[..., Snapshot]:
    """`world(text)`: the snapshot of some manifests beside a shop of two versions (`shop=False`: without it)."""

    def make(text: str = "", *, shop: bool = True) -> Snapshot:
        return build(objects((SHOP if shop else "") + text))

    return make


@pytest.fixture
def parse() -> Callable[[str], list[Any]]:
    """Typed objects of some manifests."""
    return objects


@pytest.fixture
def shop() -> str:
    """The manifests of the shop."""
    return SHOP


class Table:
    """A compiled RouteConfiguration, asked in words."""

    def __init__(self, configuration: Any) -> None:
        self.table: RouteTable = compile_routes(configuration)

    def find(self, target: str, method: str = "GET", **headers: str) -> Route | None:
        """target: `host/path`. Underscores in header names stand for dashes."""
        authority, slash, path = target.partition("/")
        lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        request = Request(method.encode(), (slash + path).encode() or b"/", authority.encode(), lines)
        return self.table.find(request)

    def name(self, target: str, method: str = "GET", **headers: str) -> str | None:
        """The name of the route, None for 404."""
        route = self.find(target, method, **headers)
        return None if route is None else route.name.decode()

    def cluster(self, target: str, method: str = "GET", **headers: str) -> str | None:
        """The one cluster of the route."""
        route = self.find(target, method, **headers)
        return None if route is None or route.cluster is None else route.cluster.decode()


@pytest.fixture
def table() -> type[Table]:
    return Table
