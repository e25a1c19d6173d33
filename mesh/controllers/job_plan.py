"""Given a Job and its pods, how many pods are to be made, which are to go, and is it done?

Source: Kubernetes' job controller. A Job wants so many successes, so many at a time; a failure costs one of its
retries and makes the next try wait, twice as long each time. Once it is Complete or Failed nothing changes any more.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from mesh.api.batch import Job
from mesh.api.core import Pod
from mesh.api.meta import Condition
from mesh.controllers.actions import EventType, Note, note
from mesh.controllers.facts import active, seconds_of, terminating
from mesh.controllers.job_pods import ended_at, failed, from_text, index_of, indexed, restarted, succeeded
from mesh.controllers.ranking import victims

LONGEST_BACKOFF_S = 360.0
DEFAULT_BACKOFF_LIMIT = 6
# After so many failures the wait is at its longest anyway.
REMEMBERED = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Pods of a Job that ended and are gone: they count, although nobody can see them any more.

    won_at: the last success, in unix seconds.  lost_at: the latest failures.
    """

    succeeded: int = 0
    failed: int = 0
    won_at: float = 0.0
    lost_at: tuple[float, ...] = ()

    def success(self, at: float) -> "Past":
        """One more pod that did its work."""
        return replace(self, succeeded=self.succeeded + 1, won_at=max(self.won_at, at))

    def failure(self, at: float) -> "Past":
        """One more that did not."""
        return replace(self, failed=self.failed + 1, lost_at=(*self.lost_at, at)[-REMEMBERED:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that the decision depends on.

    pods: those it controls.  past: those that are gone.  forgiven: uids of pods that went because the Job was
    suspended; they are no failures.  settled: the cache shows all earlier creations and deletions.
    backoff_s: the wait after a first failure.  wall: now, in unix seconds.
    """

    job: Job
    pods: Sequence[Pod]
    past: Past = Past()
    forgiven: Collection[str] = ()
    settled: bool = True
    backoff_s: float = 10.0
    wall: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a Job is done. type: Complete or Failed."""

    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """create: an entry for each pod to make, its index or None.  delete: pods.  remove: the Job itself is to go.

    verdict: the Job is done, or fails and waits for its pods to be gone.
    succeeded, failed: counts.  completed: indexes that are done.
    """

    succeeded: int
    failed: int
    completed: frozenset[int] = frozenset()
    create: tuple[int | None, ...] = ()
    delete: tuple[Pod, ...] = ()
    verdict: Verdict | None = None
    remove: bool = False
    notes: tuple[Note, ...] = ()
    requeue_after_s: float | None = None


def done_condition(job: Job) -> Condition | None:
    """The condition that says that it is over."""
    over = (c for c in job.status.conditions or () if c.type in ("Complete", "Failed") and c.status == "True")
    return next(over, None)


def plan_job(seen: Observed) -> JobPlan:
    """What is next."""
    job, count = seen.job, _Count(seen)
    over = done_condition(job)
    if over is not None:
        return _after_the_end(seen, count, over)
    verdict = _failure(seen, count)
    if verdict is None and count.complete:
        verdict = Verdict("Complete", "CompletionsReached", "Reached expected number of succeeded pods")
    if verdict is not None:
        return count.plan(delete=tuple(count.active), verdict=verdict)
    if terminating(job) or not seen.settled:
        return count.plan(requeue_after_s=_deadline_in(seen))
    if job.spec.suspend:
        return count.plan(delete=tuple(count.active))
    return _manage(seen, count)


class _Count:
    """A Job's pods, counted."""

    def __init__(self, seen: Observed) -> None:
        job = seen.job
        self.parallelism = 1 if job.spec.parallelism is None else job.spec.parallelism
        self.completions = job.spec.completions
        self.indexed = indexed(job)
        self.active = [pod for pod in seen.pods if active(pod)]
        self.leaving = [
            pod for pod in seen.pods if terminating(pod) and pod.status.phase not in ("Succeeded", "Failed")
        ]
        self.lost = [pod for pod in seen.pods if failed(pod) and (pod.metadata.uid or "") not in seen.forgiven]
        won = [pod for pod in seen.pods if succeeded(pod)]
        self.won_at = max([seen.past.won_at, *(ended_at(pod) for pod in won)])
        self.failed = max(seen.past.failed + len(self.lost), job.status.failed or 0)
        self.completed: frozenset[int] = frozenset()
        if self.indexed:
            numbers = {index for pod in won if (index := index_of(pod)) is not None}
            known = numbers | from_text(job.status.completed_indexes)
            self.completed = frozenset(i for i in known if i < (self.completions or 0))
            self.succeeded = len(self.completed)
        else:
            self.succeeded = max(seen.past.succeeded + len(won), job.status.succeeded or 0)

    @property
    def complete(self) -> bool:
        """Enough successes; a Job that does not say how many has them once one succeeded and none runs any more."""
        if self.completions is None:
            return self.succeeded > 0 and not self.active
        return self.succeeded >= self.completions

    @property
    def wanted(self) -> int:
        """How many pods should be at work."""
        if self.completions is None:
            return min(len(self.active), self.parallelism) if self.succeeded else self.parallelism
        return min(self.parallelism, self.completions - self.succeeded)

    def plan(
        self,
        *,
        create: tuple[int | None, ...] = (),
        delete: tuple[Pod, ...] = (),
        verdict: Verdict | None = None,
        requeue_after_s: float | None = None,
    ) -> JobPlan:
        return JobPlan(
            succeeded=self.succeeded,
            failed=self.failed,
            completed=self.completed,
            create=create,
            delete=delete,
            verdict=verdict,
            requeue_after_s=requeue_after_s,
        )


def _failure(seen: Observed, count: _Count) -> Verdict | None:
    """Too many failures, or too much time."""
    job = seen.job
    for condition in job.status.conditions or ():
        if condition.type == "FailureTarget" and condition.status == "True":
            return Verdict("Failed", condition.reason or "", condition.message or "")
    limit = DEFAULT_BACKOFF_LIMIT if job.spec.backoff_limit is None else job.spec.backoff_limit
    again = restarted(count.active) if job.spec.template.spec.restart_policy == "OnFailure" else 0
    if count.failed > limit or (again >= limit and again > 0):
        return Verdict("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    left_s = _deadline_in(seen)
    if left_s is not None and left_s <= 0:
        return Verdict("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
    return None


def _deadline_in(seen: Observed) -> float | None:
    limit, since = seen.job.spec.active_deadline_seconds, seconds_of(seen.job.status.start_time)
    if limit is None or since is None or seen.job.spec.suspend:
        return None
    return since + limit - seen.wall


def _manage(seen: Observed, count: _Count) -> JobPlan:
    """As many active pods as are wanted; new ones only after the wait that the last failure calls for."""
    surplus = _surplus(seen, count)
    waits = [s for s in (_deadline_in(seen),) if s is not None]
    missing = count.wanted - (len(count.active) - len(surplus))
    create: tuple[int | None, ...] = ()
    if missing > 0:
        wait_s = _backoff(seen, count)
        if wait_s > 0:
            waits.append(wait_s)
        else:
            create = _numbers(count, missing) if count.indexed else (None,) * missing
    return count.plan(create=create, delete=tuple(surplus), requeue_after_s=min(waits) if waits else None)


def _surplus(seen: Observed, count: _Count) -> list[Pod]:
    """Active pods beyond what is wanted, and those whose index is done, unknown or taken."""
    gone: list[Pod] = []
    staying: list[Pod] = []
    taken = set(count.completed)
    for pod in count.active:
        index = index_of(pod)
        if count.indexed and (index is None or index in taken or index >= (count.completions or 0)):
            gone.append(pod)
            continue
        if count.indexed and index is not None:
            taken.add(index)
        staying.append(pod)
    return gone + victims(staying, len(staying) - count.wanted, staying, seen.wall)


def _numbers(count: _Count, missing: int) -> tuple[int, ...]:
    """The lowest indexes that are neither done nor at work."""
    taken = count.completed | {index for pod in (*count.active, *count.leaving) if (index := index_of(pod)) is not None}
    free = (index for index in range(count.completions or 0) if index not in taken)
    return tuple(index for index, _ in zip(free, range(missing), strict=False))


def _backoff(seen: Observed, count: _Count) -> float:
    """Seconds until the next try: the first wait doubled for each failure since the last success."""
    failures = (*seen.past.lost_at, *(ended_at(pod) for pod in count.lost))
    ends = sorted(end for end in failures if end > count.won_at)
    if not ends or not seen.backoff_s:
        return 0.0
    wait_s = min(LONGEST_BACKOFF_S, seen.backoff_s * 2.0 ** (len(ends) - 1))
    return max(0.0, ends[-1] + wait_s - seen.wall)


def _after_the_end(seen: Observed, count: _Count, over: Condition) -> JobPlan:
    """What still runs goes; the Job itself goes when its time is up."""
    ttl, since = seen.job.spec.ttl_seconds_after_finished, seconds_of(over.last_transition_time)
    if ttl is None or since is None or terminating(seen.job):
        return count.plan(delete=tuple(count.active))
    left_s = since + ttl - seen.wall
    plan = count.plan(delete=tuple(count.active), requeue_after_s=left_s if left_s > 0 else None)
    if left_s > 0:
        return plan
    return JobPlan(succeeded=plan.succeeded, failed=plan.failed, completed=plan.completed, remove=True)


def told(job: Job, verdict: Verdict) -> Note:
    """The event of an end."""
    kind: EventType = "Normal" if verdict.type == "Complete" else "Warning"
    if verdict.type == "Complete":
        return note(job, "Completed", "Job completed", kind)
    return note(job, verdict.reason, verdict.message, kind)
