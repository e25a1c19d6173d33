"""Which pod goes first?"""

from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.controllers.ranking import deletion_cost, victims
from mesh.runtime.clock import rfc3339

WALL = 1_780_000_000.0


def pod(
    name: str,
    *,
    node: str | None = "n",
    phase: str = "Running",
    ready_for_s: float | None = 100,
    age_s: float = 200,
    restarts: int = 0,
    **annotations: str,
) -> Pod:
    conditions = []
    if ready_for_s is not None:
        conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": rfc3339(WALL - ready_for_s)}]
    status: dict[str, Any] = {"phase": phase, "conditions": conditions}
    status["containerStatuses"] = [{"name": "c", "restartCount": restarts}]
    metadata = {"name": name, "uid": name, "creationTimestamp": rfc3339(WALL - age_s), "annotations": annotations}
    return Pod.model_validate({"metadata": metadata, "spec": {"nodeName": node}, "status": status})


COST = "controller.kubernetes.io/pod-deletion-cost"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(pod("z", node=None), pod("a"), id="unassigned"),
        pytest.param(
            pod("z", phase="Pending", ready_for_s=None), pod("a", phase="Unknown"), id="pending-before-unknown"
        ),
        pytest.param(pod("z", phase="Unknown"), pod("a"), id="unknown-before-running"),
        pytest.param(pod("z", ready_for_s=None), pod("a"), id="not-ready"),
        pytest.param(pod("z", **{COST: "-5"}), pod("a"), id="cheap"),
        pytest.param(pod("z"), pod("a", **{COST: "5"}), id="dear-stays"),
        pytest.param(pod("z", ready_for_s=10), pod("a", ready_for_s=1000), id="ready-for-a-shorter-time"),
        pytest.param(pod("z", restarts=3), pod("a"), id="restarted-more"),
        pytest.param(pod("z", age_s=20, ready_for_s=10), pod("a", age_s=2000, ready_for_s=10), id="younger"),
        pytest.param(pod("a"), pod("z"), id="else-by-uid"),
        pytest.param(pod("a", ready_for_s=100), pod("z", ready_for_s=101), id="near-equal-ages-are-equal"),
    ],
)
def test_first_difference_decides(first: Pod, second: Pod) -> None:
    for pods in ([first, second], [second, first]):
        assert victims(pods, 1, pods, WALL) == [first]


def test_the_fuller_node_gives_first() -> None:
    here, there, alone = pod("a", node="n1"), pod("b", node="n1"), pod("0", node="n2")
    assert victims([alone, here, there], 1, [alone, here, there], WALL) == [here]


def test_pods_of_a_sibling_set_count_as_neighbours() -> None:
    mine = [pod("a", node="n1"), pod("b", node="n2")]
    sibling = pod("s", node="n2")
    assert victims(mine, 1, [*mine, sibling], WALL) == [mine[1]]


def test_all_and_none() -> None:
    pods = [pod("a"), pod("b")]
    assert victims(pods, 5, pods, WALL) == pods
    assert victims(pods, 0, pods, WALL) == []


def test_an_illegible_cost_is_none() -> None:
    assert deletion_cost(pod("a", **{COST: "much"})) == 0
