"""Which node gets a daemon, and which daemon goes?"""

from typing import Any

import pytest

from mesh.api.core import Node, Pod
from mesh.api.workloads import DaemonSet
from mesh.controllers.daemonset_plan import Observed, most_unavailable, plan_daemon_set


def daemon_set(at_once: int | str = 1, **spec: Any) -> DaemonSet:
    base = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": at_once}}}
    return DaemonSet.model_validate({"metadata": {"name": "a", "uid": "a", "generation": 3}, "spec": {**base, **spec}})


def nodes(*names: str, taints: list[dict[str, str]] | None = None) -> list[Node]:
    return [Node.model_validate({"metadata": {"name": name}, "spec": {"taints": taints}}) for name in names]


def pod(
    name: str, node: str, *, ready: bool = True, going: bool = False, code: str = "new", phase: str = "Running"
) -> Pod:
    meta: dict[str, Any] = {"name": name, "uid": name, "labels": {"controller-revision-hash": code}}
    if going:
        meta["deletionTimestamp"] = "then"
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    status = {"phase": phase, "conditions": conditions}
    return Pod.model_validate({"metadata": meta, "spec": {"nodeName": node}, "status": status})


def steps(owner: DaemonSet, where: list[Node], *pods: Pod, settled: bool = True) -> list[str]:
    plan = plan_daemon_set(Observed(daemon_set=owner, nodes=where, pods=pods, code="new", settled=settled, wall=1e9))
    return [f"+{node}" for node in plan.create] + [f"-{gone.name}" for gone in plan.delete]


OLD = {"code": "old"}
THREE = nodes("x", "y", "z")
EVERYWHERE_OLD = [pod("p", "x", code="old"), pod("q", "y", code="old"), pod("r", "z", code="old")]


@pytest.mark.parametrize(
    ("owner", "where", "pods", "expected"),
    [
        pytest.param(daemon_set(), nodes("x", "y"), [], ["+x", "+y"], id="everywhere"),
        pytest.param(daemon_set(), nodes("x"), [pod("p", "x")], [], id="there"),
        pytest.param(daemon_set(), nodes("x"), [pod("p", "x", going=True)], [], id="leaving-holds-the-place"),
        pytest.param(daemon_set(), nodes("x"), [pod("p", "x"), pod("q", "x")], ["-q"], id="one-too-many"),
        pytest.param(daemon_set(), nodes("x"), [pod("p", "x", phase="Failed", ready=False)], ["-p"], id="failed"),
        pytest.param(
            daemon_set(template={"spec": {"nodeSelector": {"a": "b"}}}), nodes("x"), [pod("p", "x")], ["-p"], id="misplaced"
        ),
        pytest.param(daemon_set(), nodes("x"), [pod("p", "gone")], ["+x"], id="on-a-node-that-is-not-there"),
        pytest.param(daemon_set(), THREE, EVERYWHERE_OLD, ["-p"], id="update-one"),
        pytest.param(daemon_set("50%"), THREE, EVERYWHERE_OLD, ["-p", "-q"], id="update-half-rounded-up"),
        pytest.param(daemon_set(), THREE, [*EVERYWHERE_OLD[:2], pod("r", "z", ready=False)], [], id="update-waits"),
        pytest.param(
            daemon_set(),
            THREE,
            [*EVERYWHERE_OLD[:2], pod("r", "z", ready=False, code="old")],
            ["-r"],
            id="the-unwell-first",
        ),
        pytest.param(daemon_set(updateStrategy={"type": "OnDelete"}), THREE, EVERYWHERE_OLD, [], id="on-delete"),
        pytest.param(
            daemon_set(), nodes("x", taints=[{"key": "k", "effect": "NoSchedule"}]), [pod("p", "x")], [], id="tainted-after"
        ),
        pytest.param(
            daemon_set(), nodes("x", taints=[{"key": "k", "effect": "NoExecute"}]), [pod("p", "x")], ["-p"], id="driven-off"
        ),
    ],
)  # fmt: skip
def test_steps(owner: DaemonSet, where: list[Node], pods: list[Pod], expected: list[str]) -> None:
    assert steps(owner, where, *pods) == expected
    assert steps(owner, where, *pods, settled=False) == []


@pytest.mark.parametrize(
    ("said", "desired", "expected"),
    [
        pytest.param(1, 5, 1, id="one"),
        pytest.param("10%", 5, 1, id="rounded-up"),
        pytest.param("100%", 5, 5, id="all"),
        pytest.param("100%", 0, 1, id="never-nothing"),
    ],
)
def test_most_unavailable(said: int | str, desired: int, expected: int) -> None:
    assert most_unavailable(daemon_set(said), desired) == expected


def test_status() -> None:
    where = [*nodes("x", "y"), *nodes("t", taints=[{"key": "k", "effect": "NoSchedule"}])]
    pods = [pod("p", "x"), pod("q", "y", ready=False, code="old"), pod("r", "t")]
    plan = plan_daemon_set(Observed(daemon_set=daemon_set(), nodes=where, pods=pods, code="new", wall=1e9))
    assert plan.status is not None
    assert {k: v for k, v in plan.status.patch["status"].items() if v is not None} == {
        "desiredNumberScheduled": 2,
        "currentNumberScheduled": 2,
        "numberMisscheduled": 1,
        "numberReady": 1,
        "numberAvailable": 1,
        "numberUnavailable": 1,
        "updatedNumberScheduled": 1,
        "observedGeneration": 3,
    }


def test_a_daemon_counts_after_it_was_ready_for_long_enough() -> None:
    young = pod("p", "x")
    young.status.conditions[0].last_transition_time = "2026-01-01T00:00:00Z"  # type: ignore[index]
    wall = 1_767_225_600.0 + 4
    owner = daemon_set(minReadySeconds=10)
    plan = plan_daemon_set(Observed(daemon_set=owner, nodes=nodes("x"), pods=[young], code="new", wall=wall))
    assert plan.requeue_after_s == 6
