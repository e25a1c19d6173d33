"""Do the pods of a Job run to their end, and does the Job see it?"""

from typing import Any

import pytest

from mesh.api.batch import Job
from mesh.api.core import Pod
from mesh.api.errors import NotFound
from mesh.controllers.settings import Settings
from mesh.runtime.clock import rfc3339
from tests.unit.controllers.world import World


@pytest.fixture
def world() -> Any:
    made = World(Settings(node_grace_s=1e6, job_backoff_s=10.0))
    yield made
    made.close()


def job(**spec: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "c", "image": "work"}], "restartPolicy": "Never"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "sum", "namespace": "default"},
        "spec": {"template": {"spec": pod}, **spec},
    }


async def working(world: World) -> list[Pod]:
    return [p for p in await world.all(Pod) if p.status.phase == "Running" and not p.metadata.deletion_timestamp]


async def end(world: World, phase: str, count: int = 1) -> None:
    """So many working pods end."""
    for pod in (await working(world))[:count]:
        await end_one(world, pod, phase)
    await world.settle(seconds=0.5)


async def end_one(world: World, pod: Pod, phase: str) -> None:
    code = 0 if phase == "Succeeded" else 1
    ended = {"terminated": {"exitCode": code, "finishedAt": rfc3339(world.clock.wall())}}
    status = {
        "phase": phase,
        "conditions": [],
        "containerStatuses": [{"name": "c", "state": ended}],
    }
    await world.client.patch(Pod, pod.name, {"status": status}, "default", "status")


async def conditions(world: World) -> dict[str, str]:
    """True ones: type -> reason."""
    now = (await world.get(Job, "sum")).status
    return {c.type: c.reason for c in now.conditions or () if c.status == "True"}


async def counts(world: World) -> tuple[int | None, int | None, int | None]:
    now = (await world.get(Job, "sum")).status
    return now.active, now.succeeded, now.failed


DONE = {"SuccessCriteriaMet": "CompletionsReached", "Complete": "CompletionsReached"}


async def test_a_job_runs_once(world: World) -> None:
    await world.apply(job())
    await world.settle()
    assert await counts(world) == (1, None, None)
    await end(world, "Succeeded")
    assert await counts(world) == (None, 1, None)
    assert await conditions(world) == DONE
    now = (await world.get(Job, "sum")).status
    assert now.start_time is not None
    assert now.completion_time is not None
    assert [(e.reason, e.message) for e in await world.events() if e.reason == "Completed"] == [
        ("Completed", "Job completed")
    ]


async def test_so_many_at_a_time(world: World) -> None:
    await world.apply(job(completions=5, parallelism=2))
    await world.settle()
    assert len(await working(world)) == 2
    await end(world, "Succeeded", 2)
    assert await counts(world) == (2, 2, None)
    await end(world, "Succeeded", 2)
    assert await counts(world) == (1, 4, None)
    await world.patch(Job, "sum", {"spec": {"parallelism": 5}})
    await world.settle(seconds=0.5)
    assert len(await working(world)) == 1, "one completion is missing, so one pod is enough"
    await end(world, "Succeeded")
    assert await conditions(world) == DONE


async def test_a_queue_of_unknown_length_is_done_when_its_workers_say_so(world: World) -> None:
    await world.apply(job(parallelism=3))
    await world.settle()
    await end(world, "Succeeded")
    assert await counts(world) == (2, 1, None)
    await end(world, "Succeeded", 2)
    assert await counts(world) == (None, 3, None)
    assert await conditions(world) == DONE


async def test_a_failure_is_tried_again_later_and_later(world: World) -> None:
    await world.apply(job(backoffLimit=2))
    await world.settle()
    waits = []
    for _ in range(2):
        await end(world, "Failed")
        assert await working(world) == []
        before = world.clock.at
        await world.settle(seconds=30)
        assert len(await working(world)) == 1
        waits.append(round(world.clock.at - before))
    assert waits == [pytest.approx(10, abs=1), pytest.approx(20, abs=1)]
    await end(world, "Failed")
    await world.settle()
    assert await counts(world) == (None, None, 3)
    assert (await conditions(world))["Failed"] == "BackoffLimitExceeded"
    assert "Job has reached the specified backoff limit" in {event.message for event in await world.events()}


