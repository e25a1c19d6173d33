"""Of what are stateful pods and their claims made, and whose are the claims?"""

from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.api.storage import PersistentVolumeClaim
from mesh.api.workloads import StatefulSet
from mesh.controllers.statefulset_pods import (
    claim_names,
    kept_apart,
    new_claims,
    ordinal_of,
    ordinals,
    retained,
    stateful_pod,
)


def owner(policy: dict[str, str] | None = None, **spec: Any) -> StatefulSet:
    claims = [
        {"metadata": {"name": "data", "labels": {"tier": "disk"}}, "spec": {"accessModes": ["ReadWriteOnce"]}},
        {"metadata": {"name": "log"}, "spec": {}},
    ]
    base: dict[str, Any] = {
        "replicas": 2,
        "serviceName": "db",
        "selector": {"matchLabels": {"app": "db"}},
        "template": {"spec": {"volumes": [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]}},
        "volumeClaimTemplates": claims,
        "persistentVolumeClaimRetentionPolicy": policy,
    }
    meta = {"name": "db", "namespace": "default", "uid": "set"}
    return StatefulSet.model_validate({"metadata": meta, "spec": {**base, **spec}})


def pod(uid: str = "pod") -> Pod:
    return Pod.model_validate({"metadata": {"name": "db-0", "namespace": "default", "uid": uid}})


def claim(*owners: tuple[str, str, str], going: bool = False) -> PersistentVolumeClaim:
    """owners: (kind, name, uid)"""
    meta: dict[str, Any] = {"name": "data-db-0", "namespace": "default", "resourceVersion": "7"}
    meta["ownerReferences"] = [{"apiVersion": "v1", "kind": k, "name": n, "uid": u} for k, n, u in owners] or None
    if going:
        meta["deletionTimestamp"] = "then"
    return PersistentVolumeClaim.model_validate({"metadata": meta})


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, [0, 1], id="from-zero"),
        pytest.param({"ordinals": {"start": 3}}, [3, 4], id="from-three"),
        pytest.param({"replicas": None}, [0], id="one-by-default"),
        pytest.param({"replicas": 0}, [], id="none"),
    ],
)
def test_ordinals(spec: dict[str, Any], expected: list[int]) -> None:
    assert list(ordinals(owner(**spec))) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("db-0", 0, id="zero"),
        pytest.param("db-12", 12, id="two-digits"),
        pytest.param("db-01", None, id="leading-zero"),
        pytest.param("db-x", None, id="no-number"),
        pytest.param("other-1", None, id="another-set"),
        pytest.param("db-1-2", None, id="longer"),
    ],
)
def test_the_ordinal_of_a_name(name: str, expected: int | None) -> None:
    assert ordinal_of("db", name) == expected


def test_a_claim_takes_the_place_of_a_volume_of_its_name() -> None:
    set_ = owner()
    made = stateful_pod(set_, set_.spec.template, 1, "db-x")
    shown = {v.name: (v.persistent_volume_claim or {}).get("claimName", "of its own") for v in made.spec.volumes or ()}
    assert shown == {"tmp": "of its own", "data": "data-db-1", "log": "log-db-1"}
    assert (made.spec.hostname, made.spec.subdomain) == ("db-1", "db")
    assert [v.name for v in set_.spec.template.spec.volumes or ()] == ["data", "tmp"], "the template was changed"


def test_only_what_is_missing_is_made() -> None:
    (made,) = new_claims(owner(), 0, {"data-db-0": claim()})
    assert made.obj.name == "log-db-0"
    assert made.note is not None
    assert made.note.message == "create Claim log-db-0 Pod db-0 in StatefulSet db success"
    first, _ = new_claims(owner(), 0, {})
    assert first.obj.metadata.label_map == {"tier": "disk", "app": "db"}
    assert claim_names(owner(), 0) == {"data": "data-db-0", "log": "log-db-0"}


SET, POD, OTHER = ("StatefulSet", "db", "set"), ("Pod", "db-0", "pod"), ("Backup", "b", "b")
SCALED, DELETED = {"whenScaled": "Delete"}, {"whenDeleted": "Delete"}


@pytest.mark.parametrize(
    ("policy", "condemned", "have", "after"),
    [
        pytest.param({}, False, [], None, id="retain"),
        pytest.param({}, True, [], None, id="retain-scaled-away"),
        pytest.param({}, False, [SET, OTHER], ["b"], id="ours-goes-others-stay"),
        pytest.param(DELETED, False, [], ["set"], id="with-the-set"),
        pytest.param(DELETED, False, [SET], None, id="with-the-set-already"),
        pytest.param(DELETED, True, [SET], None, id="with-the-set-when-scaled-away"),
        pytest.param(SCALED, False, [], None, id="scaled-but-wanted"),
        pytest.param(SCALED, True, [], ["pod"], id="with-the-pod"),
        pytest.param(SCALED, False, [POD], [], id="wanted-again"),
        pytest.param({**SCALED, **DELETED}, True, [SET], ["pod"], id="both-scaled-away"),
        pytest.param({**SCALED, **DELETED}, False, [POD], ["set"], id="both-wanted-again"),
    ],
)
def test_whose_a_claim_is(
    policy: dict[str, str], condemned: bool, have: list[tuple[str, str, str]], after: list[str] | None
) -> None:
    patches = list(retained(owner(policy), 0, pod(), {"data-db-0": claim(*have)}, condemned=condemned))
    if after is None:
        assert patches == []
        return
    (patch,) = patches
    assert [ref["uid"] for ref in patch.patch["metadata"]["ownerReferences"] or ()] == after
    assert patch.patch["metadata"]["resourceVersion"] == "7"


@pytest.mark.parametrize(
    ("given", "uid", "waits"),
    [
        pytest.param(claim(), None, False, id="free"),
        pytest.param(claim(going=True), None, True, id="on-its-way-out"),
        pytest.param(claim(POD), None, True, id="goes-with-the-one-before"),
        pytest.param(claim(POD), "pod", False, id="goes-with-this-one"),
        pytest.param(claim(OTHER), None, False, id="somebody-elses"),
    ],
)
def test_a_claim_that_is_not_for_the_next_pod(given: PersistentVolumeClaim, uid: str | None, waits: bool) -> None:
    found = kept_apart(owner(), 0, pod(uid) if uid else None, {"data-db-0": given})
    assert (found is not None) is waits
