"""StatefulSets: pods with names that last, and claims that last longer."""

import logging

from mesh.api.core import Pod
from mesh.api.errors import AlreadyExists, ApiError, Conflict, NotFound
from mesh.api.services import Service
from mesh.api.storage import PersistentVolumeClaim
from mesh.api.workloads import StatefulSet
from mesh.controllers.actions import Action, Create, Delete, Key, Patch, Plan, note
from mesh.controllers.cache import select, workload_selector
from mesh.controllers.expectations import Expectations
from mesh.controllers.history import Historian
from mesh.controllers.history_plan import plan_forgetting
from mesh.controllers.ownership import plan_claims
from mesh.controllers.runtime import DONE, Context, Controller, Result
from mesh.controllers.statefulset_plan import Observed, missing_service, plan_stateful_set
from mesh.controllers.statefulset_pods import POD_NAME_LABEL, claim_names, ordinal_of, ordinals
from mesh.controllers.templates import REVISION_LABEL

log = logging.getLogger("mesh.controllers")
# A Service often comes right after the set that names it, from the same file.
SERVICE_GRACE_S = 1.0
# Sets of many pods are looked at less often.
PACE_S_PER_POD, LONGEST_PACE_S = 0.0004, 0.4


class StatefulSetController(Controller):
    """StatefulSet -> claims, pods NAME-0, NAME-1, ... and revisions."""

    name = "statefulset-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._historian = Historian(self, StatefulSet)
        self._expected = Expectations(self.settings.expectation_s)
        self._lonely: dict[str, tuple[float, str]] = {}
        self._gone: dict[Key, float] = {}
        self.caches.stateful_sets.on_change(self._set_changed)
        self.caches.pods.on_change(self._pod_changed)
        self.caches.claims.on_change(self._claim_changed)
        self.caches.services.on_change(self._service_changed)

    def _set_changed(self, old: StatefulSet | None, new: StatefulSet | None) -> None:
        if new is not None:
            self.enqueue(new.key)
        elif old is not None:
            self._lonely.pop(old.metadata.uid or "", None)
            self._expected.forget(old.key)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        if new is None and old is not None and POD_NAME_LABEL in old.metadata.label_map:
            self._gone[old.key] = self.clock.now()
        for pod in (old, new):
            owner = pod.metadata.controller if pod is not None else None
            if pod is None or owner is None or owner.kind != "StatefulSet":
                continue
            key = (pod.namespace, owner.name)
            settled = self._expected.created(key, pod.key)
            if new is None or new.metadata.deletion_timestamp is not None:
                settled |= self._expected.deleted(key, pod.metadata.uid or "")
            count = self.caches.pods_by_owner.count(owner.uid)
            self.enqueue_paced(key, 0.0 if settled else min(LONGEST_PACE_S, count * PACE_S_PER_POD))
        if new is not None and new.metadata.controller is None:
            for owner_set in self.caches.stateful_sets_selecting.selecting(new.namespace, new.metadata.labels):
                self.enqueue(owner_set.key)

    def _claim_changed(self, old: PersistentVolumeClaim | None, new: PersistentVolumeClaim | None) -> None:
        claim = new or old
        if claim is None:
            return
        stem = claim.name.rpartition("-")[0]
        for owner in self.caches.stateful_sets.list():
            if owner.spec.volume_claim_templates and owner.namespace == claim.namespace and stem.endswith(owner.name):
                self.enqueue(owner.key)

    def _service_changed(self, old: Service | None, new: Service | None) -> None:
        service = new or old
        if service is None or (old is not None and new is not None and old.headless == new.headless):
            return
        for owner in self.caches.stateful_sets.list():
            if owner.spec.service_name == service.name and owner.namespace == service.namespace:
                self.enqueue(owner.key)

    async def reconcile(self, key: Key) -> Result:
        owner = self.caches.stateful_sets.get(key[1], key[0])
        if owner is None:
            return DONE
        wait_s = self._expected.wait_s(key, self.clock.now())
        if wait_s is not None:
            # The cache does not show yet what was done last: nobody knows whose turn it is.
            return Result(wait_s)
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
        history = await self._historian.history(owner, selector)
        if history is None:
            return DONE
        observed = Observed(
            stateful_set=owner,
            pods=pods,
            revision=history.present.name,
            templates={name: self._historian.template(revision) for name, revision in history.known.items()},
            claims=self._claims(owner, pods),
            resting=self._resting(owner),
            wall=self.clock.wall(),
        )
        plan = plan_stateful_set(observed)
        await self._steps(owner, plan)
        in_use = {history.present.name, owner.status.current_revision or ""}
        in_use |= {pod.metadata.label_map.get(REVISION_LABEL, "") for pod in pods}
        await self.carry_out(Plan(tuple(plan_forgetting(owner, list(history.known.values()), in_use))))
        waits = [s for s in (plan.requeue_after_s, self._look_for_service(owner)) if s is not None]
        return Result(min(waits) if waits else None)

    def _resting(self, owner: StatefulSet) -> dict[str, float]:
        """Seconds for which names of pods that are just gone are left alone."""
        now, rest_s = self.clock.now(), self.settings.name_rest_s
        self._gone = {key: at for key, at in self._gone.items() if at + rest_s > now}
        return {name: at + rest_s - now for (space, name), at in self._gone.items() if space == owner.namespace}

    def _claims(self, owner: StatefulSet, pods: list[Pod]) -> dict[str, PersistentVolumeClaim]:
        """The claims of every pod that is or is to be, as far as they exist."""
        if not owner.spec.volume_claim_templates:
            return {}
        concerned = {*ordinals(owner), *(o for pod in pods if (o := ordinal_of(owner.name, pod.name)) is not None)}
        names = {name for ordinal in concerned for name in claim_names(owner, ordinal).values()}
        found = ((name, self.caches.claims.get(name, owner.namespace)) for name in names)
        return {name: claim for name, claim in found if claim is not None}

    async def _steps(self, owner: StatefulSet, plan: Plan) -> None:
        """In order, up to the first that fails; the status is written in any case."""
        status = [action for action in plan.actions if isinstance(action, Patch) and action.subresource == "status"]
        try:
            for action in plan.actions:
                if action not in status:
                    await self._try(owner, action)
        finally:
            for action in status:
                await self.perform(action)

    async def _try(self, owner: StatefulSet, action: Action) -> None:
        """Do one thing; people hear of what the API refuses. A claim that is there already is as good as made."""
        self._expect(owner.key, action)
        try:
            await self.perform(action)
        except AlreadyExists:
            self._expected.forget(owner.key)
            if not (isinstance(action, Create) and isinstance(action.obj, PersistentVolumeClaim)):
                raise
        except (Conflict, NotFound):
            self._expected.forget(owner.key)
            raise
        except ApiError as error:
            self._expected.forget(owner.key)
            if isinstance(action, Create):
                what = "Pod" if isinstance(action.obj, Pod) else "Claim"
                text = f"create {what} {action.obj.name} in StatefulSet {owner.name} failed error: {error.message}"
                self.say(note(owner, "FailedCreate", text, "Warning"))
            raise

    def _expect(self, key: Key, action: Action) -> None:
        now = self.clock.now()
        if isinstance(action, Create) and isinstance(action.obj, Pod):
            self._expected.creating(key, action.obj.key, now)
        elif isinstance(action, Delete) and action.cls is Pod:
            known = self.caches.pods.get(action.key[1], action.key[0])
            if known is not None and known.metadata.uid == action.uid:
                self._expected.deleting(key, action.uid or "", now)

    def _look_for_service(self, owner: StatefulSet) -> float | None:
        """Warn once when the set's Service is not what its names need. The answer: seconds until to look again."""
        uid = owner.metadata.uid or ""
        service = self.caches.services.get(owner.spec.service_name or "", owner.namespace)
        problem = missing_service(owner, service.headless if service is not None else None)
        if problem is None:
            self._lonely.pop(uid, None)
            return None
        since, told = self._lonely.setdefault(uid, (self.clock.now(), ""))
        left_s = since + SERVICE_GRACE_S - self.clock.now()
        if left_s > 0:
            return left_s
        if told != problem:
            self._lonely[uid] = (since, problem)
            self.say(note(owner, "NoHeadlessService", problem, "Warning"))
        return None