async def test_restarts_in_place_count(world: World) -> None:
    made = job(backoffLimit=2)
    made["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
    await world.apply(made)
    await world.settle()
    (pod,) = await working(world)
    status = {"containerStatuses": [{"name": "c", "restartCount": 2}]}
    await world.client.patch(Pod, pod.name, {"status": status}, "default", "status")
    await world.settle()
    assert (await conditions(world))["Failed"] == "BackoffLimitExceeded"
    assert await world.all(Pod) == []


async def test_time_runs_out(world: World) -> None:
    await world.apply(job(activeDeadlineSeconds=30))
    await world.settle()
    assert len(await working(world)) == 1
    await world.settle(seconds=31)
    assert (await conditions(world))["Failed"] == "DeadlineExceeded"
    assert await working(world) == []


async def test_each_index_once(world: World) -> None:
    await world.apply(job(completions=4, parallelism=3, completionMode="Indexed"))
    await world.settle()
    pods = {pod.metadata.annotations["batch.kubernetes.io/job-completion-index"]: pod for pod in await working(world)}
    assert sorted(pods) == ["0", "1", "2"]
    first = pods["0"]
    assert first.name.startswith("sum-0-")
    assert first.spec.hostname == "sum-0"
    assert first.metadata.labels["batch.kubernetes.io/job-completion-index"] == "0"
    assert first.spec.containers[0].env[-1].name == "JOB_COMPLETION_INDEX"
    for index in ("0", "2"):
        await end_one(world, pods[index], "Succeeded")
    await world.settle(seconds=0.5)
    assert (await world.get(Job, "sum")).status.completed_indexes == "0,2"
    await end(world, "Succeeded", 2)
    now = (await world.get(Job, "sum")).status
    assert (now.completed_indexes, now.succeeded) == ("0-3", 4)
    assert await conditions(world) == DONE


async def test_a_suspended_job_waits(world: World) -> None:
    await world.apply(job(suspend=True))
    await world.settle()
    assert await world.all(Pod) == []
    assert (await world.get(Job, "sum")).status.start_time is None
    await world.patch(Job, "sum", {"spec": {"suspend": False}})
    await world.settle()
    assert len(await working(world)) == 1
    await world.patch(Job, "sum", {"spec": {"suspend": True}})
    await world.settle()
    assert await world.all(Pod) == []
    assert await counts(world) == (None, None, None), "what a suspension stops is no failure"
    reasons = [event.reason for event in await world.events() if event.reason in ("Suspended", "Resumed")]
    assert sorted(reasons) == ["Resumed", "Suspended"]


async def test_deleted_pods_stay_in_the_count(world: World) -> None:
    await world.apply(job(completions=2))
    await world.settle()
    await end(world, "Succeeded")
    for pod in await world.all(Pod):
        if pod.status.phase == "Succeeded":
            await world.client.delete(Pod, pod.name, "default", grace_period_s=0)
    await world.settle(seconds=0.5)
    assert await counts(world) == (1, 1, None)
    world.restart()
    await world.settle(seconds=0.5)
    await end(world, "Succeeded")
    assert await counts(world) == (None, 2, None)
    assert await conditions(world) == DONE


async def test_a_pod_that_is_taken_away_is_a_failure(world: World) -> None:
    await world.apply(job())
    await world.settle()
    (pod,) = await working(world)
    await world.client.delete(Pod, pod.name, "default")
    await world.settle()
    assert await counts(world) == (None, None, 1)
    await world.settle(seconds=12)
    assert await counts(world) == (1, None, 1)


async def test_a_finished_job_goes_when_its_time_is_up(world: World) -> None:
    await world.apply(job(ttlSecondsAfterFinished=60))
    await world.settle()
    await end(world, "Succeeded")
    await world.settle(seconds=50)
    assert await conditions(world) == DONE
    await world.settle(seconds=61)
    with pytest.raises(NotFound):
        await world.get(Job, "sum")
    assert await world.all(Pod) == []


async def test_running_again_changes_nothing(world: World) -> None:
    await world.apply(job(completions=2, parallelism=2))
    await world.settle()
    await end(world, "Succeeded")
    version = world.store.version
    world.restart()
    await world.settle(seconds=0.5)
    assert world.store.version == version
