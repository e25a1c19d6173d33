"""What old clients learn of fields: all of them or none, and how lists are merged."""

from typing import Any

import pytest

from mesh.api.known_fields import TYPES
from mesh.api.scheme import KINDS
from mesh.apiserver.discovery import served
from mesh.apiserver.openapi_definitions import define


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    named: dict[str, Any] = {}
    rows = [
        (group, version, kind)
        for group, versions in served().items()
        for version, kinds in versions.items()
        for kind in kinds
    ]
    for _ in define(rows, named):
        pass
    return named


def test_each_spelling_of_each_kind_is_there_once(found: dict[str, Any]) -> None:
    kinds = [part for schema in found.values() for part in schema.get("x-kubernetes-group-version-kind", ())]
    offered = [
        {"group": group, "version": version, "kind": kind.kind}
        for kind in KINDS
        if not kind.custom
        for group, version in ((kind.group, kind.version), *kind.other_versions)
    ]
    assert sorted(map(str, kinds)) == sorted(map(str, offered))


def test_every_reference_leads_somewhere(found: dict[str, Any]) -> None:
    def references(part: Any) -> list[str]:
        if isinstance(part, list):
            return [name for item in part for name in references(item)]
        if not isinstance(part, dict):
            return []
        own = [part["$ref"].removeprefix("#/definitions/")] if isinstance(part.get("$ref"), str) else []
        return own + [name for item in part.values() for name in references(item)]

    assert set(references(found)) <= set(found)


def test_a_type_has_all_its_fields_or_none(found: dict[str, Any]) -> None:
    for name, schema in found.items():
        fields = set(schema["properties"])
        assert any(fields == set(known) for known in TYPES.values()), name
        assert set(schema.get("required", ())) <= fields


@pytest.mark.parametrize(
    ("type_name", "field", "expected"),
    [
        pytest.param("DeploymentSpec", "replicas", {"type": "integer"}, id="number"),
        pytest.param("RollingUpdateDeployment", "maxSurge", {"type": "string", "format": "int-or-string"}, id="either"),
        pytest.param("PodSpec", "nodeSelector", {"type": "object", "additionalProperties": {"type": "string"}}, id="map"),
        pytest.param("Container", "command", {"type": "array", "items": {"type": "string"}}, id="list"),
        pytest.param("Container", "securityContext", {}, id="open"),
        pytest.param(
            "PodSpec", "containers",
            {"type": "array", "items": {"$ref": "#/definitions/io.k8s.api.core.v1.Container"},
             "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "name"},
            id="merged-by-name",
        ),
        pytest.param(
            "PodSpec", "volumes",
            {"type": "array", "items": {"$ref": "#/definitions/io.k8s.api.core.v1.Volume"},
             "x-kubernetes-patch-strategy": "merge,retainKeys", "x-kubernetes-patch-merge-key": "name"},
            id="merged-and-retained",
        ),
        pytest.param(
            "Container", "ports",
            {"type": "array", "items": {"$ref": "#/definitions/io.k8s.api.core.v1.ContainerPort"},
             "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "containerPort"},
            id="merged-by-port",
        ),
        pytest.param(
            "DeploymentSpec", "strategy",
            {"$ref": "#/definitions/io.k8s.api.core.v1.DeploymentStrategy", "x-kubernetes-patch-strategy": "retainKeys"},
            id="retained",
        ),
        pytest.param(
            "IngressSpec", "rules",
            {"type": "array", "items": {"$ref": "#/definitions/io.k8s.api.core.v1.IngressRule"}},
            id="replaced",
        ),
    ],
)  # fmt: skip
def test_field(found: dict[str, Any], type_name: str, field: str, expected: dict[str, Any]) -> None:
    schema = dict(found[f"io.k8s.api.core.v1.{type_name}"]["properties"][field])
    schema.pop("description", None)
    assert schema == expected
