"""Pods without a node: finding one for each."""

from collections import Counter
from collections.abc import Sequence

from mesh.api.core import Node, Pod, PodCondition
from mesh.controllers.actions import Key, Patch, note
from mesh.controllers.facts import active, condition, terminating, with_condition
from mesh.controllers.neighbours import has_anti_affinity, is_choosy, obstacles
from mesh.controllers.runtime import DONE, Context, Controller, Result
from mesh.controllers.scheduling import Candidate, Unschedulable, choose
from mesh.runtime.clock import rfc3339

DEFAULT = "default-scheduler"
PENDING = "pending"


class Occupancy:
    """Where pods are: those that the cache shows, and those that were just bound and are not shown yet."""

    def __init__(self) -> None:
        self._place: dict[str, tuple[str, str]] = {}
        self._owners: Counter[tuple[str, str]] = Counter()
        self._on_node: dict[str, dict[str, Pod]] = {}
        self._keeping_away: dict[str, tuple[Pod, str]] = {}

    def put(self, pod: Pod, node: str) -> None:
        """The pod is on that node, whatever was known before."""
        uid, owner = pod.metadata.uid or "", pod.metadata.controller
        place = (node, owner.uid if owner is not None else "")
        if self._place.get(uid) != place:
            self.drop(pod)
            self._place[uid] = place
            self._owners[place] += 1
        self._on_node.setdefault(node, {})[uid] = pod
        if has_anti_affinity(pod):
            self._keeping_away[uid] = (pod, node)

    def drop(self, pod: Pod) -> None:
        """The pod takes no place any more."""
        uid = pod.metadata.uid or ""
        place = self._place.pop(uid, None)
        self._keeping_away.pop(uid, None)
        if place is None:
            return
        self._on_node.get(place[0], {}).pop(uid, None)
        self._owners[place] -= 1
        if not self._owners[place]:
            del self._owners[place]

    def candidates(self, nodes: Sequence[Node], pod: Pod) -> list[Candidate]:
        """How each node looks to that pod."""
        against: dict[str, str] = {}
        if self._keeping_away or is_choosy(pod):
            placed = {name: pods.values() for name, pods in self._on_node.items()}
            against = obstacles(pod, nodes, placed, self._keeping_away.values())
        owner = pod.metadata.controller
        return [
            Candidate(
                node=node,
                pods=len(self._on_node.get(node.name, ())),
                of_owner=self._owners[(node.name, owner.uid)] if owner is not None else 0,
                obstacle=against.get(node.name),
            )
            for node in nodes
        ]


class SchedulerController(Controller):
    """Pod -> node. Writes spec.nodeName and nothing else of a pod that fits at once."""

    name = DEFAULT

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._occupancy = Occupancy()
        self._stuck: set[Key] = set()
        self.caches.pods.on_change(self._pod_changed)
        self.caches.nodes.on_change(self._node_changed)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        if new is None or not active(new):
            if old is not None:
                self._stuck.discard(old.key)
                self._occupancy.drop(old)
                self._retry_stuck()
            return
        if new.spec.node_name:
            self._stuck.discard(new.key)
            self._occupancy.put(new, new.spec.node_name)
        elif old is None or old.spec != new.spec:
            self.enqueue(new.key)

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        """Heartbeats change nothing here; anything that may let a pod in does."""
        if old is None or new is None or _offer(old) != _offer(new):
            self._retry_stuck()

    def _retry_stuck(self) -> None:
        for key in self._stuck:
            self.enqueue(key)

    async def reconcile(self, key: Key) -> Result:
        pod = self.caches.pods.get(key[1], key[0])
        if pod is None or pod.spec.node_name or not active(pod):
            return DONE
        if (pod.spec.scheduler_name or DEFAULT) != DEFAULT:
            return DONE
        choice = choose(pod, self._occupancy.candidates(list(self.caches.nodes.list()), pod))
        if isinstance(choice, Unschedulable):
            self._stuck.add(key)
            await self._explain(pod, choice.message)
            return DONE
        await self._bind(pod, choice)
        return DONE

    async def _bind(self, pod: Pod, node: str) -> None:
        if condition(pod.status.conditions, "PodScheduled") is not None:
            # It waited, and says so: take that back first, for after the binding its status is its node's to write.
            await self.perform(self._scheduled(pod, "True", None, None))
        self._occupancy.put(pod, node)
        try:
            patch = {"metadata": {"uid": pod.metadata.uid}, "spec": {"nodeName": node}}
            await self.perform(Patch(cls=Pod, key=pod.key, patch=patch))
        except BaseException:
            self._occupancy.drop(pod)
            raise
        self._stuck.discard(pod.key)
        message = f"Successfully assigned {pod.namespace}/{pod.name} to {node}"
        self.say(note(pod, "Scheduled", message))

    async def _explain(self, pod: Pod, message: str) -> None:
        """Say why the pod has no node, once per reason."""
        have = condition(pod.status.conditions, "PodScheduled")
        if have is not None and have.status == "False" and have.message == message:
            return
        await self.perform(self._scheduled(pod, "False", "Unschedulable", message))
        self.say(note(pod, "FailedScheduling", message, "Warning"))

    def _scheduled(self, pod: Pod, status: str, reason: str | None, message: str | None) -> Patch:
        stamp = rfc3339(self.clock.wall())
        new = PodCondition(
            type="PodScheduled", status=status, reason=reason, message=message, last_transition_time=stamp
        )
        conditions = with_condition(pod.status.conditions, new)
        dumped = [c.model_dump(by_alias=True, exclude_none=True) for c in conditions]
        return Patch(cls=Pod, key=pod.key, patch={"status": {"conditions": dumped}}, subresource="status")


def _offer(node: Node) -> object:
    """What of a node decides whether pods may come."""
    ready = condition(node.status.conditions, "Ready")
    return (
        ready.status if ready else None,
        node.spec.unschedulable,
        [(t.key, t.value, t.effect) for t in node.spec.taints or ()],
        node.metadata.labels,
        node.status.allocatable,
        terminating(node),
    )
