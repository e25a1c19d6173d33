"""Which taints keep a pod away from a node, or drive it off?"""

from collections.abc import Iterable

from mesh.api.core import Node, NodeCondition, Pod, Taint, Toleration
from mesh.controllers.facts import condition

UNREACHABLE = "node.kubernetes.io/unreachable"
NOT_READY = "node.kubernetes.io/not-ready"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
LOST = frozenset({UNREACHABLE, NOT_READY})


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Does this one toleration cover the taint? An empty key with Exists covers all; an empty effect every effect."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if (toleration.operator or "Equal") == "Exists":
        return True
    return bool(toleration.key) and (toleration.value or "") == (taint.value or "")


def untolerated(pod: Pod, taints: Iterable[Taint], effects: frozenset[str]) -> Taint | None:
    """The first taint of those effects that the pod does not tolerate."""
    for taint in taints:
        if taint.effect in effects and not any(tolerates(t, taint) for t in pod.spec.tolerations or ()):
            return taint
    return None


def stay_s(pod: Pod, taint: Taint) -> float | None:
    """How long the pod may stay under a NoExecute taint: 0 for not at all, None for ever."""
    matching = [t for t in pod.spec.tolerations or () if tolerates(t, taint)]
    if not matching:
        return 0.0
    limits = [t.toleration_seconds for t in matching if t.toleration_seconds is not None]
    return float(max(0, min(limits))) if limits else None


def ready_condition(node: Node) -> NodeCondition | None:
    """What its agent, or the node controller, last said of it."""
    return condition(node.status.conditions, "Ready")


def is_ready(node: Node) -> bool:
    """It reports that it can run pods."""
    ready = ready_condition(node)
    return ready is not None and ready.status == "True"


def own_taints(node: Node, *, lost: bool) -> list[Taint]:
    """The taints that the node controller stands for, given the node's state. lost: no heartbeat for too long."""
    taints = []
    if node.spec.unschedulable:
        taints.append(Taint(key=UNSCHEDULABLE, effect="NoSchedule"))
    if lost:
        taints += [Taint(key=UNREACHABLE, effect="NoSchedule"), Taint(key=UNREACHABLE, effect="NoExecute")]
    elif not is_ready(node):
        taints.append(Taint(key=NOT_READY, effect="NoSchedule"))
    return taints


def tainted(node: Node, *, lost: bool, stamp: str) -> list[Taint] | None:
    """All taints the node should carry, the users' included; None when it carries just those. stamp: for new ones."""
    have = list(node.spec.taints or ())
    wanted = {(taint.key, taint.effect): taint for taint in own_taints(node, lost=lost)}
    ours = {UNREACHABLE, NOT_READY, UNSCHEDULABLE}
    kept = [taint for taint in have if taint.key not in ours or (taint.key, taint.effect) in wanted]
    present = {(taint.key, taint.effect) for taint in kept}
    new = [t.model_copy(update={"time_added": stamp}) for key, t in wanted.items() if key not in present]
    return [*kept, *new] if new or len(kept) != len(have) else None
