"""Deployments: which ReplicaSets are theirs, and carrying out the next step of a rollout."""

import logging
from collections import OrderedDict
from dataclasses import dataclass

from mesh.api.core import Pod
from mesh.api.errors import AlreadyExists
from mesh.api.meta import Object
from mesh.api.workloads import Deployment, ReplicaSet
from mesh.controllers.actions import Create, Key, Patch, Plan
from mesh.controllers.cache import select, workload_selector
from mesh.controllers.deployment_plan import Observed, Revision, plan_deployment
from mesh.controllers.facts import controlled_by, terminating
from mesh.controllers.ownership import plan_claims
from mesh.controllers.runtime import DONE, Context, Controller, Result
from mesh.controllers.templates import canonical

log = logging.getLogger("mesh.controllers")
REMEMBERED = 2048


@dataclass(frozen=True, slots=True)
class _Written:
    """The generation of a ReplicaSet after our write, and until when the cache is waited for."""

    generation: int
    until: float


class DeploymentController(Controller):
    """Deployment -> ReplicaSets."""

    name = "deployment-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._written: dict[Key, dict[str, _Written]] = {}
        self._canonical: OrderedDict[tuple[str | None, int | None], bytes] = OrderedDict()
        self.caches.deployments.on_change(self._deployment_changed)
        self.caches.replica_sets.on_change(self._set_changed)
        self.caches.pods.on_change(self._pod_changed)

    def _deployment_changed(self, old: Deployment | None, new: Deployment | None) -> None:
        if new is not None:
            self.enqueue(new.key)
        elif old is not None:
            self._written.pop(old.key, None)

    def _set_changed(self, old: ReplicaSet | None, new: ReplicaSet | None) -> None:
        rs = new or old
        if rs is None:
            return
        owner = rs.metadata.controller
        if owner is not None:
            if owner.kind == "Deployment":
                if new is None:
                    self._written.get((rs.namespace, owner.name), {}).pop(rs.metadata.uid or "", None)
                self.enqueue((rs.namespace, owner.name))
            return
        for deployment in self.caches.deployments_selecting.selecting(rs.namespace, rs.metadata.labels):
            self.enqueue(deployment.key)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        """Only Recreate waits for pods to be gone; all else is in the ReplicaSets' status."""
        if old is None or new is not None:
            return
        owner = old.metadata.controller
        rs = self.caches.replica_sets.get(owner.name, old.namespace) if owner is not None else None
        above = rs.metadata.controller if rs is not None else None
        if above is not None and above.kind == "Deployment":
            deployment = self.caches.deployments.get(above.name, old.namespace)
            if deployment is not None and deployment.spec.strategy.type == "Recreate":
                self.enqueue(deployment.key)

    async def reconcile(self, key: Key) -> Result:
        deployment = self.caches.deployments.get(key[1], key[0])
        if deployment is None:
            return DONE
        adoptions = self._claims(deployment)
        if adoptions:
            return await self.carry_out(Plan(tuple(adoptions)))
        if self._cache_lags(deployment):
            return Result(self.settings.expectation_s)
        observed = self._observe(deployment)
        plan = plan_deployment(observed)
        for action in plan.actions:
            try:
                self._remember(key, await self.perform(action))
            except AlreadyExists:
                if not isinstance(action, Create):
                    raise
                await self._collided(deployment, observed.template, action.obj.name)
                return Result(0.05)
        return Result(plan.requeue_after_s)

    def _remember(self, key: Key, written: Object | None) -> None:
        if isinstance(written, ReplicaSet):
            until = self.clock.now() + self.settings.expectation_s
            uid = written.metadata.uid or ""
            self._written.setdefault(key, {})[uid] = _Written(written.metadata.generation or 0, until)

    def _cache_lags(self, deployment: Deployment) -> bool:
        """Does the cache still show a ReplicaSet as it was before our last write? Then its sizes must not be used."""
        written = self._written.pop(deployment.key, {})
        owned = self.caches.sets_by_owner.get(deployment.metadata.uid)
        shown = {rs.metadata.uid: rs.metadata.generation or 0 for rs in owned}
        now = self.clock.now()
        behind = {uid: w for uid, w in written.items() if shown.get(uid, -1) < w.generation and now < w.until}
        if behind:
            self._written[deployment.key] = behind
        return bool(behind)

    def _observe(self, deployment: Deployment) -> Observed:
        owned = self.caches.sets_by_owner.get(deployment.metadata.uid)
        sets = [Revision(rs=rs, template=self._template(rs)) for rs in owned if not terminating(rs)]
        pods = {}
        if deployment.spec.strategy.type == "Recreate":
            pods = {rs.metadata.uid or "": self.caches.pods_by_owner.get(rs.metadata.uid) for rs in owned}
        return Observed(
            deployment=deployment,
            template=self._template(deployment),
            sets=sets,
            pods=pods,
            wall=self.clock.wall(),
        )

    def _template(self, obj: Deployment | ReplicaSet) -> bytes:
        """Canonical bytes, remembered per generation: a template only changes with it."""
        memo = (obj.metadata.uid, obj.metadata.generation)
        found = self._canonical.get(memo)
        if found is None or memo[1] is None:
            found = self._canonical[memo] = canonical(obj.spec.template)
            if len(self._canonical) > REMEMBERED:
                self._canonical.popitem(last=False)
        return found

    def _claims(self, deployment: Deployment) -> list[Patch]:
        """ReplicaSets to adopt and to let go."""
        selector = workload_selector(deployment.spec.selector, deployment.spec.template.metadata.labels)
        owned = self.caches.sets_by_owner.get(deployment.metadata.uid)
        orphans = select(self.caches.orphan_sets, deployment.namespace, selector)
        return plan_claims(deployment, selector, owned, orphans)

    async def _collided(self, deployment: Deployment, template: bytes, name: str) -> None:
        """The name is taken: by our own set that the cache does not show yet, or by another; then count it."""
        taken = await self.context.client.get(ReplicaSet, name, deployment.namespace)
        if controlled_by(taken, deployment) and canonical(taken.spec.template) == template:
            return
        count = (deployment.status.collision_count or 0) + 1
        log.info("ReplicaSet name is taken deployment=%s name=%s collisions=%d", deployment.name, name, count)
        patch = {"status": {"collisionCount": count}}
        await self.context.client.patch(Deployment, deployment.name, patch, deployment.namespace, "status")
