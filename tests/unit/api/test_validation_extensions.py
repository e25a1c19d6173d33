"""Every rule of a definition has a case that breaks it."""

from copy import deepcopy
from typing import Any

import pytest

from mesh.api.extensions import accepted_status
from mesh.api.scheme import defined
from mesh.api.validation_extensions import definition_causes, definition_update_causes

GOOD: dict[str, Any] = {
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Cluster",
        "names": {"plural": "widgets", "kind": "Widget", "singular": "wid"},
        "versions": [
            {"name": "v1", "served": True, "storage": True,
             "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas"}}},
            {"name": "v2", "served": True, "storage": False},
            {"name": "v3", "served": False, "storage": False},
        ],
    },
}  # fmt: skip


def changed(**spec: Any) -> dict[str, Any]:
    obj = deepcopy(GOOD)
    obj["spec"] |= spec
    return obj


def version(name: str = "v1", storage: bool = True) -> dict[str, Any]:
    return {"name": name, "served": True, "storage": storage}


@pytest.mark.parametrize(
    ("obj", "fields"),
    [
        pytest.param(GOOD, [], id="good"),
        pytest.param({**GOOD, "metadata": {"name": "x"}}, ["metadata.name"], id="name"),
        pytest.param(changed(scope="World"), ["spec.scope"], id="scope"),
        pytest.param(changed(group="com"), ["spec.group", "metadata.name"], id="group"),
        pytest.param(
            changed(names={"plural": "Widgets", "kind": "W"}), ["spec.names.plural", "metadata.name"], id="upper"
        ),
        pytest.param(changed(names={"plural": "widgets", "kind": "Pod"}), ["spec.names.kind"], id="built-in"),
        pytest.param(changed(versions=[]), ["spec.versions"], id="no-versions"),
        pytest.param(changed(versions=[version(storage=False)]), ["spec.versions"], id="no-storage"),
        pytest.param(changed(versions=[version(), version(storage=False)]), ["spec.versions"], id="twice"),
        pytest.param(changed(versions=[version("1x")]), ["spec.versions[0].name"], id="version-name"),
        pytest.param({"metadata": {}}, ["spec"], id="no-spec"),
    ],
)
def test_definitions(obj: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in definition_causes(obj)] == fields


@pytest.mark.parametrize(
    ("obj", "fields"),
    [
        pytest.param(changed(versions=[version()]), [], id="versions-may-change"),
        pytest.param(changed(scope="Namespaced"), ["spec.scope"], id="scope"),
        pytest.param(changed(names={"plural": "widgets", "kind": "W"}), ["spec.names.kind"], id="kind"),
    ],
)
def test_updates(obj: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in definition_update_causes(obj, GOOD)] == fields


def test_the_kind_that_it_brings() -> None:
    kind = defined(GOOD)
    assert (kind.api_version, kind.resource, kind.singular) == ("example.com/v1", "widgets.example.com", "wid")
    assert kind.other_versions == (("example.com", "v2"),)
    assert (kind.namespaced, kind.has_status, kind.has_scale, kind.custom, kind.executed) == (
        False, True, True, True, False,
    )  # fmt: skip
    assert accepted_status(GOOD, "now")["storedVersions"] == ["v1"]
