"""To which nodes is a volume given, and from which is it taken?

Source: Kubernetes' attach/detach controller. A disk is held by one node; another node's pods wait until the last pod of
the first is gone. A node that lives keeps what it says is in use; one that is lost is believed to use nothing, unless
its process is known to run.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mesh.api.core import Node, Pod
from mesh.api.storage import PersistentVolume
from mesh.api.storage_names import ROX, RWX, attach_name
from mesh.controllers.actions import Note, note
from mesh.controllers.facts import creation_order, seconds_of, terminating
from mesh.controllers.tolerance import ready_condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that the decision depends on.

    users: pods that have a node, have not ended and use the volume.  attached: names of the nodes that hold it.
    nodes: by name; one that is missing is not registered (any more).  alive: those whose process is known to run.
    detach_s: how long the claim of a lost node on its volumes is respected.  wall: now, in unix seconds.
    """

    volume: PersistentVolume
    users: Sequence[Pod] = ()
    attached: Sequence[str] = ()
    nodes: Mapping[str, Node]
    alive: Callable[[str], bool] = lambda name: False
    detach_s: float = 0.0
    wall: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """attach, detach: node names.  notes: what to say afterwards.  again_s: when to look again, None for no need."""

    attach: tuple[str, ...] = ()
    detach: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    again_s: float | None = None


def exclusive(volume: PersistentVolume) -> bool:
    """Can only one node hold it at a time? Whoever says ReadWriteMany or ReadOnlyMany may be held by many."""
    modes = volume.spec.access_modes or ()
    return bool(modes) and not {RWX, ROX} & set(modes)


def plan_attachment(seen: Observed) -> Moves:
    """Take the volume from nodes without pods that use it, and give it to those with."""
    by_node: dict[str, list[Pod]] = {}
    for pod in sorted(seen.users, key=creation_order):
        by_node.setdefault(pod.spec.node_name or "", []).append(pod)
    detach, held, again_s = [], [], None
    for name in seen.attached:
        wait_s = 0.0 if name not in seen.nodes else _wait_s(seen, seen.nodes[name])
        if name in by_node or wait_s is None:
            held.append(name)
        elif wait_s > 0:
            held.append(name)
            again_s = wait_s
        else:
            detach.append(name)
    attach: list[str] = []
    notes: list[Note] = []
    for name, pods in by_node.items():
        if name in held or name not in seen.nodes:
            continue
        staying = [pod for pod in pods if not terminating(pod)]
        if exclusive(seen.volume) and (held or attach):
            notes += [_multi_attach(seen, pod, by_node) for pod in staying]
        elif staying:
            attach.append(name)
            text = f'AttachVolume.Attach succeeded for volume "{seen.volume.name}" '
            notes += [note(pod, "SuccessfulAttachVolume", text) for pod in staying]
    return Moves(attach=tuple(attach), detach=tuple(detach), notes=tuple(notes), again_s=again_s)


def _wait_s(seen: Observed, node: Node) -> float | None:
    """Seconds until a node without such pods loses the volume: 0 for now, None for not before it says so."""
    ready = ready_condition(node)
    if ready is not None and ready.status == "Unknown" and not seen.alive(node.name):
        since = seconds_of(ready.last_transition_time)
        return 0.0 if since is None else max(0.0, since + seen.detach_s - seen.wall)
    in_use = attach_name(seen.volume.spec.csi) in (node.status.volumes_in_use or ())
    return None if in_use else 0.0


def _multi_attach(seen: Observed, pod: Pod, by_node: Mapping[str, Sequence[Pod]]) -> Note:
    """Kubernetes' own words: pods of the same namespace are named, others are not."""
    others = [other for name, pods in by_node.items() for other in pods if name != pod.spec.node_name]
    near = sorted(other.name for other in others if other.namespace == pod.namespace and other is not pod)
    why = "Volume is already exclusively attached to one node and can't be attached to another"
    if near:
        why = f"Volume is already used by pod(s) {', '.join(near)}"
    text = f'Multi-Attach error for volume "{seen.volume.name}" {why}'
    return note(pod, "FailedAttachVolume", text, "Warning")
