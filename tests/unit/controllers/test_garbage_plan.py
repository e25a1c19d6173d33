"""What becomes of dependents?"""

from typing import Any

from mesh.api.core import Pod
from mesh.api.workloads import ReplicaSet
from mesh.controllers.actions import Delete, Patch
from mesh.controllers.garbage_plan import plan_absent, plan_leaving


def pod(*owners: str, blocks: bool = True, **metadata: Any) -> Pod:
    references = [
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": o, "uid": o, "blockOwnerDeletion": blocks}
        for o in owners
    ]
    base = {"name": "p", "namespace": "default", "uid": "p", "ownerReferences": references}
    return Pod.model_validate({"metadata": {**base, **metadata}})


def owner(*finalizers: str, going: bool = True) -> ReplicaSet:
    metadata: dict[str, Any] = {"name": "rs", "namespace": "default", "uid": "a", "finalizers": list(finalizers)}
    if going:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return ReplicaSet.model_validate({"metadata": metadata})


def test_without_any_owner_an_object_goes() -> None:
    (gone,) = plan_absent([pod("a")], {"a"})
    assert isinstance(gone, Delete)
    assert (gone.uid, gone.propagation) == ("p", "Background")
    assert plan_absent([pod("a", deletionTimestamp="2026-01-01T00:00:00Z")], {"a"}) == []


def test_with_one_owner_left_it_stays_and_loses_the_other() -> None:
    (patch,) = plan_absent([pod("a", "b")], {"a"})
    assert isinstance(patch, Patch)
    assert [r["uid"] for r in patch.patch["metadata"]["ownerReferences"]] == ["b"]
    assert plan_absent([pod("b")], {"a"}) == []


def test_its_own_finalizer_says_how_it_goes() -> None:
    (gone,) = plan_absent([pod("a", finalizers=["orphan"])], {"a"})
    assert isinstance(gone, Delete)
    assert gone.propagation == "Orphan"


def test_orphans_are_released_before_their_owner_goes() -> None:
    release, finish = plan_leaving(owner("orphan", "mine"), [pod("a")])
    assert isinstance(release, Patch)
    assert release.patch["metadata"]["ownerReferences"] is None
    assert isinstance(finish, Patch)
    assert finish.patch["metadata"]["finalizers"] == ["mine"]


def test_foreground_waits_for_those_that_block() -> None:
    (gone,) = plan_leaving(owner("foregroundDeletion"), [pod("a"), pod("a", blocks=False)])
    assert isinstance(gone, Delete)
    assert gone.propagation == "Foreground"
    assert plan_leaving(owner("foregroundDeletion"), [pod("a", deletionTimestamp="2026-01-01T00:00:00Z")]) == []
    (finish,) = plan_leaving(owner("foregroundDeletion"), [pod("a", blocks=False)])
    assert isinstance(finish, Patch)
    assert finish.patch["metadata"]["finalizers"] is None


def test_others_are_left_alone() -> None:
    assert plan_leaving(owner("foregroundDeletion", going=False), [pod("a")]) == []
    assert plan_leaving(owner("somebody-else"), [pod("a")]) == []
