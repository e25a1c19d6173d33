"""How many pods does a Job want next, and when is it over?"""

from typing import Any

import pytest

from mesh.api.batch import Job
from mesh.api.core import Pod
from mesh.controllers.job_plan import JobPlan, Observed, Past, plan_job

WALL = 1_767_225_600.0


def job(status: dict[str, Any] | None = None, **spec: Any) -> Job:
    base = {"parallelism": 2, "completions": 3, "template": {"spec": {"restartPolicy": "Never"}}}
    meta = {"name": "sum", "uid": "j", "resourceVersion": "5"}
    return Job.model_validate({"metadata": meta, "spec": {**base, **spec}, "status": status or {}})


def pod(name: str, phase: str = "Running", *, at: int = 0, index: int | None = None, going: bool = False) -> Pod:
    meta: dict[str, Any] = {"name": name, "uid": name}
    if index is not None:
        meta["annotations"] = {"batch.kubernetes.io/job-completion-index": str(index)}
    if going:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    ended = {"terminated": {"finishedAt": f"2026-01-01T00:00:{at:02}Z"}}
    status: dict[str, Any] = {"phase": phase}
    if phase != "Running":
        status["containerStatuses"] = [{"name": "c", "state": ended}]
    return Pod.model_validate({"metadata": meta, "status": status})


def plan(owner: Job, *pods: Pod, wall_s: float = 59.0, **seen: Any) -> JobPlan:
    return plan_job(Observed(job=owner, pods=pods, wall=WALL + wall_s, **seen))


def steps(made: JobPlan) -> list[str]:
    return [f"+{'' if index is None else index}" for index in made.create] + [f"-{gone.name}" for gone in made.delete]


A, B = pod("a"), pod("b")
WON, LOST = pod("w", "Succeeded"), pod("l", "Failed")
INDEXED = {"completionMode": "Indexed"}
QUEUE = {"completions": None, "parallelism": 2}
ONLY_TWO = {"parallelism": 1}
START = {"startTime": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("owner", "pods", "expected"),
    [
        pytest.param(job(), [], ["+", "+"], id="the-first"),
        pytest.param(job(), [A], ["+"], id="one-more"),
        pytest.param(job(), [A, B], [], id="enough"),
        pytest.param(job(), [A, pod("v", "Succeeded"), WON], [], id="the-last-one"),
        pytest.param(job(parallelism=1), [A, B], ["-a"], id="fewer-at-once"),
        pytest.param(job(parallelism=0), [A], ["-a"], id="a-pause"),
        pytest.param(job(**QUEUE), [], ["+", "+"], id="queue"),
        pytest.param(job(**QUEUE), [A, WON], [], id="queue-that-ends"),
        pytest.param(job(suspend=True), [A], ["-a"], id="suspended"),
        pytest.param(job(**INDEXED), [], ["+0", "+1"], id="indexes"),
        pytest.param(job(**INDEXED), [pod("a", index=1)], ["+0"], id="a-free-index"),
        pytest.param(job(**INDEXED), [pod("a", "Succeeded", index=0)], ["+1", "+2"], id="the-next-indexes"),
        pytest.param(job({"completedIndexes": "0-1"}, **INDEXED), [], ["+2"], id="indexes-of-pods-that-are-gone"),
        pytest.param(job(**INDEXED), [pod("a", index=1), pod("b", index=1)], ["+0", "-b"], id="an-index-twice"),
        pytest.param(job(**INDEXED), [pod("a", index=7)], ["+0", "+1", "-a"], id="an-index-too-high"),
        pytest.param(job(**INDEXED), [pod("a", index=0, going=True)], ["+1", "+2"], id="an-index-that-is-leaving"),
    ],
)
def test_steps(owner: Job, pods: list[Pod], expected: list[str]) -> None:
    assert steps(plan(owner, *pods)) == expected


def test_nothing_is_counted_twice_while_the_cache_is_behind() -> None:
    assert steps(plan(job(), settled=False)) == []


