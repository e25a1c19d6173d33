"""Where may a daemon be, and what does it bear?"""

from typing import Any

import pytest

from mesh.api.core import Node, Pod
from mesh.api.workloads import DaemonSet
from mesh.controllers.daemonset_pods import belongs, daemon_pod, node_of


def daemon_set(**spec: Any) -> DaemonSet:
    meta = {"name": "a", "namespace": "default", "uid": "a"}
    return DaemonSet.model_validate({"metadata": meta, "spec": {"template": {"spec": spec}}})


def node(*taints: tuple[str, str], **labels: str) -> Node:
    dumped = [{"key": key, "effect": effect} for key, effect in taints]
    return Node.model_validate({"metadata": {"name": "n", "labels": labels}, "spec": {"taints": dumped}})


def affinity(field: str, *values: str) -> dict[str, Any]:
    term = {"matchExpressions": [{"key": field, "operator": "In", "values": list(values)}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


@pytest.mark.parametrize(
    ("owner", "where", "expected"),
    [
        pytest.param(daemon_set(), node(), (True, True), id="anywhere"),
        pytest.param(daemon_set(nodeSelector={"a": "b"}), node(), (False, False), id="other-labels"),
        pytest.param(daemon_set(nodeSelector={"a": "b"}), node(a="b"), (True, True), id="its-labels"),
        pytest.param(daemon_set(affinity=affinity("zone", "x")), node(zone="y"), (False, False), id="other-zone"),
        pytest.param(daemon_set(affinity=affinity("zone", "x")), node(zone="x"), (True, True), id="its-zone"),
        pytest.param(daemon_set(nodeName="m"), node(), (False, False), id="another-node-by-name"),
        pytest.param(daemon_set(), node(("k", "NoSchedule")), (False, True), id="no-new-ones"),
        pytest.param(daemon_set(), node(("k", "NoExecute")), (False, False), id="none"),
        pytest.param(daemon_set(), node(("k", "PreferNoSchedule")), (True, True), id="rather-not"),
        pytest.param(
            daemon_set(tolerations=[{"operator": "Exists"}]), node(("k", "NoExecute")), (True, True), id="bears-all"
        ),
        pytest.param(
            daemon_set(), node(("node.kubernetes.io/unschedulable", "NoSchedule")), (True, True), id="cordoned"
        ),
        pytest.param(
            daemon_set(), node(("node.kubernetes.io/disk-pressure", "NoSchedule")), (True, True), id="pressed"
        ),
        pytest.param(
            daemon_set(),
            node(("node.kubernetes.io/unreachable", "NoSchedule"), ("node.kubernetes.io/unreachable", "NoExecute")),
            (False, True),
            id="lost",
        ),
    ],
)
def test_belongs(owner: DaemonSet, where: Node, expected: tuple[bool, bool]) -> None:
    assert belongs(owner, where) == expected


def test_a_daemon_names_its_node_and_keeps_the_rest_of_its_affinity() -> None:
    given = {**affinity("zone", "x"), "podAntiAffinity": {"kept": []}}
    made = daemon_pod(daemon_set(affinity=given), "a-1", "n", "code")
    assert node_of(made) == "n"
    assert made.spec.affinity is not None
    assert made.spec.affinity["podAntiAffinity"] == {"kept": []}
    assert made.metadata.label_map["controller-revision-hash"] == "code"
    assert made.metadata.generate_name == "a-"
    keys = [(t.key, t.effect) for t in made.spec.tolerations or ()]
    assert len(keys) == len(set(keys)) == 6


def test_one_on_the_hosts_network_bears_that_this_is_away() -> None:
    made = daemon_pod(daemon_set(hostNetwork=True), "a-1", "n", "code")
    assert "node.kubernetes.io/network-unavailable" in {t.key for t in made.spec.tolerations or ()}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({"nodeName": "m"}, "m", id="bound"),
        pytest.param({}, None, id="nowhere"),
        pytest.param({"affinity": affinity("zone", "x")}, None, id="of-a-zone"),
    ],
)
def test_node_of(spec: dict[str, Any], expected: str | None) -> None:
    assert node_of(Pod.model_validate({"spec": spec})) == expected
