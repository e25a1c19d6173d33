"""What is said of a node, and which pods must leave?"""

from typing import Any

import pytest

from mesh.api.core import Node, Pod
from mesh.controllers.actions import Delete, Note, Patch
from mesh.controllers.nodes_plan import Observed, plan_node

WALL = 1_780_000_000.0


def node(ready: str = "True", **spec: Any) -> Node:
    conditions = [{"type": "Ready", "status": ready, "lastHeartbeatTime": "then"}]
    return Node.model_validate({"metadata": {"name": "n"}, "spec": spec, "status": {"conditions": conditions}})


def pod(name: str = "p", *, ready: bool = True, **spec: Any) -> Pod:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    metadata = {"name": name, "namespace": "default", "uid": name}
    return Pod.model_validate({"metadata": metadata, "spec": spec, "status": {"conditions": conditions}})


def plan(
    which: Node | None,
    *pods: Pod,
    silent_s: float = 0.0,
    eviction_s: float = 0.0,
    tainted_s: float = 0.0,
    alive: bool = False,
) -> tuple[list[Any], float | None]:
    seen = Observed(
        node=which,
        pods=pods,
        silent_s=silent_s,
        grace_s=4,
        eviction_s=eviction_s,
        tainted_s=tainted_s,
        alive=alive,
        wall=WALL,
    )
    made = plan_node(seen)
    return list(made.actions), made.requeue_after_s


def test_a_node_that_is_well_needs_nothing() -> None:
    assert plan(node(), pod(), silent_s=3.9) == ([], None)


def test_a_lost_node_is_tainted_marked_and_emptied_at_once() -> None:
    actions, _ = plan(node(), pod(), pod("q"), silent_s=4)
    taint, status, told, silenced, also_silenced, eviction, last = actions
    assert [a.patch["status"]["conditions"][0]["status"] for a in (silenced, also_silenced)] == ["False", "False"]
    assert isinstance(last, Delete)
    assert isinstance(taint, Patch)
    assert {t["key"] for t in taint.patch["spec"]["taints"]} == {"node.kubernetes.io/unreachable"}
    (condition,) = status.patch["status"]["conditions"]
    assert (condition["status"], condition["reason"], condition["lastHeartbeatTime"]) == (
        "Unknown",
        "NodeStatusUnknown",
        "then",
    )
    assert isinstance(told, Note)
    assert isinstance(eviction, Delete)
    assert (eviction.key, eviction.uid, eviction.grace_period_s) == (("default", "p"), "p", 0)


def test_with_time_before_eviction_pods_only_lose_their_traffic() -> None:
    actions, again = plan(node(), pod(), pod("q", ready=False), silent_s=5, eviction_s=10)
    patched = [a for a in actions if isinstance(a, Patch) and a.cls is Pod]
    assert [a.key[1] for a in patched] == ["p"]
    assert patched[0].patch["status"]["conditions"][0]["status"] == "False"
    assert not [a for a in actions if isinstance(a, Delete)]
    assert again == 9


def test_pods_of_a_silent_node_that_lives_are_told_to_go_and_keep_their_names() -> None:
    actions, again = plan(node("Unknown"), pod(), silent_s=5, alive=True)
    (deletion,) = [a for a in actions if isinstance(a, Delete)]
    assert (deletion.key, deletion.grace_period_s) == (("default", "p"), None)
    assert [a.patch["status"]["conditions"][0]["status"] for a in actions if isinstance(a, Patch) and a.cls is Pod] == [
        "False"
    ]
    assert again == 1
    leaving = pod(ready=False)
    leaving.metadata.deletion_timestamp = "2026-05-28T00:00:00Z"
    actions, again = plan(node("Unknown"), leaving, silent_s=6, alive=True)
    assert [a for a in actions if isinstance(a, Delete)] == []
    assert again == 1
    actions, _ = plan(node("Unknown"), leaving, silent_s=7)
    assert [a.grace_period_s for a in actions if isinstance(a, Delete)] == [0]


def test_a_pod_that_bears_the_loss_of_its_node_stays_without_traffic() -> None:
    patient = pod(tolerations=[{"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"}])
    actions, _ = plan(node("Unknown"), patient, silent_s=5)
    assert [a for a in actions if isinstance(a, Delete)] == []
    (status,) = [a for a in actions if isinstance(a, Patch) and a.cls is Pod]
    assert status.patch["status"]["conditions"][0]["reason"] == "NodeNotReady"
    patient.metadata.deletion_timestamp = "2026-05-28T00:00:00Z"
    actions, _ = plan(node("Unknown"), patient, silent_s=5)
    assert [a.grace_period_s for a in actions if isinstance(a, Delete)] == [0], "nobody else will end it"


def test_unknown_stays_until_its_agent_speaks() -> None:
    actions, again = plan(node("Unknown"), pod(), silent_s=1)
    assert [a.cls for a in actions] == [Node, Pod]
    assert again == 3


@pytest.mark.parametrize(
    ("silent_s", "evicted", "again"),
    [pytest.param(1, 0, 3, id="in-its-grace"), pytest.param(4, 1, None, id="never-came")],
)
def test_a_node_that_does_not_exist(silent_s: float, evicted: int, again: float | None) -> None:
    actions, wish = plan(None, pod(), silent_s=silent_s)
    assert (len(actions), wish) == (evicted, again)


@pytest.mark.parametrize(
    ("tolerations", "evicted", "again"),
    [
        pytest.param([], 1, None, id="goes"),
        pytest.param([{"key": "k", "operator": "Exists"}], 0, None, id="stays"),
        pytest.param([{"key": "k", "operator": "Exists", "tolerationSeconds": 30}], 0, 10, id="goes-later"),
        pytest.param([{"key": "k", "operator": "Exists", "tolerationSeconds": 20}], 1, None, id="goes-now"),
    ],
)
def test_peoples_no_execute_taints(tolerations: list[dict[str, Any]], evicted: int, again: float | None) -> None:
    driving = node(taints=[{"key": "k", "effect": "NoExecute"}])
    actions, wish = plan(driving, pod(tolerations=tolerations), tainted_s=20)
    assert len([a for a in actions if isinstance(a, Delete) and a.grace_period_s is None]) == evicted
    assert wish == again
