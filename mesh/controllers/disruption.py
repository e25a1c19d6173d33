"""Disruption budgets: counting what may still be evicted.

The API server grants evictions and counts each at once in the budget's status; here the count follows the pods.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mesh.api.core import Pod
from mesh.api.meta import IntOrString, OwnerReference
from mesh.api.policy import PodDisruptionBudget
from mesh.api.selectors import from_model
from mesh.controllers.actions import Draft, Key, Patch, Plan, note, status_patch
from mesh.controllers.cache import select
from mesh.controllers.facts import (
    active,
    dump_conditions,
    fresh_condition,
    seconds_of,
    terminating,
    with_condition,
)
from mesh.controllers.runtime import DONE, Context, Controller, Result

GRANTED_FOR_S = 120.0
"""So long a granted eviction counts although its pod is still there. Source: Kubernetes' DeletionTimeout."""


class DisruptionController(Controller):
    """PodDisruptionBudget -> status."""

    name = "disruption-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._budgets = self.caches.informers[PodDisruptionBudget]
        self._budgets.on_change(self._budget_changed)
        self.caches.pods.on_change(self._pod_changed)
        for informer in (self.caches.deployments, self.caches.replica_sets, self.caches.stateful_sets):
            informer.on_change(self._workload_changed)

    def _budget_changed(self, old: PodDisruptionBudget | None, new: PodDisruptionBudget | None) -> None:
        if new is not None:
            self.enqueue(new.key)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        for budget in self._budgets.list():
            for pod in (old, new):
                if pod is not None and pod.namespace == budget.namespace and _covers(budget, pod):
                    self.enqueue(budget.key)
                    break

    def _workload_changed(self, old: Any, new: Any) -> None:
        if new is None or old is None or old.spec.replicas == new.spec.replicas:
            return
        for budget in self._budgets.list():
            if budget.namespace == new.namespace:
                self.enqueue(budget.key)

    async def reconcile(self, key: Key) -> Result:
        budget = self._budgets.get(key[1], key[0])
        if budget is None or terminating(budget):
            return DONE
        pods = [pod for pod in self._pods(budget) if active(pod)]
        return await self.carry_out(plan_budget(budget, pods, self._scales(pods), self.clock.wall()))

    def _pods(self, budget: PodDisruptionBudget) -> Iterable[Pod]:
        if budget.spec.selector is None:
            return ()
        selector = from_model(budget.spec.selector)
        found = select(self.caches.pods_by_label, budget.namespace, selector)
        if found:
            return found
        return [pod for pod in self.caches.pods.list() if pod.namespace == budget.namespace and _covers(budget, pod)]

    def _scales(self, pods: Iterable[Pod]) -> Mapping[str, int]:
        """What manages the pods in the end, with the count that it wants; a pod that nothing manages is its own."""
        scales: dict[str, int] = {}
        for pod in pods:
            uid, wanted = self._scale(pod.namespace, pod.metadata.controller)
            scales[uid or pod.metadata.uid or pod.name] = wanted
        return scales

    def _scale(self, namespace: str, owner: OwnerReference | None) -> tuple[str, int]:
        if owner is None:
            return "", 1
        if owner.kind == "StatefulSet":
            stateful = self.caches.stateful_sets.get(owner.name, namespace)
            return owner.uid, 1 if stateful is None or stateful.spec.replicas is None else stateful.spec.replicas
        replica_set = self.caches.replica_sets.get(owner.name, namespace)
        if replica_set is None:
            return "", 1
        above = replica_set.metadata.controller
        deployment = self.caches.deployments.get(above.name, namespace) if above is not None else None
        workload = deployment or replica_set
        return workload.metadata.uid or "", 1 if workload.spec.replicas is None else workload.spec.replicas


def plan_budget(budget: PodDisruptionBudget, pods: Sequence[Pod], scales: Mapping[str, int], wall: float) -> Plan:
    """The status of a budget. pods: the active ones that it selects.  scales: the wanted count of each workload."""
    draft = Draft()
    granted, forget_s = still_granted(budget.status.disrupted_pods or {}, pods, wall)
    healthy = sum(pod.ready and pod.name not in granted for pod in pods)
    expected, desired = counts(budget.spec.min_available, budget.spec.max_unavailable, len(pods), sum(scales.values()))
    allowed = max(0, healthy - desired) if expected > 0 else 0
    name, reason = ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
    condition = fresh_condition("DisruptionAllowed", name, reason, "", wall)
    condition.observed_generation, condition.last_update_time = budget.metadata.generation, None
    status = {
        "observedGeneration": budget.metadata.generation,
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "disruptedPods": granted or None,
        "conditions": dump_conditions(with_condition(budget.status.conditions, condition)),
    }
    patch = status_patch(budget, status)
    if patch is not None:
        # Only on the state that was counted: an eviction may have been granted meanwhile.
        seen = {"resourceVersion": budget.metadata.resource_version}
        draft.add(Patch(cls=patch.cls, key=patch.key, patch={**patch.patch, "metadata": seen}, subresource="status"))
        if not pods and budget.status.observed_generation is None:
            draft.add(note(budget, "NoPods", "No matching pods found"))
    draft.look_again(forget_s)
    return draft.done()


def counts(least: IntOrString | None, most_gone: IntOrString | None, pods: int, scale: int) -> tuple[int, int]:
    """(expected, desired): how many pods there should be, and how many of them must stay healthy."""
    if most_gone is not None:
        return scale, max(0, scale - _share(most_gone, scale))
    if isinstance(least, str):
        return scale, _share(least, scale)
    return pods, 1 if least is None else int(least)


def still_granted(granted: Mapping[str, str], pods: Iterable[Pod], wall: float) -> tuple[dict[str, str], float | None]:
    """The granted evictions whose pod is still there, and the seconds until the first of them no longer counts."""
    names = {pod.name for pod in pods}
    kept: dict[str, str] = {}
    forget_s = None
    for name, stamp in granted.items():
        left_s = (seconds_of(stamp) or 0.0) + GRANTED_FOR_S - wall
        if name in names and left_s > 0:
            kept[name] = stamp
            forget_s = left_s if forget_s is None else min(forget_s, left_s)
    return kept, forget_s


def _share(value: IntOrString, whole: int) -> int:
    """A count, or a percentage of `whole` rounded up."""
    return math.ceil(int(value.rstrip("%")) * whole / 100) if isinstance(value, str) else value


def _covers(budget: PodDisruptionBudget, pod: Pod) -> bool:
    return budget.spec.selector is not None and from_model(budget.spec.selector).matches(pod.metadata.labels)
