"""Which volume fits a claim? (What a claim gets of several stands in test_claims_plan.)"""

from typing import Any

import pytest

from mesh.api.core import Node
from mesh.api.storage import PersistentVolume, PersistentVolumeClaim
from mesh.controllers.volume_match import bound_to, class_of, is_free, mismatch, reachable, reserved_for, size
from tests.unit.controllers import storage

HERE = Node.model_validate({"metadata": {"name": "n1", "labels": {"kubernetes.io/hostname": "n1"}}})


def claim(uid: str = "u", **spec: Any) -> PersistentVolumeClaim:
    data = storage.claim(**spec)
    data["metadata"] |= {"namespace": "default", "uid": uid}
    return PersistentVolumeClaim.model_validate(data)


def volume(ref: dict[str, str] | None = None, **spec: Any) -> PersistentVolume:
    made = PersistentVolume.model_validate(storage.volume(**spec))
    made.spec.claim_ref = ref
    return made


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [({"storage": "1Ki"}, 1024), ({"storage": 5}, 5), ({}, 0), (None, 0), ({"storage": "much"}, 0)],
)
def test_size(amounts: dict[str, Any] | None, expected: float) -> None:
    assert size(amounts) == expected


@pytest.mark.parametrize(
    ("ref", "reserved", "bound"),
    [
        pytest.param(None, False, False, id="nobodys"),
        pytest.param({"namespace": "default", "name": "data"}, True, False, id="by-name"),
        pytest.param({"namespace": "default", "name": "data", "uid": "u"}, True, True, id="by-uid"),
        pytest.param({"namespace": "default", "name": "data", "uid": "x"}, False, False, id="a-namesakes"),
        pytest.param({"namespace": "far", "name": "data"}, False, False, id="another-namespace"),
        pytest.param({"name": "data"}, False, False, id="no-namespace"),
    ],
)
def test_whose(ref: dict[str, str] | None, reserved: bool, bound: bool) -> None:
    held = volume(ref)
    assert (reserved_for(held, claim()), bound_to(held, claim())) == (reserved, bound)
    assert is_free(held) is (ref is None)


@pytest.mark.parametrize(
    ("asked", "given", "words"),
    [
        pytest.param({}, {}, None, id="fits"),
        pytest.param({"storage": "2Gi"}, {}, "requested PV is too small", id="small"),
        pytest.param({}, {"storageClassName": "fast"}, "storageClassName does not match", id="class"),
        pytest.param({"volumeMode": "Block"}, {}, "incompatible volumeMode", id="mode"),
        pytest.param({"accessModes": ["ReadWriteMany"]}, {}, "incompatible accessMode", id="access"),
    ],
)
def test_mismatch(asked: dict[str, Any], given: dict[str, Any], words: str | None) -> None:
    assert mismatch(volume(**given), claim(**asked), "") == words


def test_class_by_annotation_wins() -> None:
    old = claim(storageClassName="new")
    old.metadata.annotations = {"volume.beta.kubernetes.io/storage-class": "old"}
    assert class_of(old) == "old"
    assert (class_of(claim()), class_of(claim(storageClassName="")), class_of(volume())) == (None, "", "")


@pytest.mark.parametrize(("node", "expected"), [("", True), ("n1", True), ("n2", False)])
def test_reachable(node: str, expected: bool) -> None:
    assert reachable(volume(node=node), HERE) is expected
