"""Given a node and how long ago it was heard of, what is to be said of it, and which pods must leave?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mesh.api.core import Node, NodeCondition, Pod, PodCondition, Taint
from mesh.controllers.actions import Action, Delete, Draft, Patch, Plan, note, pinned
from mesh.controllers.facts import condition, terminating, with_condition
from mesh.controllers.tolerance import LOST, UNREACHABLE, ready_condition, stay_s, tainted
from mesh.runtime.clock import rfc3339

ALIVE_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that the decision depends on.

    node: None when it is not registered (any more).  pods: those bound to it.
    silent_s: since its last sign of life.  tainted_s: since its users' NoExecute taints were first seen.
    alive: it is silent, but it is known to run: it may still be at work on what its pods own.
    """

    node: Node | None
    pods: Sequence[Pod]
    silent_s: float
    grace_s: float
    eviction_s: float
    tainted_s: float = 0.0
    alive: bool = False
    wall: float = 0.0


def plan_node(seen: Observed) -> Plan:
    """Judge the node, mark it, and drive off the pods that can not stay."""
    draft = Draft()
    ready = ready_condition(seen.node) if seen.node is not None else None
    # Unknown stays until its agent speaks again, also over a restart of this process.
    lost = seen.silent_s >= seen.grace_s or (ready is not None and ready.status == "Unknown")
    if seen.node is None:
        if lost:
            draft.add(*(_evict(pod) for pod in seen.pods))
        elif seen.pods:
            draft.look_again(seen.grace_s - seen.silent_s)
        return draft.done()
    taints = tainted(seen.node, lost=lost, stamp=rfc3339(seen.wall))
    if taints is not None:
        dumped = [taint.model_dump(by_alias=True, exclude_none=True) for taint in taints]
        draft.add(pinned(seen.node, {"spec": {"taints": dumped or None}}))
    if lost:
        draft.add(*_mark_unknown(seen.node, seen.wall))
        _abandon(seen, draft)
    else:
        _enforce(seen, draft)
    return draft.done()


def _abandon(seen: Observed, draft: Draft) -> None:
    """The pods of a lost node: those that bear it for ever stay, without traffic; the others leave when it is time.

    From a node that is dead they are removed at once: nobody is left who could stop them gently, and nobody works on
    their volumes any more. On one that is only silent they are told to go, and hold their names until it obeys.
    """
    overdue_s = seen.grace_s + seen.eviction_s - seen.silent_s
    if overdue_s > 0:
        draft.look_again(overdue_s)
    # First all lose their traffic: who waits for one of them must not take another of them for well.
    draft.add(*(_not_ready(pod, seen.wall) for pod in seen.pods))
    if overdue_s > 0:
        return
    for pod in seen.pods:
        if stay_s(pod, Taint(key=UNREACHABLE, effect="NoExecute")) is None and not terminating(pod):
            continue
        if not seen.alive:
            draft.add(_evict(pod))
            continue
        draft.look_again(ALIVE_AGAIN_S)
        if not terminating(pod):
            draft.add(_told_to_go(pod))


def _mark_unknown(node: Node, wall: float) -> list[Action]:
    """Only its agent may say that it is well; silence is ours to tell."""
    ready = ready_condition(node)
    if ready is not None and ready.status == "Unknown":
        return []
    new = NodeCondition(
        type="Ready",
        status="Unknown",
        reason="NodeStatusUnknown",
        message="Kubelet stopped posting node status.",
        last_transition_time=rfc3339(wall),
        last_heartbeat_time=ready.last_heartbeat_time if ready is not None else None,
    )
    conditions = with_condition(node.status.conditions, new)
    dumped = [c.model_dump(by_alias=True, exclude_none=True) for c in conditions]
    message = f"Node {node.name} status is now: NodeNotReady"
    return [
        Patch(cls=Node, key=node.key, patch={"status": {"conditions": dumped}}, subresource="status"),
        note(node, "NodeNotReady", message),
    ]


def _evict(pod: Pod) -> Delete:
    """Remove at once: nobody is left on that node who could stop it gently."""
    return replace(_told_to_go(pod), grace_period_s=0)


def _told_to_go(pod: Pod) -> Delete:
    told = note(pod, "TaintManagerEviction", f"Marking for deletion Pod {pod.namespace}/{pod.name}")
    return Delete(cls=Pod, key=pod.key, uid=pod.metadata.uid, note=told)


def _not_ready(pod: Pod, wall: float) -> Patch | None:
    """While a silent node is given time, its pods get no traffic."""
    ready = condition(pod.status.conditions, "Ready")
    if ready is None or ready.status != "True":
        return None
    new = PodCondition(type="Ready", status="False", reason="NodeNotReady", last_transition_time=rfc3339(wall))
    conditions = [c.model_dump(by_alias=True, exclude_none=True) for c in with_condition(pod.status.conditions, new)]
    return Patch(cls=Pod, key=pod.key, patch={"status": {"conditions": conditions}}, subresource="status")


def _enforce(seen: Observed, draft: Draft) -> None:
    """NoExecute taints that people set: pods that do not tolerate them leave gently, in their time."""
    node = seen.node
    driving = [t for t in (node.spec.taints if node else None) or () if t.effect == "NoExecute" and t.key not in LOST]
    for pod in seen.pods if driving else ():
        if terminating(pod):
            continue
        limits = [limit for taint in driving if (limit := stay_s(pod, taint)) is not None]
        if not limits:
            continue
        left_s = min(limits) - seen.tainted_s
        if left_s > 0:
            draft.look_again(left_s)
            continue
        draft.add(_told_to_go(pod))
