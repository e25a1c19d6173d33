"""What the server adds or refuses because of what else is stored."""

from collections.abc import Iterable
from typing import Any

import pytest

from mesh.api.errors import Forbidden
from mesh.api.scheme import BY_GVK
from mesh.apiserver import plugins

Json = dict[str, Any]
CLAIM = BY_GVK[("v1", "PersistentVolumeClaim")]
VOLUME = BY_GVK[("v1", "PersistentVolume")]
INGRESS = BY_GVK[("networking.k8s.io/v1", "Ingress")]
DEFAULT = {"storageclass.kubernetes.io/is-default-class": "true"}


def storage_class(name: str, made: str = "2026-01-01T00:00:00Z", **more: Any) -> Json:
    annotations = more.pop("annotations", {})
    return {"metadata": {"name": name, "creationTimestamp": made, "annotations": annotations}, **more}


def stored(*objects: Json) -> plugins.Stored:
    def find(_resource: str) -> Iterable[Json]:
        return objects

    return find


def claim(storage: str = "1Gi", phase: str = "Bound", **spec: Any) -> Json:
    spec = {"resources": {"requests": {"storage": storage}}, **spec}
    return {"metadata": {"name": "data"}, "spec": spec, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("spec", "classes", "expected"),
    [
        pytest.param({}, [], None, id="no-class-there"),
        pytest.param({}, [storage_class("a")], None, id="no-default"),
        pytest.param({}, [storage_class("a"), storage_class("b", annotations=DEFAULT)], "b", id="default"),
        pytest.param({"storageClassName": ""}, [storage_class("b", annotations=DEFAULT)], "", id="none-on-purpose"),
        pytest.param({"storageClassName": "x"}, [storage_class("b", annotations=DEFAULT)], "x", id="another"),
        pytest.param(
            {},
            [storage_class("b", annotations=DEFAULT), storage_class("c", "2026-02-01T00:00:00Z", annotations=DEFAULT)],
            "c",
            id="the-newest",
        ),
    ],
)
def test_claims_get_the_default_class(spec: Json, classes: list[Json], expected: str | None) -> None:
    obj = claim(**spec)
    plugins.on_create(CLAIM, obj, stored(*classes))
    assert obj["spec"].get("storageClassName") == expected


def test_storage_in_use_is_protected() -> None:
    made = claim()
    plugins.on_create(CLAIM, made, stored())
    plugins.on_create(CLAIM, made, stored())
    assert made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    volume = {"metadata": {"name": "pv", "finalizers": ["a/b"]}, "spec": {}}
    plugins.on_create(VOLUME, volume, stored())
    assert volume["metadata"]["finalizers"] == ["a/b", "kubernetes.io/pv-protection"]


@pytest.mark.parametrize(
    ("old", "new", "classes", "fine"),
    [
        pytest.param(claim(), claim("1Gi"), [], True, id="same"),
        pytest.param(
            claim(storageClassName="s"), claim("2Gi"), [storage_class("s", allowVolumeExpansion=True)], True, id="may"
        ),
        pytest.param(claim(storageClassName="s"), claim("2Gi"), [storage_class("s")], False, id="may-not"),
        pytest.param(claim(), claim("2Gi"), [storage_class("s", allowVolumeExpansion=True)], False, id="no-class"),
        pytest.param(claim(phase="Pending"), claim("2Gi"), [], True, id="judged-elsewhere"),
    ],
)
def test_growth(old: Json, new: Json, classes: list[Json], fine: bool) -> None:
    if fine:
        plugins.on_update(CLAIM, new, old, stored(*classes))
        return
    with pytest.raises(Forbidden, match="the storageclass that provisions the pvc must support resize"):
        plugins.on_update(CLAIM, new, old, stored(*classes))


@pytest.mark.parametrize(
    ("ingress", "expected"),
    [
        pytest.param({"metadata": {}, "spec": {}}, "front", id="default"),
        pytest.param({"metadata": {}, "spec": {"ingressClassName": "own"}}, "own", id="own"),
        pytest.param(
            {"metadata": {"annotations": {"kubernetes.io/ingress.class": "old"}}, "spec": {}}, None, id="by-annotation"
        ),
    ],
)
def test_ingresses_get_the_default_class(ingress: Json, expected: str | None) -> None:
    marked = storage_class("front", annotations={"ingressclass.kubernetes.io/is-default-class": "true"})
    plugins.on_create(INGRESS, ingress, stored(storage_class("other"), marked))
    assert ingress["spec"].get("ingressClassName") == expected
