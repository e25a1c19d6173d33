"""StatefulSets: pods with names that last."""

from collections import OrderedDict

from mesh.api.core import Pod, PodTemplateSpec
from mesh.api.workloads import StatefulSet
from mesh.controllers.actions import Key, Plan
from mesh.controllers.cache import select, workload_selector
from mesh.controllers.ownership import plan_claims
from mesh.controllers.runtime import DONE, Context, Controller, Result
from mesh.controllers.statefulset_plan import Observed, ordinal_of, plan_stateful_set
from mesh.controllers.templates import canonical, safe_hash

HISTORY = 10


class StatefulSetController(Controller):
    """StatefulSet -> pods NAME-0, NAME-1, ..."""

    name = "statefulset-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._templates: dict[Key, OrderedDict[str, PodTemplateSpec]] = {}
        self.caches.stateful_sets.on_change(self._set_changed)
        self.caches.pods.on_change(self._pod_changed)

    def _set_changed(self, old: StatefulSet | None, new: StatefulSet | None) -> None:
        if new is not None:
            self.enqueue(new.key)
        elif old is not None:
            self._templates.pop(old.key, None)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        for pod in (old, new):
            owner = pod.metadata.controller if pod is not None else None
            if pod is not None and owner is not None and owner.kind == "StatefulSet":
                self.enqueue((pod.namespace, owner.name))
        if new is not None and new.metadata.controller is None:
            for owner_set in self.caches.stateful_sets_selecting.selecting(new.namespace, new.metadata.labels):
                self.enqueue(owner_set.key)

    async def reconcile(self, key: Key) -> Result:
        owner = self.caches.stateful_sets.get(key[1], key[0])
        if owner is None:
            return DONE
        pods = self.caches.pods_by_owner.get(owner.metadata.uid)
        selector = workload_selector(owner.spec.selector, owner.spec.template.metadata.labels)
        orphans = [
            pod
            for pod in select(self.caches.orphan_pods, owner.namespace, selector)
            if ordinal_of(owner.name, pod.name) is not None
        ]
        claims = plan_claims(owner, selector, pods, orphans)
        if claims:
            return await self.carry_out(Plan(tuple(claims)))
        revision = f"{owner.name}-{safe_hash(canonical(owner.spec.template))}"
        observed = Observed(
            stateful_set=owner,
            pods=pods,
            revision=revision,
            templates=self._remember(owner, revision),
            wall=self.clock.wall(),
        )
        return await self.carry_out(plan_stateful_set(observed))

    def _remember(self, owner: StatefulSet, revision: str) -> OrderedDict[str, PodTemplateSpec]:
        """The templates of its latest revisions: pods below the partition are made from an earlier one."""
        known = self._templates.setdefault(owner.key, OrderedDict())
        known[revision] = owner.spec.template
        known.move_to_end(revision)
        while len(known) > HISTORY:
            known.popitem(last=False)
        return known
