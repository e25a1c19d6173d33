"""What does a Job's status say, and when?"""

from typing import Any

from mesh.api.batch import Job
from mesh.api.core import Pod
from mesh.controllers.job_plan import Observed, plan_job
from mesh.controllers.job_status import plan_status
from tests.unit.controllers.test_job_plan import LOST, WALL, WON, A, job


def _status(owner: Job, *pods: Pod) -> tuple[dict[str, Any], list[str]]:
    plan = plan_job(Observed(job=owner, pods=pods, wall=WALL + 59))
    patch, notes = plan_status(owner, pods, plan, WALL + 59)
    assert patch is not None
    assert patch.patch["metadata"] == {"resourceVersion": "5"}
    return patch.patch["status"], [told.reason for told in notes]


def test_a_failing_job_is_failed_once_its_pods_are_gone() -> None:
    status, told = _status(job(backoffLimit=0), LOST, A)
    assert [c["type"] for c in status["conditions"]] == ["FailureTarget"]
    assert (status["active"], status["failed"], told) == (1, 1, [])
    marked = job(status, backoffLimit=0)
    status, told = _status(marked, LOST)
    assert [c["type"] for c in status["conditions"]] == ["FailureTarget", "Failed"]
    assert told == ["BackoffLimitExceeded"]


def test_a_complete_job_says_when() -> None:
    status, told = _status(job(completions=1), WON)
    assert (status["succeeded"], status["completionTime"], told) == (1, "2026-01-01T00:00:59Z", ["Completed"])


def test_a_suspended_job_has_not_begun() -> None:
    status, told = _status(job(suspend=True))
    assert "startTime" not in status
    assert [(c["type"], c["status"]) for c in status["conditions"]] == [("Suspended", "True")]
    assert told == ["Suspended"]
    _, told = _status(job(status))
    assert told == ["Resumed"]


def test_a_status_that_says_it_already_is_not_written_again() -> None:
    status, _ = _status(job(), A)
    owner = job(status)
    plan = plan_job(Observed(job=owner, pods=[A], wall=WALL + 60))
    assert plan_status(owner, [A], plan, WALL + 60) == (None, [])


def test_an_index_that_is_done_is_told() -> None:
    status, _ = _status(job({"completedIndexes": "1"}, completionMode="Indexed"), A)
    assert status["succeeded"] == 1
    assert "completedIndexes" not in status, "it said so before"
