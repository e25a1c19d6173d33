"""Which node holds a volume?"""

from dataclasses import replace
from typing import Any

import pytest

from mesh.api.core import Node, Pod
from mesh.api.storage import PersistentVolume
from mesh.controllers.attach_plan import Moves, Observed, exclusive, plan_attachment
from tests.unit.controllers import storage

CSI = {"driver": "loopmesh.io/directory", "volumeHandle": "v"}
NAME = "kubernetes.io/csi/loopmesh.io/directory^v"
SINCE = "2026-01-01T00:00:00Z"
SINCE_WALL = 1_767_225_600.0


def volume(*modes: str) -> PersistentVolume:
    return PersistentVolume.model_validate(storage.volume("v", csi=CSI, accessModes=list(modes) or ["ReadWriteOnce"]))


def node(name: str, *, lost: bool = False, in_use: bool = False) -> Node:
    ready = {"type": "Ready", "status": "Unknown" if lost else "True", "lastTransitionTime": SINCE}
    status: dict[str, Any] = {"conditions": [ready], "volumesInUse": [NAME] if in_use else None}
    return Node.model_validate({"metadata": {"name": name}, "status": status})


def pod(name: str, on: str, *, at: int = 0, going: bool = False, namespace: str = "default") -> Pod:
    data = storage.with_claim(name)
    data["metadata"] |= {"creationTimestamp": f"2026-01-01T00:00:{at:02}Z", "namespace": namespace}
    if going:
        data["metadata"]["deletionTimestamp"] = SINCE
    data["spec"]["nodeName"] = on
    return Pod.model_validate(data)


def plan(*users: Pod, attached: tuple[str, ...] = (), nodes: tuple[Node, ...] = (), of: PersistentVolume | None = None,
         detach_s: float = 0.0, wall: float = SINCE_WALL) -> Moves:  # fmt: skip
    known = nodes or (node("n1"), node("n2"))
    return plan_attachment(
        Observed(volume=of or volume(), users=users, attached=attached, nodes={n.name: n for n in known},
                 detach_s=detach_s, wall=wall)
    )  # fmt: skip


A, B = pod("a", "n1"), pod("b", "n2", at=1)


@pytest.mark.parametrize(
    ("moves", "attach", "detach", "blocked"),
    [
        pytest.param(plan(), (), (), [], id="nobody"),
        pytest.param(plan(A), ("n1",), (), [], id="first"),
        pytest.param(plan(A, attached=("n1",)), (), (), [], id="stays"),
        pytest.param(plan(A, pod("a2", "n1", at=2), attached=("n1",)), (), (), [], id="second-pod-of-the-same-node"),
        pytest.param(plan(A, B), ("n1",), (), ["b"], id="two-at-once-the-older-wins"),
        pytest.param(plan(A, B, attached=("n1",)), (), (), ["b"], id="second-node"),
        pytest.param(plan(B, attached=("n1",)), ("n2",), ("n1",), [], id="moves"),
        pytest.param(plan(pod("a", "n1", going=True), B, attached=("n1",)), (), (), ["b"], id="first-is-still-going"),
        pytest.param(plan(pod("a", "n1", going=True)), (), (), [], id="nothing-for-a-pod-that-is-going"),
        pytest.param(plan(B, attached=("n1",), nodes=(node("n1", in_use=True), node("n2"))), (), (), ["b"],
                     id="a-living-node-uses-it"),
        pytest.param(plan(B, attached=("n1",), nodes=(node("n1", lost=True, in_use=True), node("n2"))),
                     ("n2",), ("n1",), [], id="a-lost-node-is-not-asked"),
        pytest.param(plan(A, B, attached=("n1",), nodes=(node("n1", lost=True), node("n2"))), (), (), ["b"],
                     id="a-lost-node-with-pods"),
        pytest.param(plan(B, attached=("n1",), nodes=(node("n2"),)), ("n2",), ("n1",), [], id="a-node-that-is-gone"),
        pytest.param(plan(A, nodes=(node("n2"),)), (), (), [], id="a-pod-of-a-node-that-is-gone"),
        pytest.param(plan(A, B, attached=("n1",), of=volume("ReadWriteOnce", "ReadWriteMany")), ("n2",), (), [],
                     id="many-writers"),
        pytest.param(plan(A, B, of=volume("ReadOnlyMany")), ("n1", "n2"), (), [], id="many-readers"),
    ],
)  # fmt: skip
def test_moves(moves: Moves, attach: tuple[str, ...], detach: tuple[str, ...], blocked: list[str]) -> None:
    assert (moves.attach, moves.detach) == (attach, detach)
    assert [n.about.name for n in moves.notes if n.reason == "FailedAttachVolume"] == blocked


def test_a_silent_node_that_runs_is_asked() -> None:
    silent = {"n1": node("n1", lost=True, in_use=True), "n2": node("n2")}
    seen = Observed(volume=volume(), users=[B], attached=["n1"], nodes=silent, alive=lambda name: name == "n1")
    assert (plan_attachment(seen).attach, plan_attachment(seen).detach) == ((), ())
    done = replace(seen, nodes={**silent, "n1": node("n1", lost=True)})
    assert (plan_attachment(done).attach, plan_attachment(done).detach) == (("n2",), ("n1",))


def test_a_lost_node_may_be_given_time() -> None:
    lost = (node("n1", lost=True), node("n2"))
    early = plan(B, attached=("n1",), nodes=lost, detach_s=360, wall=SINCE_WALL + 100)
    assert (early.attach, early.detach, early.again_s) == ((), (), 260)
    late = plan(B, attached=("n1",), nodes=lost, detach_s=360, wall=SINCE_WALL + 361)
    assert (late.attach, late.detach, late.again_s) == (("n2",), ("n1",), None)


@pytest.mark.parametrize(
    ("first", "message"),
    [
        pytest.param(A, 'Multi-Attach error for volume "v" Volume is already used by pod(s) a', id="same-namespace"),
        pytest.param(pod("a", "n1", namespace="far"),
                     'Multi-Attach error for volume "v" Volume is already exclusively attached to one node and '
                     "can't be attached to another", id="another-namespace"),
    ],
)  # fmt: skip
def test_words(first: Pod, message: str) -> None:
    (told,) = plan(first, B, attached=("n1",)).notes
    assert (told.type, told.message) == ("Warning", message)


@pytest.mark.parametrize(
    ("modes", "expected"),
    [
        (["ReadWriteOnce"], True),
        (["ReadWriteOncePod"], True),
        (["ReadWriteOnce", "ReadOnlyMany"], False),
        (["ReadWriteMany"], False),
    ],
)
def test_exclusive(modes: list[str], expected: bool) -> None:
    assert exclusive(volume(*modes)) is expected
