"""DaemonSets: a pod on every node that takes one."""

from mesh.api.core import Node, Pod
from mesh.api.errors import ApiError, Conflict, NotFound
from mesh.api.workloads import DaemonSet
from mesh.controllers.actions import Key, Plan, note
from mesh.controllers.cache import select, workload_selector
from mesh.controllers.daemonset_plan import Observed, plan_daemon_set
from mesh.controllers.daemonset_pods import daemon_pod
from mesh.controllers.expectations import Expectations
from mesh.controllers.history import Historian
from mesh.controllers.history_plan import HASH_LABEL, plan_forgetting
from mesh.controllers.ownership import plan_claims
from mesh.controllers.runtime import DONE, Context, Controller, Result
from mesh.controllers.templates import REVISION_LABEL, generated_name
from mesh.controllers.tolerance import ready_condition


class DaemonSetController(Controller):
    """DaemonSet -> a pod a node, and revisions."""

    name = "daemonset-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._expected = Expectations(self.settings.expectation_s)
        self._historian = Historian(self, DaemonSet)
        self.caches.daemon_sets.on_change(self._set_changed)
        self.caches.pods.on_change(self._pod_changed)
        self.caches.nodes.on_change(self._node_changed)

    def _set_changed(self, old: DaemonSet | None, new: DaemonSet | None) -> None:
        if new is not None:
            self.enqueue(new.key)
        elif old is not None:
            self._expected.forget(old.key)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        for pod in (old, new):
            owner = pod.metadata.controller if pod is not None else None
            if pod is None or owner is None or owner.kind != "DaemonSet":
                continue
            key = (pod.namespace, owner.name)
            self._expected.created(key, pod.key)
            if new is None or new.metadata.deletion_timestamp is not None:
                self._expected.deleted(key, pod.metadata.uid or "")
            self.enqueue(key)
        if new is not None and new.metadata.controller is None:
            for owner_set in self.caches.daemon_sets.list():
                selector = workload_selector(owner_set.spec.selector, owner_set.spec.template.metadata.labels)
                if owner_set.namespace == new.namespace and selector.matches(new.metadata.labels):
                    self.enqueue(owner_set.key)

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        """Heartbeats change nothing here."""
        if old is None or new is None or _welcome(old) != _welcome(new):
            for owner_set in self.caches.daemon_sets.list():
                self.enqueue(owner_set.key)

    async def reconcile(self, key: Key) -> Result:
        owner = self.caches.daemon_sets.get(key[1], key[0])
        if owner is None:
            return DONE
        pods = self.caches.pods_by_owner.get(owner.metadata.uid)
        selector = workload_selector(owner.spec.selector, owner.spec.template.metadata.labels)
        claims = plan_claims(owner, selector, pods, select(self.caches.orphan_pods, owner.namespace, selector))
        if claims:
            return await self.carry_out(Plan(tuple(claims)))
        history = await self._historian.history(owner, selector)
        if history is None:
            return DONE
        code = history.present.metadata.label_map.get(HASH_LABEL, "")
        wait_s = self._expected.wait_s(key, self.clock.now())
        plan = plan_daemon_set(
            Observed(
                daemon_set=owner,
                nodes=list(self.caches.nodes.list()),
                pods=pods,
                code=code,
                settled=wait_s is None,
                wall=self.clock.wall(),
            )
        )
        if plan.status is not None:
            await self.perform(plan.status)
        for told in plan.notes:
            self.say(told)
        for pod in plan.delete:
            await self._delete_one(owner, pod)
        for node in plan.create:
            await self._create(owner, node, code)
        codes = {pod.metadata.label_map.get(REVISION_LABEL, "") for pod in pods}
        known = list(history.known.values())
        in_use = {r.name for r in known if r.metadata.label_map.get(HASH_LABEL) in codes} | {history.present.name}
        await self.carry_out(Plan(tuple(plan_forgetting(owner, known, in_use))))
        waits = [s for s in (wait_s, plan.requeue_after_s) if s is not None]
        return Result(min(waits) if waits else None)

    async def _create(self, owner: DaemonSet, node: str, code: str) -> None:
        name = generated_name(f"{owner.name}-", self.context.rng)
        pod = daemon_pod(owner, name, node, code)
        self._expected.creating(owner.key, pod.key, self.clock.now())
        try:
            await self.context.client.create(pod)
        except ApiError as error:
            self._expected.created(owner.key, pod.key)
            self.say(note(owner, "FailedCreate", f"Error creating: {error.message}", "Warning"))
            raise
        self.say(note(owner, "SuccessfulCreate", f"Created pod: {name}"))

    async def _delete_one(self, owner: DaemonSet, pod: Pod) -> None:
        uid = pod.metadata.uid or ""
        self._expected.deleting(owner.key, uid, self.clock.now())
        try:
            await self.context.client.delete(Pod, pod.name, pod.namespace, uid=uid)
        except (NotFound, Conflict):
            self._expected.deleted(owner.key, uid)
            return
        except ApiError:
            self._expected.deleted(owner.key, uid)
            raise
        self.say(note(owner, "SuccessfulDelete", f"Deleted pod: {pod.name}"))


def _welcome(node: Node) -> object:
    """What of a node decides whether a daemon belongs there."""
    ready = ready_condition(node)
    taints = [(taint.key, taint.value, taint.effect) for taint in node.spec.taints or ()]
    return (node.metadata.labels, taints, node.spec.unschedulable, ready.status if ready is not None else None)
