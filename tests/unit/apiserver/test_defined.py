"""A kind that a user defines is served like any other, and goes with its definition."""

from typing import Any

import aiohttp
import pytest

from mesh.api import scheme
from mesh.api.deletion import DeleteOptions
from mesh.apiserver.defined import Defined
from mesh.apiserver.registry import Registry

CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}, "schema": {},
             "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                                          {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]},
            {"name": "v1beta1", "served": True, "storage": False, "schema": {}},
        ],
    },
}  # fmt: skip
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"


def widget(name: str = "w", **meta: Any) -> dict[str, Any]:
    return {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": name, **meta},
        "spec": {"size": 3, "anything": [1, {"goes": None}]},
    }


async def call(http: aiohttp.ClientSession, method: str, path: str, body: Any = None, **more: Any) -> Any:
    async with http.request(method, path, json=body, **more) as response:
        kind = response.headers.get("Content-Type", "")
        content = await response.json(content_type=None) if "json" in kind else await response.text()
        return response.status, content, response.headers.getall("Warning", [])


async def test_a_defined_kind_is_served(http: aiohttp.ClientSession) -> None:
    assert (await call(http, "GET", WIDGETS))[0] == 404
    status, made, _ = await call(http, "POST", CRDS, CRD)
    assert status == 201
    assert [c["type"] for c in made["status"]["conditions"]] == ["NamesAccepted", "Established"]
    assert made["spec"]["names"]["singular"] == "widget"
    status, stored, warnings = await call(http, "POST", WIDGETS, widget())
    assert (status, stored["spec"]["size"], stored["metadata"]["generation"]) == (201, 3, 1)
    assert warnings == ['299 - "Widget is stored, but nothing here acts on it"']
    found = (await call(http, "GET", "/apis/example.com/v1"))[1]
    assert [resource["name"] for resource in found["resources"]] == ["widgets", "widgets/status"]
    other = (await call(http, "GET", WIDGETS.replace("v1", "v1beta1") + "/w"))[1]
    assert other["apiVersion"] == "example.com/v1beta1"
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    table = (await call(http, "GET", WIDGETS, headers=accept))[1]
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Size", "Age"]
    assert table["rows"][0]["cells"][:2] == ["w", 3]
    groups = (await call(http, "GET", "/apis"))[1]["groups"]
    assert "example.com" in [group["name"] for group in groups]


async def test_the_definition_takes_its_objects_along(http: aiohttp.ClientSession, registry: Registry) -> None:
    await call(http, "POST", CRDS, CRD)
    await call(http, "POST", WIDGETS, widget())
    assert (await call(http, "DELETE", f"{CRDS}/widgets.example.com"))[0] == 200
    assert (await call(http, "GET", WIDGETS))[0] == 404
    assert registry.store.list("widgets.example.com") == []


async def test_a_namespace_takes_its_objects_along(http: aiohttp.ClientSession, registry: Registry) -> None:
    await call(http, "POST", CRDS, CRD)
    await call(http, "POST", WIDGETS.replace("default", "other"), widget())
    namespaces = scheme.BY_GVK[("v1", "Namespace")]
    registry.delete(namespaces, "", "other", DeleteOptions())
    registry.finalize(namespaces, {"spec": {"finalizers": []}}, "other")
    assert registry.store.list("widgets.example.com") == []


def test_definitions_that_were_stored_are_served_again(registry: Registry) -> None:
    kind = scheme.BY_GVK[("apiextensions.k8s.io/v1", "CustomResourceDefinition")]
    registry.create(kind, CRD | {"metadata": {"name": "widgets.example.com"}})
    again = Registry(registry.store, registry.clock, registry.rng)
    assert [kind.kind for kind in again.kinds] == ["Widget"]


def test_find() -> None:
    kinds = Defined([CRD])
    assert kinds.find("example.com", "v1beta1", "widgets") is not None
    assert kinds.find("", "v1", "pods") is scheme.BY_GVK[("v1", "Pod")]
    removed = kinds.remove("widgets.example.com")
    assert removed is not None
    assert kinds.find("example.com", "v1", "widgets") is None


@pytest.mark.parametrize(
    ("group", "name", "kind", "wrong"),
    [
        pytest.param("example.com", "x.example.com", "Widget", "metadata.name", id="name"),
        pytest.param("example.com", "widgets.example.com", "Service", "spec.names.kind", id="built-in"),
        pytest.param("example", "widgets.example", "Widget", "spec.group", id="group"),
    ],
)
async def test_refusals(http: aiohttp.ClientSession, group: str, name: str, kind: str, wrong: str) -> None:
    spec = CRD["spec"] | {"group": group, "names": {"plural": "widgets", "kind": kind}}
    status, found, _ = await call(http, "POST", CRDS, CRD | {"metadata": {"name": name}, "spec": spec})
    assert status == 422
    assert [cause["field"] for cause in found["details"]["causes"]] == [wrong]
