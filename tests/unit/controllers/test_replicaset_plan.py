"""How many pods are to be made, which are to go, what is the status?"""

from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.api.workloads import ReplicaSet
from mesh.controllers.replicaset_plan import Observed, plan_replica_set

WALL = 1_780_000_000.0


def replica_set(replicas: int | None = 3, **more: Any) -> ReplicaSet:
    metadata = {"name": "web", "namespace": "default", "uid": "rs", "generation": 4, **more.pop("metadata", {})}
    template = {"metadata": {"labels": {"app": "web"}}}
    return ReplicaSet.model_validate(
        {"metadata": metadata, "spec": {"replicas": replicas, "template": template}, **more}
    )


def pod(name: str, *, ready: bool = True, phase: str = "Running", going: bool = False) -> Pod:
    metadata: dict[str, Any] = {"name": name, "namespace": "default", "uid": name, "labels": {"app": "web"}}
    if going:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return Pod.model_validate({"metadata": metadata, "status": {"phase": phase, "conditions": conditions}})


@pytest.mark.parametrize(
    ("replicas", "pods", "create", "delete"),
    [
        pytest.param(3, [], 3, [], id="from-nothing"),
        pytest.param(None, [], 1, [], id="one-when-nothing-is-said"),
        pytest.param(2, [pod("a"), pod("b")], 0, [], id="enough"),
        pytest.param(1, [pod("a"), pod("b", ready=False)], 0, ["b"], id="too-many"),
        pytest.param(2, [pod("a"), pod("b", going=True)], 1, [], id="terminating-do-not-count"),
        pytest.param(2, [pod("a"), pod("b", phase="Failed")], 1, ["b"], id="ended-are-cleared-and-replaced"),
        pytest.param(0, [pod("a")], 0, ["a"], id="none-wanted"),
    ],
)
def test_numbers(replicas: int | None, pods: list[Pod], create: int, delete: list[str]) -> None:
    plan = plan_replica_set(Observed(rs=replica_set(replicas), pods=pods, wall=WALL))
    assert (plan.create, [p.name for p in plan.delete]) == (create, delete)


def test_nothing_is_made_or_deleted_before_the_cache_has_caught_up() -> None:
    seen = Observed(rs=replica_set(3), pods=[pod("a"), pod("b")], settled=False, leaving={"b"}, coming=2, wall=WALL)
    plan = plan_replica_set(seen)
    assert (plan.create, plan.delete) == (0, ())
    assert plan.status is not None
    status = plan.status.patch["status"]
    assert (status["replicas"], status["availableReplicas"]) == (3, 1)


def test_who_goes_makes_no_pods() -> None:
    going = replica_set(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    assert plan_replica_set(Observed(rs=going, pods=[], wall=WALL)).create == 0


def test_the_status_counts_and_is_written_once() -> None:
    status = {
        "replicas": 2,
        "fullyLabeledReplicas": 2,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "observedGeneration": 4,
    }
    pods = [pod("a"), pod("b", ready=False)]
    plan = plan_replica_set(Observed(rs=replica_set(2), pods=pods, wall=WALL))
    assert plan.status is not None
    assert plan.status.patch == {"status": status}
    again = plan_replica_set(Observed(rs=replica_set(2, status=status), pods=pods, wall=WALL))
    assert again.status is None


def test_a_refusal_is_a_condition_while_it_lasts() -> None:
    plan = plan_replica_set(Observed(rs=replica_set(1), pods=[], failure="no", wall=WALL))
    assert plan.status is not None
    (failure,) = plan.status.patch["status"]["conditions"]
    assert (failure["type"], failure["status"], failure["message"]) == ("ReplicaFailure", "True", "no")
    healed = replica_set(1, status={"conditions": [failure]})
    after = plan_replica_set(Observed(rs=healed, pods=[pod("a")], wall=WALL))
    assert after.status is not None
    assert after.status.patch["status"]["conditions"] is None
