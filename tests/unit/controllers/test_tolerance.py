"""Which taint keeps which pod away, and for how long may it stay?"""

from typing import Any

import pytest

from mesh.api.core import Node, Pod, Taint, Toleration
from mesh.controllers.tolerance import own_taints, stay_s, tainted, tolerates, untolerated


@pytest.mark.parametrize(
    ("toleration", "expected"),
    [
        pytest.param({"key": "k", "value": "v", "effect": "NoSchedule"}, True, id="equal"),
        pytest.param({"key": "k", "value": "w"}, False, id="other-value"),
        pytest.param({"key": "k", "operator": "Exists"}, True, id="exists"),
        pytest.param({"operator": "Exists"}, True, id="everything"),
        pytest.param({"operator": "Exists", "effect": "NoExecute"}, False, id="other-effect"),
        pytest.param({"value": "v"}, False, id="equal-needs-a-key"),
    ],
)
def test_tolerations(toleration: dict[str, str], expected: bool) -> None:
    taint = Taint(key="k", value="v", effect="NoSchedule")
    assert tolerates(Toleration.model_validate(toleration), taint) is expected


def pod(*tolerations: dict[str, Any]) -> Pod:
    return Pod.model_validate({"metadata": {"name": "p"}, "spec": {"tolerations": list(tolerations)}})


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        pytest.param(pod(), 0.0, id="not-at-all"),
        pytest.param(pod({"operator": "Exists"}), None, id="for-ever"),
        pytest.param(pod({"key": "k", "operator": "Exists", "tolerationSeconds": 30}), 30.0, id="for-a-while"),
        pytest.param(
            pod(
                {"operator": "Exists", "tolerationSeconds": 30},
                {"key": "k", "operator": "Exists", "tolerationSeconds": 5},
            ),
            5.0,
            id="the-shortest",
        ),
    ],
)
def test_how_long_a_pod_may_stay(which: Pod, expected: float | None) -> None:
    assert stay_s(which, Taint(key="k", effect="NoExecute")) == expected


def test_only_the_asked_effects_count() -> None:
    soft = Taint(key="k", effect="PreferNoSchedule")
    assert untolerated(pod(), [soft], frozenset({"NoSchedule"})) is None
    assert untolerated(pod(), [soft], frozenset({"PreferNoSchedule"})) == soft


def node(ready: str = "True", **spec: Any) -> Node:
    status = {"conditions": [{"type": "Ready", "status": ready}]}
    return Node.model_validate({"metadata": {"name": "n"}, "spec": spec, "status": status})


def test_the_controllers_taints_follow_the_state() -> None:
    assert own_taints(node(), lost=False) == []
    assert [t.key for t in own_taints(node("False"), lost=False)] == ["node.kubernetes.io/not-ready"]
    assert [t.effect for t in own_taints(node(), lost=True)] == ["NoSchedule", "NoExecute"]


def test_peoples_taints_stay() -> None:
    mine = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
    lost = tainted(node(taints=[mine]), lost=True, stamp="now")
    assert lost is not None
    assert [t.key for t in lost] == ["dedicated", *["node.kubernetes.io/unreachable"] * 2]
    assert lost[1].time_added == "now"
    dumped = [t.model_dump(by_alias=True, exclude_none=True) for t in lost]
    assert tainted(node(taints=dumped), lost=True, stamp="later") is None
    found = tainted(node(taints=dumped), lost=False, stamp="later")
    assert found is not None
    assert [t.key for t in found] == ["dedicated"]
    assert tainted(node(taints=[mine]), lost=False, stamp="later") is None
