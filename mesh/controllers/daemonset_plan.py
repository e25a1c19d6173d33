"""Given a DaemonSet, the nodes and its pods, which node is to get a pod, which pod is to go, and what is its status?

Source: Kubernetes' daemon controller. One pod a node that its affinity and tolerations allow; an update takes old pods
away, as many at once as maxUnavailable allows, and the gaps are filled with new ones.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from mesh.api.core import Node, Pod
from mesh.api.workloads import DaemonSet
from mesh.controllers.actions import Note, Patch, note, status_patch
from mesh.controllers.daemonset_pods import belongs, node_of
from mesh.controllers.facts import available_in, creation_order, dump_conditions, finished, terminating
from mesh.controllers.templates import REVISION_LABEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that the decision depends on.

    pods: those it controls.  code: the hash of the present revision.
    settled: the cache shows all earlier creations and deletions.  wall: now, in unix seconds.
    """

    daemon_set: DaemonSet
    nodes: Sequence[Node]
    pods: Sequence[Pod]
    code: str
    settled: bool = True
    wall: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonPlan:
    """create: names of the nodes that lack a pod.  delete: pods.  notes: what to say first."""

    create: tuple[str, ...] = ()
    delete: tuple[Pod, ...] = ()
    notes: tuple[Note, ...] = ()
    status: Patch | None = None
    requeue_after_s: float | None = None


def plan_daemon_set(seen: Observed) -> DaemonPlan:
    """Gaps and surplus first; where each node has its pod, the next pods of an update."""
    look = _Look(seen)
    status = look.status()
    if terminating(seen.daemon_set) or not seen.settled:
        return DaemonPlan(status=status, requeue_after_s=look.again_s)
    create, delete = look.gaps(), list(look.surplus())
    if (seen.daemon_set.spec.update_strategy or {}).get("type", "RollingUpdate") == "RollingUpdate":
        gone = {pod.metadata.uid for pod in delete}
        delete += [pod for pod in look.outdated() if pod.metadata.uid not in gone]
    return DaemonPlan(
        create=tuple(create),
        delete=tuple(delete),
        notes=tuple(look.told(delete)),
        status=status,
        requeue_after_s=look.again_s,
    )


def most_unavailable(owner: DaemonSet, desired: int) -> int:
    """How many nodes may be without an available pod during an update; a share is rounded up, and never nothing."""
    said = ((owner.spec.update_strategy or {}).get("rollingUpdate") or {}).get("maxUnavailable", 1)
    if isinstance(said, str):
        said = math.ceil(desired * int(said.rstrip("%")) / 100)
    return max(1, int(said))


class _Look:
    """The set's pods by node."""

    def __init__(self, seen: Observed) -> None:
        self.seen, self.set = seen, seen.daemon_set
        self.again_s: float | None = None
        self.by_node: dict[str, list[Pod]] = {}
        for pod in sorted(seen.pods, key=creation_order):
            self.by_node.setdefault(node_of(pod) or "", []).append(pod)
        places: Mapping[str, tuple[bool, bool]] = {node.name: belongs(self.set, node) for node in seen.nodes}
        self.should = [name for name, (run, _) in sorted(places.items()) if run]
        self.may_stay: AbstractSet[str] = {name for name, (_, stay) in places.items() if stay}
        self.nodes = set(places)

    def available(self, pod: Pod) -> bool:
        """Ready for long enough, and staying."""
        if terminating(pod):
            return False
        wait_s = available_in(pod, self.set.spec.min_ready_seconds or 0, self.seen.wall)
        if wait_s and (self.again_s is None or wait_s < self.again_s):
            self.again_s = wait_s
        return wait_s == 0

    def gaps(self) -> list[str]:
        """Nodes without any pod; one that is still leaving holds the place."""
        return [name for name in self.should if not self.by_node.get(name)]

    def surplus(self) -> Iterator[Pod]:
        """Pods that ended, that may not stay where they are, and all but the oldest of a node."""
        for name, pods in self.by_node.items():
            staying = [pod for pod in pods if not terminating(pod)]
            if name not in self.may_stay:
                # A node that is not there (any more) is the node controller's to clear; an unknown place is not.
                yield from staying if name in self.nodes or not name else ()
                continue
            yield from (pod for pod in staying if finished(pod))
            running = [pod for pod in staying if not finished(pod)]
            bound = sorted(running, key=lambda pod: not pod.spec.node_name)
            yield from bound[1:]

    def outdated(self) -> list[Pod]:
        """Old pods to take away now: the unavailable ones, and as many others as may be missing."""
        missing, unwell, candidates = 0, [], []
        for name in self.should:
            pods = [pod for pod in self.by_node.get(name, ()) if not finished(pod)]
            old = next((pod for pod in pods if not terminating(pod) and self._old(pod)), None)
            if old is None or len(pods) > 1:
                missing += not any(self.available(pod) for pod in pods)
            elif self.available(old):
                candidates.append(old)
            else:
                missing += 1
                unwell.append(old)
        room = most_unavailable(self.set, len(self.should)) - missing
        return unwell + candidates[: max(0, room)]

    def _old(self, pod: Pod) -> bool:
        return pod.metadata.label_map.get(REVISION_LABEL) != self.seen.code

    def told(self, delete: Sequence[Pod]) -> Iterator[Note]:
        """Daemons are not meant to end."""
        for pod in delete:
            if finished(pod):
                failed = pod.status.phase == "Failed"
                where = f"daemon pod {pod.namespace}/{pod.name} on node {node_of(pod)}"
                if failed:
                    yield note(self.set, "FailedDaemonPod", f"Found failed {where}, will try to kill it", "Warning")
                else:
                    yield note(self.set, "SucceededDaemonPod", f"Found succeeded {where}, will try to delete it")

    def status(self) -> Patch | None:
        current = ready = available = updated = 0
        for name in self.should:
            pods = self.by_node.get(name)
            if not pods:
                continue
            current += 1
            first = next((pod for pod in pods if not terminating(pod)), pods[0])
            if first.ready:
                ready += 1
                available += self.available(first)
            updated += not self._old(first)
        misplaced = sum(bool(pods) for name, pods in self.by_node.items() if name in self.nodes - set(self.should))
        status = {
            "currentNumberScheduled": current,
            "numberMisscheduled": misplaced,
            "desiredNumberScheduled": len(self.should),
            "numberReady": ready,
            "observedGeneration": self.set.metadata.generation,
            "updatedNumberScheduled": updated or None,
            "numberAvailable": available or None,
            "numberUnavailable": (len(self.should) - available) or None,
            "collisionCount": self.set.status.collision_count or None,
            "conditions": dump_conditions(self.set.status.conditions),
        }
        return status_patch(self.set, status)