@pytest.mark.parametrize(
    ("failures", "wall_s", "wait_s"),
    [
        pytest.param([10], 12, 8, id="ten-after-the-first"),
        pytest.param([10], 20, None, id="over"),
        pytest.param([5, 10], 12, 18, id="twenty-after-the-second"),
        pytest.param([1, 5, 10], 12, 38, id="forty-after-the-third"),
        pytest.param([1, 2, 3, 4, 5, 6, 7, 10], 12, 358, id="six-minutes-at-most"),
    ],
)
def test_later_and_later(failures: list[int], wall_s: float, wait_s: float | None) -> None:
    pods = [pod(f"l{at}", "Failed", at=at) for at in failures]
    made = plan(job(backoffLimit=99), *pods, wall_s=wall_s)
    assert made.requeue_after_s == wait_s
    assert bool(made.create) is (wait_s is None)


def test_a_success_clears_the_wait() -> None:
    pods = [pod("l", "Failed", at=10), pod("w", "Succeeded", at=11)]
    assert len(plan(job(), *pods, wall_s=12).create) == 2
    past = Past(succeeded=0, failed=1, lost_at=(WALL + 10,))
    assert plan(job(), past=past, wall_s=12).requeue_after_s == 8


@pytest.mark.parametrize(
    ("owner", "pods", "past", "verdict"),
    [
        pytest.param(job(), [pod(n, "Succeeded") for n in "abc"], Past(), "CompletionsReached", id="complete"),
        pytest.param(job(), [WON], Past(succeeded=2), "CompletionsReached", id="complete-with-those-that-are-gone"),
        pytest.param(job(), [WON], Past(), None, id="not-yet"),
        pytest.param(job(completions=0), [], Past(), "CompletionsReached", id="nothing-to-do"),
        pytest.param(job(**QUEUE), [WON], Past(), "CompletionsReached", id="queue"),
        pytest.param(job(**QUEUE), [WON, A], Past(), None, id="queue-at-work"),
        pytest.param(job(backoffLimit=0), [LOST], Past(), "BackoffLimitExceeded", id="no-second-try"),
        pytest.param(job(backoffLimit=1), [LOST], Past(), None, id="a-second-try"),
        pytest.param(job(backoffLimit=1), [LOST], Past(failed=1), "BackoffLimitExceeded", id="no-third-try"),
        pytest.param(job(backoffLimit=1), [pod("t", going=True), LOST], Past(), "BackoffLimitExceeded", id="taken-away"),
        pytest.param(job(START, activeDeadlineSeconds=59), [A], Past(), "DeadlineExceeded", id="too-late"),
        pytest.param(job(START, activeDeadlineSeconds=60), [A, B], Past(), None, id="in-time"),
        pytest.param(job(START, activeDeadlineSeconds=1, suspend=True), [], Past(), None, id="suspended"),
    ],
)  # fmt: skip
def test_verdicts(owner: Job, pods: list[Pod], past: Past, verdict: str | None) -> None:
    made = plan(owner, *pods, past=past)
    assert (made.verdict.reason if made.verdict else None) == verdict
    if verdict:
        assert not made.create
        assert [gone.name for gone in made.delete] == [p.name for p in pods if p.status.phase == "Running" and p is A]


def test_what_a_suspension_stopped_is_forgiven() -> None:
    leaving = pod("t", going=True)
    assert plan(job(), leaving, forgiven={"t"}).failed == 0
    assert plan(job(), leaving).failed == 1


def _over(kind: str, at: str, **spec: Any) -> Job:
    return job({"conditions": [{"type": kind, "status": "True", "lastTransitionTime": at}]}, **spec)


@pytest.mark.parametrize(
    ("owner", "removed", "again"),
    [
        pytest.param(_over("Complete", "2026-01-01T00:00:00Z"), False, None, id="stays"),
        pytest.param(_over("Complete", "2026-01-01T00:00:50Z", ttlSecondsAfterFinished=10), False, 1, id="soon"),
        pytest.param(_over("Failed", "2026-01-01T00:00:00Z", ttlSecondsAfterFinished=10), True, None, id="now"),
        pytest.param(_over("Failed", "2026-01-01T00:00:59Z", ttlSecondsAfterFinished=0), True, None, id="at-once"),
    ],
)
def test_after_the_end(owner: Job, removed: bool, again: float | None) -> None:
    made = plan(owner)
    assert (made.remove, made.requeue_after_s, made.create) == (removed, again, ())
