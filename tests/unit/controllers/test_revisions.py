"""What do ReplicaSets remember?"""

from mesh.api.workloads import Deployment, ReplicaSet
from mesh.controllers.revisions import (
    annotations_for,
    marks,
    obsolete,
    recorded,
    revision,
    revision_patch,
    revisions_patch,
)
from mesh.controllers.rollout import Bounds

NUMBER = "deployment.kubernetes.io/revision"


def rs(name: str, number: int | None, size: int = 0, **annotations: str) -> ReplicaSet:
    own = {**({NUMBER: str(number)} if number else {}), **annotations}
    return ReplicaSet.model_validate({"metadata": {"name": name, "annotations": own}, "spec": {"replicas": size}})


def owner(**annotations: str) -> Deployment:
    return Deployment.model_validate({"metadata": {"name": "web", "annotations": annotations}})


def test_numbers_move_on_and_leave_a_history() -> None:
    first, second = rs("a", 1), rs("b", 2)
    assert annotations_for(owner(), None, [first, second]) == {NUMBER: "3"}
    back = annotations_for(owner(), first, [second])
    assert back == {NUMBER: "3", "deployment.kubernetes.io/revision-history": "1"}


def test_the_latest_keeps_its_number() -> None:
    assert annotations_for(owner(), rs("b", 2), [rs("a", 1)]) == {}
    assert revisions_patch(owner(), rs("b", 2), [rs("a", 1)]) is None


def test_own_annotations_are_copied_and_the_controllers_are_not() -> None:
    wanted = annotations_for(owner(note="x", **{NUMBER: "9"}), None, [])
    assert wanted == {"note": "x", NUMBER: "1"}


def test_min_ready_seconds_follow() -> None:
    deployment = owner()
    deployment.spec.min_ready_seconds = 5
    patch = revisions_patch(deployment, rs("a", 1), [])
    assert patch is not None
    assert patch.patch["spec"] == {"minReadySeconds": 5}


def test_the_deployment_carries_the_number() -> None:
    patch = revision_patch(owner(), rs("a", 4))
    assert patch is not None
    assert patch.patch == {"metadata": {"annotations": {NUMBER: "4"}}}
    assert revision_patch(owner(**{NUMBER: "4"}), rs("a", 4)) is None


def test_sizes_are_read_back() -> None:
    marked = rs("a", 1, **marks(Bounds(replicas=3, surge=1, unavailable=0)))
    assert recorded(marked) == (3, 4)
    assert recorded(rs("a", 1)) == (None, None)
    assert revision(rs("a", None)) == 0


def test_only_empty_old_sets_are_obsolete() -> None:
    deployment = owner()
    deployment.spec.revision_history_limit = 0
    assert [r.name for r in obsolete(deployment, [rs("b", 2), rs("a", 1), rs("busy", 3, 1)])] == ["a", "b"]
    deployment.spec.revision_history_limit = 2**31 - 1
    assert obsolete(deployment, [rs("a", 1)]) == []
