"""Each version of a kind has its own fields."""

from typing import Any

import pytest

from mesh.api.scheme import BY_GVK
from mesh.apiserver.openapi_schemas import components
from mesh.apiserver.openapi_words import WORDS


def spec_of(api_version: str, kind: str) -> dict[str, Any]:
    group, _, version = api_version.rpartition("/")
    found = components(BY_GVK[(api_version, kind)], group, version)
    reference = found[kind]["properties"]["spec"]["allOf"][0]["$ref"].rpartition("/")[2]
    properties: dict[str, Any] = found[reference]["properties"]
    return properties


@pytest.mark.parametrize(
    ("api_version", "kind", "has", "lacks"),
    [
        pytest.param("networking.k8s.io/v1", "Ingress", "defaultBackend", "backend", id="ingress"),
        pytest.param("networking.k8s.io/v1beta1", "Ingress", "backend", "defaultBackend", id="old-ingress"),
        pytest.param("autoscaling/v2", "HorizontalPodAutoscaler", "metrics", "targetCPUUtilizationPercentage", id="v2"),
        pytest.param("autoscaling/v1", "HorizontalPodAutoscaler", "targetCPUUtilizationPercentage", "metrics", id="v1"),
    ],
)
def test_versions(api_version: str, kind: str, has: str, lacks: str) -> None:
    properties = spec_of(api_version, kind)
    assert has in properties
    assert lacks not in properties


def test_lists_stay_lists() -> None:
    found = components(BY_GVK[("v1", "Pod")], "", "v1")
    containers = found["PodSpec"]["properties"]["containers"]
    assert (containers["type"], containers["items"]) == (
        "array", {"allOf": [{"$ref": "#/components/schemas/Container"}]},
    )  # fmt: skip
    assert found["ObjectMeta"]["properties"]["labels"] == {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "description": WORDS["ObjectMeta.labels"],
    }


def test_words_are_about_fields_that_are_there() -> None:
    found: dict[str, Any] = {}
    for (api_version, _), kind in BY_GVK.items():
        group, _, version = api_version.rpartition("/")
        found |= components(kind, group, version)
    for words in WORDS:
        name, _, field = words.partition(".")
        assert name in found, words
        assert not field or field in found[name]["properties"], words
