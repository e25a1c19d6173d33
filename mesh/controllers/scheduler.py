"""Pods without a node: finding one for each."""

from collections import Counter
from collections.abc import Mapping, Sequence

from mesh.api.core import Node, Pod, PodCondition
from mesh.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from mesh.controllers.actions import Key, Patch, note
from mesh.controllers.claim_view import ClaimView
from mesh.controllers.facts import active, condition, terminating, with_condition
from mesh.controllers.neighbours import has_anti_affinity, is_choosy, obstacles
from mesh.controllers.runtime import DONE, Context, Controller, Result
from mesh.controllers.scheduling import Candidate, Unschedulable, choose
from mesh.controllers.volume_scheduling import settle, waits, weigh
from mesh.controllers.volume_users import claim_named, claims_of
from mesh.runtime.clock import rfc3339

DEFAULT = "default-scheduler"
BINDING_S = 0.5
"""So long a claim may take to be bound before anybody is told that a pod waits for it."""


class Occupancy:
    """Where pods are: those that the cache shows, and those that were just bound and are not shown yet."""

    def __init__(self) -> None:
        self._place: dict[str, tuple[str, str]] = {}
        self._owners: Counter[tuple[str, str]] = Counter()
        self._on_node: dict[str, dict[str, Pod]] = {}
        self._keeping_away: dict[str, tuple[Pod, str]] = {}
        self.users: dict[Key, set[str]] = {}

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
        for claim in claims_of(pod):
            self.users.setdefault(claim, set()).add(uid)

    def drop(self, pod: Pod) -> None:
        """The pod takes no place any more."""
        uid = pod.metadata.uid or ""
        place = self._place.pop(uid, None)
        self._keeping_away.pop(uid, None)
        for claim in claims_of(pod):
            users = self.users.get(claim, set())
            users.discard(uid)
            if not users:
                self.users.pop(claim, None)
        if place is None:
            return
        self._on_node.get(place[0], {}).pop(uid, None)
        self._owners[place] -= 1
        if not self._owners[place]:
            del self._owners[place]

    def candidates(self, nodes: Sequence[Node], pod: Pod, against: Mapping[str, str]) -> list[Candidate]:
        """How each node looks to that pod. against: node name -> what is in the way there otherwise."""
        if self._keeping_away or is_choosy(pod):
            placed = {name: pods.values() for name, pods in self._on_node.items()}
            against = {**obstacles(pod, nodes, placed, self._keeping_away.values()), **against}
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
        # Pods without a node, and since when: one that only waits for its volumes to be made is given a moment.
        self._stuck: dict[Key, float] = {}
        self._claims = ClaimView(self.caches)
        self._claims.claims.on_change(self._claim_changed)
        self._claims.volumes.on_change(self._volume_changed)
        self._claims.classes.on_change(self._class_changed)
        self.caches.pods.on_change(self._pod_changed)
        self.caches.nodes.on_change(self._node_changed)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        if new is None or not active(new):
            if old is not None:
                self._stuck.pop(old.key, None)
                self._occupancy.drop(old)
                self._retry_stuck()
            return
        if new.spec.node_name:
            self._stuck.pop(new.key, None)
            self._occupancy.put(new, new.spec.node_name)
        elif old is None or old.spec != new.spec:
            self.enqueue(new.key)

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        """Heartbeats change nothing here; anything that may let a pod in does."""
        if old is None or new is None or _offer(old) != _offer(new):
            self._retry_stuck()

    def _claim_changed(self, old: PersistentVolumeClaim | None, new: PersistentVolumeClaim | None) -> None:
        changed = new or old
        if changed is not None:
            self._retry_users(changed.key)

    def _volume_changed(self, old: PersistentVolume | None, new: PersistentVolume | None) -> None:
        if new is not None and new.spec.claim_ref:
            self._retry_users(claim_named(new))
        else:
            self._retry_stuck()

    def _class_changed(self, old: StorageClass | None, new: StorageClass | None) -> None:
        self._retry_stuck()

    def _retry_users(self, claim: Key) -> None:
        for pod in self.caches.pods_by_claim.get(claim) if self._stuck else ():
            if pod.key in self._stuck:
                self.enqueue(pod.key)

    def _retry_stuck(self) -> None:
        for key in self._stuck:
            self.enqueue(key)

    async def reconcile(self, key: Key) -> Result:
        pod = self.caches.pods.get(key[1], key[0])
        if pod is None or pod.spec.node_name or not active(pod):
            return DONE
        if (pod.spec.scheduler_name or DEFAULT) != DEFAULT:
            return DONE
        nodes, claims = list(self.caches.nodes.list()), self._claims.of(pod, self._occupancy.users)
        volumes = self._claims.within_reach(claims) if waits(claims) else []
        verdict = weigh(claims, nodes, volumes)
        choice = choose(pod, self._occupancy.candidates(nodes, pod, verdict.obstacles), verdict.blocked)
        if isinstance(choice, Unschedulable):
            stuck_s = self.clock.now() - self._stuck.setdefault(key, self.clock.now())
            if verdict.soon and stuck_s < BINDING_S:
                return Result(BINDING_S - stuck_s)
            await self._explain(pod, choice.message)
        elif waits(claims):
            # Its claims are bound to volumes that this node can reach; when all are, it is looked at again.
            self._stuck.setdefault(key, self.clock.now())
            for action in settle(claims, next(node for node in nodes if node.name == choice), volumes):
                await self.perform(action)
        else:
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
        self._stuck.pop(pod.key, None)
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
