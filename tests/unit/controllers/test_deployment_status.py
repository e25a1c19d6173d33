"""What does a Deployment say of itself?"""

from typing import Any

import pytest

from mesh.api.workloads import Deployment, ReplicaSet
from mesh.controllers.deployment_plan import bounds_of
from mesh.controllers.deployment_status import Phase, next_status
from mesh.runtime.clock import rfc3339

WALL = 1_780_000_000.0


def deployment(status: dict[str, Any] | None = None, **spec: Any) -> Deployment:
    return Deployment.model_validate(
        {"metadata": {"name": "web", "generation": 2}, "spec": {"replicas": 3, **spec}, "status": status or {}}
    )


def replica_set(name: str, size: int, pods: int, ready: int, **status: Any) -> ReplicaSet:
    counts = {"replicas": pods, "readyReplicas": ready, "availableReplicas": ready, **status}
    return ReplicaSet.model_validate({"metadata": {"name": name}, "spec": {"replicas": size}, "status": counts})


def status_of(
    owner: Deployment, new: ReplicaSet | None, *old: ReplicaSet, created: str | None = None
) -> tuple[dict[str, Any], float | None]:
    return next_status(owner, new, old, limit=bounds_of(owner), phase=Phase.ROLLING, created=created, wall=WALL)


def progressing(status: dict[str, Any]) -> tuple[str, str, str] | None:
    found = [c for c in status["conditions"] if c["type"] == "Progressing"]
    return (found[0]["status"], found[0]["reason"], found[0].get("message", "")) if found else None


def condition(status: str, reason: str, *, ago_s: float = 0) -> dict[str, str]:
    stamp = rfc3339(WALL - ago_s)
    return {
        "type": "Progressing",
        "status": status,
        "reason": reason,
        "lastUpdateTime": stamp,
        "lastTransitionTime": stamp,
    }


def test_counts_leave_zeros_out() -> None:
    status, _ = status_of(deployment(), replica_set("n", 1, 1, 0), replica_set("o", 3, 3, 3))
    counts = {key: value for key, value in status.items() if key != "conditions"}
    assert counts == {
        "observedGeneration": 2,
        "replicas": 4,
        "updatedReplicas": 1,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "unavailableReplicas": 1,
    }


@pytest.mark.parametrize(
    ("before", "new", "expected"),
    [
        pytest.param({}, replica_set("n", 3, 0, 0), ("True", "FoundNewReplicaSet"), id="found"),
        pytest.param({}, replica_set("n", 3, 2, 0), ("True", "ReplicaSetUpdated"), id="moving"),
        pytest.param({}, replica_set("n", 3, 3, 3), ("True", "NewReplicaSetAvailable"), id="complete"),
        pytest.param(
            {"conditions": [condition("True", "ReplicaSetUpdated", ago_s=601)]},
            replica_set("n", 3, 0, 0),
            ("False", "ProgressDeadlineExceeded"),
            id="too-late",
        ),
        pytest.param(
            {"conditions": [condition("True", "ReplicaSetUpdated", ago_s=599)]},
            replica_set("n", 3, 0, 0),
            ("True", "ReplicaSetUpdated"),
            id="not-yet-too-late",
        ),
        pytest.param(
            {
                "replicas": 3,
                "updatedReplicas": 3,
                "conditions": [condition("True", "NewReplicaSetAvailable", ago_s=9999)],
            },
            replica_set("n", 3, 3, 1),
            ("True", "NewReplicaSetAvailable"),
            id="complete-is-not-judged-again",
        ),
        pytest.param(
            {"conditions": [condition("Unknown", "DeploymentPaused", ago_s=9999)]},
            replica_set("n", 3, 0, 0),
            ("Unknown", "DeploymentResumed"),
            id="resumed",
        ),
    ],
)
def test_progress(before: dict[str, Any], new: ReplicaSet, expected: tuple[str, str]) -> None:
    found = progressing(status_of(deployment(before), new)[0])
    assert found is not None
    assert found[:2] == expected


def test_no_deadline_no_condition() -> None:
    owner = deployment({"conditions": [condition("True", "ReplicaSetUpdated")]}, progressDeadlineSeconds=2**31 - 1)
    status, again = status_of(owner, replica_set("n", 3, 0, 0))
    assert progressing(status) is None
    assert again is None


def test_the_deadline_is_looked_at_in_time() -> None:
    owner = deployment({"conditions": [condition("True", "ReplicaSetUpdated", ago_s=590)]})
    _, again = status_of(owner, replica_set("n", 3, 0, 0))
    assert again == pytest.approx(10, abs=0.2)


def test_messages_name_the_set() -> None:
    made, _ = status_of(deployment(), None, created="web-x")
    assert progressing(made) == ("True", "NewReplicaSetCreated", 'Created new replica set "web-x"')
    done, _ = status_of(deployment(), replica_set("web-x", 3, 3, 3))
    assert progressing(done) == (
        "True", "NewReplicaSetAvailable", 'ReplicaSet "web-x" has successfully progressed.'
    )  # fmt: skip


def test_availability_flips_with_the_lower_bound() -> None:
    few, _ = status_of(deployment(), replica_set("n", 3, 3, 2))
    (available,) = [c for c in few["conditions"] if c["type"] == "Available"]
    assert (available["status"], available["reason"]) == ("False", "MinimumReplicasUnavailable")
    enough, _ = status_of(deployment(), replica_set("n", 3, 3, 3))
    (available,) = [c for c in enough["conditions"] if c["type"] == "Available"]
    assert available["status"] == "True"


def test_a_refused_pod_is_told() -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "no room"}
    status, _ = status_of(deployment(), replica_set("n", 3, 0, 0, conditions=[failure]))
    assert [c["message"] for c in status["conditions"] if c["type"] == "ReplicaFailure"] == ["no room"]
    healed, _ = status_of(deployment({"conditions": [failure]}), replica_set("n", 3, 0, 0))
    assert not [c for c in healed["conditions"] if c["type"] == "ReplicaFailure"]
