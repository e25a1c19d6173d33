"""What does a StatefulSet's status say?"""

from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.api.workloads import StatefulSet
from mesh.controllers.statefulset_status import plan_status
from tests.unit.controllers.test_statefulset_plan import pod, stateful

OLD = {"revision": "old"}
ON_DELETE = {"updateStrategy": {"type": "OnDelete"}}


@pytest.mark.parametrize(
    ("owner", "pods", "expected"),
    [
        pytest.param(stateful(2), [pod(0), pod(1)], (2, 2, 2, 2, "new"), id="done"),
        pytest.param(stateful(2), [pod(0)], (1, 1, None, 1, "old"), id="one-missing"),
        pytest.param(stateful(2), [pod(0, **OLD), pod(1)], (2, 2, 1, 1, "old"), id="half-way"),
        pytest.param(stateful(2), [pod(0), pod(1, ready=False)], (2, 1, None, 2, "old"), id="unready"),
        pytest.param(stateful(2), [pod(0), pod(1, going=True)], (2, 2, None, 1, "old"), id="leaving"),
        pytest.param(stateful(2), [pod(0), pod(1, phase="Failed", ready=False)], (1, 1, None, 1, "old"), id="ended"),
        pytest.param(stateful(0), [], (0, None, None, None, "new"), id="none-wanted"),
        pytest.param(stateful(1, **ON_DELETE), [pod(0)], (1, 1, None, 1, "old"), id="on-delete-never-completes"),
    ],
)
def test_counts(owner: StatefulSet, pods: list[Pod], expected: tuple[int | None, ...]) -> None:
    """expected: replicas, ready, current, updated, and the current revision."""
    said = {"replicas": 9, "readyReplicas": 9, "currentReplicas": 9, "updatedReplicas": 9, "currentRevision": "none"}
    seen = owner.model_copy(update={"status": type(owner.status).model_validate(said)})
    patch = plan_status(seen, pods, [p for p in pods if p.ready], "old", "new")
    assert patch is not None
    status: dict[str, Any] = patch.patch["status"]
    names = ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "currentRevision")
    assert tuple(status[name] for name in names) == expected
    assert status["updateRevision"] == "new"
    assert status["collisionCount"] == 0


def test_nothing_new_is_not_written() -> None:
    owner = stateful(1)
    patch = plan_status(owner, [pod(0)], [pod(0)], "new", "new")
    assert patch is not None
    told = stateful(1, status=patch.patch["status"])
    assert plan_status(told, [pod(0)], [pod(0)], "new", "new") is None
