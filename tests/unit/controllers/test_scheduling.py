"""Which node is best, and why not the others?"""

from typing import Any

import pytest

from mesh.api.core import Node, Pod
from mesh.controllers.scheduling import Candidate, Unschedulable, choose, expression_holds, obstacle, selected


def node(name: str = "n", *, ready: bool = True, pods: str | None = None, **spec: Any) -> Node:
    labels = spec.pop("labels", {})
    status: dict[str, Any] = {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
    if pods:
        status["allocatable"] = {"pods": pods}
    return Node.model_validate({"metadata": {"name": name, "labels": labels}, "spec": spec, "status": status})


def pod(**spec: Any) -> Pod:
    return Pod.model_validate({"metadata": {"name": "p"}, "spec": {"containers": [], **spec}})


def required(*expressions: dict[str, Any]) -> dict[str, Any]:
    terms = [{"matchExpressions": list(expressions)}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


@pytest.mark.parametrize(
    ("which", "where", "expected"),
    [
        pytest.param(pod(), Candidate(node=node()), None, id="nothing-in-the-way"),
        pytest.param(pod(), Candidate(node=node(ready=False)),
                     "node(s) had untolerated taint {node.kubernetes.io/not-ready: }", id="not-ready"),
        pytest.param(pod(), Candidate(node=node(unschedulable=True)), "node(s) were unschedulable", id="cordoned"),
        pytest.param(pod(), Candidate(node=node(pods="2"), pods=2), "Too many pods", id="full"),
        pytest.param(pod(), Candidate(node=node(), obstacle="neighbours"), "neighbours", id="neighbours"),
        pytest.param(pod(), Candidate(node=node(taints=[{"key": "k", "effect": "PreferNoSchedule"}])), None,
                     id="preference-forbids-nothing"),
        pytest.param(pod(tolerations=[{"operator": "Exists"}]), Candidate(node=node(unschedulable=True)), None,
                     id="tolerates-everything"),
    ],
)  # fmt: skip
def test_obstacles(which: Pod, where: Candidate, expected: str | None) -> None:
    assert obstacle(which, where) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param({"key": "zone", "operator": "In", "values": ["a", "b"]}, True, id="in"),
        pytest.param({"key": "zone", "operator": "NotIn", "values": ["a"]}, False, id="not-in"),
        pytest.param({"key": "none", "operator": "NotIn", "values": ["a"]}, True, id="not-in-absent"),
        pytest.param({"key": "zone", "operator": "Exists"}, True, id="exists"),
        pytest.param({"key": "zone", "operator": "DoesNotExist"}, False, id="does-not-exist"),
        pytest.param({"key": "cpus", "operator": "Gt", "values": ["3"]}, True, id="greater"),
        pytest.param({"key": "cpus", "operator": "Lt", "values": ["3"]}, False, id="less"),
        pytest.param({"key": "zone", "operator": "Gt", "values": ["3"]}, False, id="no-number"),
        pytest.param({"key": "zone", "operator": "Near"}, False, id="unknown"),
    ],
)
def test_expressions(expression: dict[str, Any], expected: bool) -> None:
    assert expression_holds(expression, {"zone": "a", "cpus": "4"}) is expected


def test_selection_by_labels_and_affinity() -> None:
    here = node(labels={"zone": "a"})
    assert selected(pod(nodeSelector={"zone": "a"}), here)
    assert not selected(pod(nodeSelector={"zone": "b"}), here)
    assert selected(pod(affinity=required({"key": "zone", "operator": "Exists"})), here)
    assert not selected(pod(affinity=required()), here)


def test_the_emptiest_for_the_owner_wins_then_the_emptiest_then_the_first() -> None:
    full, empty = Candidate(node=node("a"), pods=9), Candidate(node=node("b"), pods=1)
    assert choose(pod(), [full, empty]) == "b"
    assert choose(pod(), [full, Candidate(node=node("b"), pods=1, of_owner=1)]) == "a"
    assert choose(pod(), [Candidate(node=node("z")), Candidate(node=node("y"))]) == "y"
    unwanted = Candidate(node=node("a", taints=[{"key": "k", "effect": "PreferNoSchedule"}]))
    assert choose(pod(), [unwanted, full, empty]) == "b"


def test_reasons_are_counted() -> None:
    answer = choose(pod(), [Candidate(node=node(unschedulable=True)), Candidate(node=node(unschedulable=True))])
    assert answer == Unschedulable("0/2 nodes are available: 2 node(s) were unschedulable.")
