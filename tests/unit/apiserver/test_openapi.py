"""The schema documents say where to patch, that the server validates, and which fields there are."""

from typing import Any

import pytest

from mesh.api.known_fields import TYPES, type_of
from mesh.api.scheme import BY_GVK, KINDS, defined
from mesh.apiserver import openapi

Obj = dict[str, Any]
WIDGET = defined(
    {
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": True, "storage": True}],
        }
    }
)


def schemas(group: str, version: str) -> Obj:
    document = openapi.document(group, version)
    assert document is not None
    found: Obj = document["components"]["schemas"]
    return found


def test_every_group_version_is_listed_and_found() -> None:
    paths = openapi.index()["paths"]
    for kind in KINDS:
        for group, version in ((kind.group, kind.version), *kind.other_versions):
            root = f"apis/{group}/{version}" if group else f"api/{version}"
            assert paths[root]["serverRelativeURL"].startswith(f"/openapi/v3/{root}?hash=")
            document = openapi.document(group, version)
            assert document is not None
            patches = [entry["patch"] for entry in document["paths"].values()]
            kinds = {patch["x-kubernetes-group-version-kind"]["kind"] for patch in patches}
            assert kind.kind in kinds
            own = document["components"]["schemas"][kind.kind]["x-kubernetes-group-version-kind"]
            assert own == [{"group": group, "version": version, "kind": kind.kind}]


def test_patches_take_dry_run_and_field_validation() -> None:
    document = openapi.document("config.istio.io", "v1alpha2")
    assert document is not None
    path, entry = next(iter(document["paths"].items()))
    assert path == "/apis/config.istio.io/v1alpha2/namespaces/{namespace}/routerules/{name}"
    names = [parameter["name"] for parameter in entry["patch"]["parameters"]]
    assert {"dryRun", "fieldValidation"} <= set(names)
    assert "requestBody" not in entry["patch"]


async def test_hashes_follow_the_content() -> None:
    assert openapi.index() == openapi.index()
    urls = [entry["serverRelativeURL"] for entry in openapi.index()["paths"].values()]
    assert len({url.partition("hash=")[2] for url in urls}) == len(urls)
    more = openapi.index([WIDGET])["paths"]
    assert set(more) - set(openapi.index()["paths"]) == {"apis/example.com/v1"}
    assert (await openapi.v2([WIDGET]))[1] != (await openapi.v2())[1]


def test_unknown_versions_have_no_document() -> None:
    assert openapi.document("apps", "v9") is None


def test_defined_kinds_hold_anything() -> None:
    document = openapi.document("example.com", "v1", [WIDGET])
    assert document is not None
    assert document["components"]["schemas"]["Widget"]["x-kubernetes-preserve-unknown-fields"] is True


@pytest.mark.parametrize("gvk", [pytest.param(gvk, id="-".join(gvk)) for gvk in BY_GVK])
def test_references_lead_somewhere_and_no_known_field_is_missing(gvk: tuple[str, str]) -> None:
    group, _, version = gvk[0].rpartition("/")
    found = schemas(group, version)

    def check(schema: Any) -> None:
        if isinstance(schema, dict):
            if "$ref" in schema:
                assert schema["$ref"].rpartition("/")[2] in found
            for inner in schema.values():
                check(inner)
        elif isinstance(schema, list):
            for inner in schema:
                check(inner)

    check(found)
    known = None if BY_GVK[gvk].custom else type_of(gvk[1], gvk[0])
    if known is not None:
        assert set(found[gvk[1]]["properties"]) == set(TYPES[known])


def test_fields_are_described() -> None:
    found = schemas("apps", "v1")
    assert found["DeploymentSpec"]["properties"]["strategy"]["allOf"] == [
        {"$ref": "#/components/schemas/DeploymentStrategy"}
    ]
    assert "Recreate" in found["DeploymentStrategy"]["properties"]["type"]["description"]
    surge = found["RollingUpdateDeployment"]["properties"]["maxSurge"]
    assert surge["allOf"] == [{"$ref": "#/components/schemas/IntOrString"}]
    idle = found["PodSpec"]["properties"]["dnsConfig"]["description"]
    assert idle == "Stored, but nothing here acts on it."
