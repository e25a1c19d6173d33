"""Jobs: pods that run to their end."""

from mesh.api.batch import Job
from mesh.api.core import Pod
from mesh.api.errors import ApiError, Conflict, NotFound
from mesh.controllers.actions import Key, Plan, note
from mesh.controllers.cache import select, workload_selector
from mesh.controllers.expectations import Expectations
from mesh.controllers.job_plan import Observed, Past, done_condition, plan_job
from mesh.controllers.job_pods import ended_at, failed, job_pod, succeeded
from mesh.controllers.job_status import plan_status
from mesh.controllers.ownership import plan_claims
from mesh.controllers.runtime import DONE, Context, Controller, Result
from mesh.controllers.templates import generated_name


class JobController(Controller):
    """Job -> pods."""

    name = "job-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._expected = Expectations(self.settings.expectation_s)
        self._past: dict[str, Past] = {}
        self._forgiven: dict[str, set[str]] = {}
        self.caches.jobs.on_change(self._job_changed)
        self.caches.pods.on_change(self._pod_changed)

    def _job_changed(self, old: Job | None, new: Job | None) -> None:
        if new is not None:
            self.enqueue(new.key)
        elif old is not None:
            uid = old.metadata.uid or ""
            self._past.pop(uid, None)
            self._forgiven.pop(uid, None)
            self._expected.forget(old.key)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        owner = pod.metadata.controller if pod is not None else None
        if pod is None or owner is None or owner.kind != "Job":
            return
        key = (pod.namespace, owner.name)
        self._expected.created(key, pod.key)
        if new is None or new.metadata.deletion_timestamp is not None:
            self._expected.deleted(key, pod.metadata.uid or "")
        if new is None:
            self._remember(owner.uid, pod)
        self.enqueue(key)

    def _remember(self, job_uid: str, pod: Pod) -> None:
        """A pod is gone: it stays in the count."""
        past = self._past.get(job_uid)
        if past is None:
            return
        if succeeded(pod):
            self._past[job_uid] = past.success(ended_at(pod))
        elif pod.metadata.uid in self._forgiven.get(job_uid, ()):
            self._forgiven[job_uid].discard(pod.metadata.uid or "")
        else:
            self._past[job_uid] = past.failure(ended_at(pod))

    async def reconcile(self, key: Key) -> Result:
        job = self.caches.jobs.get(key[1], key[0])
        if job is None:
            return DONE
        uid = job.metadata.uid or ""
        pods = self.caches.pods_by_owner.get(uid)
        selector = workload_selector(job.spec.selector, job.spec.template.metadata.labels)
        claims = plan_claims(job, selector, pods, select(self.caches.orphan_pods, job.namespace, selector))
        if claims and done_condition(job) is None:
            return await self.carry_out(Plan(tuple(claims)))
        forgiven = self._forgiven.setdefault(uid, set())
        if uid not in self._past:
            self._past[uid] = _before_our_time(job, pods)
        wait_s = self._expected.wait_s(key, self.clock.now())
        plan = plan_job(
            Observed(
                job=job,
                pods=pods,
                past=self._past[uid],
                forgiven=forgiven,
                settled=wait_s is None,
                backoff_s=self.settings.job_backoff_s,
                wall=self.clock.wall(),
            )
        )
        if plan.remove:
            await self.context.client.delete(Job, job.name, job.namespace, propagation="Background", uid=uid)
            return DONE
        patch, notes = plan_status(job, pods, plan, self.clock.wall())
        if patch is not None:
            await self.perform(patch)
        for told in notes:
            self.say(told)
        if plan.verdict is None and job.spec.suspend:
            forgiven.update(pod.metadata.uid or "" for pod in plan.delete)
        for pod in plan.delete:
            await self._delete_one(job, pod)
        for index in plan.create:
            await self._create(job, index)
        waits = [s for s in (wait_s, plan.requeue_after_s) if s is not None]
        return Result(max(0.0, min(waits)) if waits else None)

    async def _create(self, job: Job, index: int | None) -> None:
        base = f"{job.name}-" if index is None else f"{job.name}-{index}-"
        name = generated_name(base, self.context.rng)
        pod = job_pod(job, name, base, index)
        self._expected.creating(job.key, pod.key, self.clock.now())
        try:
            await self.context.client.create(pod)
        except ApiError as error:
            self._expected.created(job.key, pod.key)
            self.say(note(job, "FailedCreate", f"Error creating: {error.message}", "Warning"))
            raise
        self.say(note(job, "SuccessfulCreate", f"Created pod: {name}"))

    async def _delete_one(self, job: Job, pod: Pod) -> None:
        uid = pod.metadata.uid or ""
        self._expected.deleting(job.key, uid, self.clock.now())
        try:
            await self.context.client.delete(Pod, pod.name, pod.namespace, uid=uid)
        except (NotFound, Conflict):
            self._expected.deleted(job.key, uid)
            return
        except ApiError:
            self._expected.deleted(job.key, uid)
            raise
        self.say(note(job, "SuccessfulDelete", f"Deleted pod: {pod.name}"))


def _before_our_time(job: Job, pods: list[Pod]) -> Past:
    """What the status counts and nobody can see any more, as this process begins to look."""
    seen = sum(succeeded(pod) for pod in pods)
    lost = sum(failed(pod) for pod in pods)
    return Past(
        succeeded=max(0, (job.status.succeeded or 0) - seen),
        failed=max(0, (job.status.failed or 0) - lost),
    )
