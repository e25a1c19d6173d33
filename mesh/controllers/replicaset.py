"""ReplicaSets: keeping as many pods as are wanted."""

import asyncio
import logging
from collections.abc import Iterator, Sequence

from mesh.api.core import Pod
from mesh.api.errors import ApiError, Conflict, NotFound
from mesh.api.workloads import ReplicaSet
from mesh.controllers.actions import Key, Plan, note
from mesh.controllers.cache import select, workload_selector
from mesh.controllers.expectations import Expectations
from mesh.controllers.ownership import plan_claims
from mesh.controllers.replicaset_plan import Observed, plan_replica_set
from mesh.controllers.runtime import DONE, Context, Controller, Result
from mesh.controllers.templates import generated_name, pod_from

log = logging.getLogger("mesh.controllers")
PACE_S_PER_POD, LONGEST_PACE_S = 0.0004, 0.4


class ReplicaSetController(Controller):
    """ReplicaSet -> pods."""

    name = "replicaset-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._expected = Expectations(self.settings.expectation_s)
        self._refused: dict[Key, str] = {}
        self.caches.replica_sets.on_change(self._set_changed)
        self.caches.pods.on_change(self._pod_changed)

    def _set_changed(self, old: ReplicaSet | None, new: ReplicaSet | None) -> None:
        if new is not None:
            same = old is not None and old.metadata.generation == new.metadata.generation
            self.enqueue_paced(new.key, self._pace_s(new.metadata.uid) if same else 0.0)
        elif old is not None:
            self._expected.forget(old.key)
            self._refused.pop(old.key, None)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        if pod is None:
            return
        owner = pod.metadata.controller
        if old is not None and (before := old.metadata.controller) is not None and before.kind == "ReplicaSet":
            self._told(old.namespace, before.name, before.uid, old, new)
        elif owner is not None and owner.kind == "ReplicaSet":
            self._told(pod.namespace, owner.name, owner.uid, pod, new)
        if owner is None:
            for rs in self.caches.sets_selecting.selecting(pod.namespace, pod.metadata.labels):
                self.enqueue(rs.key)

    def _told(self, namespace: str, name: str, uid: str, pod: Pod, new: Pod | None) -> None:
        """The cache shows a change of a pod of that ReplicaSet. Large sets are looked at less often."""
        key = (namespace, name)
        settled = self._expected.created(key, pod.key)
        if new is None or new.metadata.deletion_timestamp is not None:
            settled |= self._expected.deleted(key, pod.metadata.uid or "")
        self.enqueue_paced(key, 0.0 if settled else self._pace_s(uid))

    def _pace_s(self, uid: str | None) -> float:
        return min(LONGEST_PACE_S, self.caches.pods_by_owner.count(uid) * PACE_S_PER_POD)

    async def reconcile(self, key: Key) -> Result:
        rs = self.caches.replica_sets.get(key[1], key[0])
        if rs is None:
            return DONE
        pods = self.caches.pods_by_owner.get(rs.metadata.uid)
        selector = workload_selector(rs.spec.selector, rs.spec.template.metadata.labels)
        claims = plan_claims(rs, selector, pods, select(self.caches.orphan_pods, rs.namespace, selector))
        if claims:
            return await self.carry_out(Plan(tuple(claims)))
        wait_s = self._expected.wait_s(key, self.clock.now())
        plan = plan_replica_set(
            Observed(
                rs=rs,
                pods=pods,
                related=self._related(rs) if len(pods) > (rs.spec.replicas or 0) else (),
                settled=wait_s is None,
                leaving=self._expected.leaving(key),
                coming=self._expected.coming(key),
                failure=self._refused.get(key),
                wall=self.clock.wall(),
            )
        )
        if plan.status is not None:
            await self.perform(plan.status)
        await self._remove(rs, plan.delete)
        await self._create(rs, plan.create)
        waits = [s for s in (wait_s, plan.requeue_after_s) if s is not None]
        return Result(min(waits) if waits else None)

    def _related(self, rs: ReplicaSet) -> Sequence[Pod]:
        """Pods of every ReplicaSet under the same Deployment: a node that holds two of them gives one first."""
        owner = rs.metadata.controller
        sets = self.caches.sets_by_owner.get(owner.uid) if owner is not None else [rs]
        return [pod for each in sets for pod in self.caches.pods_by_owner.get(each.metadata.uid)]

    async def _create(self, rs: ReplicaSet, count: int) -> None:
        """Make pods in batches that double while all goes well, so that a set that is refused stops early."""
        for size in batches(count, self.settings.pod_batch):
            results = await asyncio.gather(*(self._create_one(rs) for _ in range(size)))
            refusal = next((error for error in results if error is not None), None)
            if refusal is None:
                continue
            self._refused[rs.key] = refusal.message
            self.say(note(rs, "FailedCreate", f"Error creating: {refusal.message}", "Warning"))
            raise refusal
        if count and self._refused.pop(rs.key, None) is not None:
            self.enqueue(rs.key)

    async def _create_one(self, rs: ReplicaSet) -> ApiError | None:
        base = f"{rs.name}-"
        name = generated_name(base, self.context.rng)
        pod = pod_from(rs.spec.template, rs, name, base)
        self._expected.creating(rs.key, pod.key, self.clock.now())
        try:
            await self.context.client.create(pod)
        except ApiError as error:
            self._expected.created(rs.key, pod.key)
            return error
        self.say(note(rs, "SuccessfulCreate", f"Created pod: {name}"))
        return None

    async def _remove(self, rs: ReplicaSet, pods: Sequence[Pod]) -> None:
        for start in range(0, len(pods), self.settings.pod_batch):
            chunk = pods[start : start + self.settings.pod_batch]
            await asyncio.gather(*(self._delete_one(rs, pod) for pod in chunk))

    async def _delete_one(self, rs: ReplicaSet, pod: Pod) -> None:
        uid = pod.metadata.uid or ""
        self._expected.deleting(rs.key, uid, self.clock.now())
        try:
            await self.context.client.delete(Pod, pod.name, pod.namespace, uid=uid)
        except (NotFound, Conflict):
            self._expected.deleted(rs.key, uid)
            return
        except ApiError:
            self._expected.deleted(rs.key, uid)
            raise
        self.say(note(rs, "SuccessfulDelete", f"Deleted pod: {pod.name}"))


def batches(count: int, most: int) -> Iterator[int]:
    """1, 2, 4, ... up to `most`, adding up to `count`."""
    size = 1
    while count > 0:
        batch = min(size, count, most)
        yield batch
        count -= batch
        size *= 2
