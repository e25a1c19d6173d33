"""How are a Job's pods made, and when did they end?"""

from typing import Any

import pytest

from mesh.api.batch import Job
from mesh.api.core import Pod
from mesh.controllers.job_pods import ended_at, failed, from_text, index_of, job_pod, restarted, succeeded, to_text

JAN_1 = 1_767_225_600.0


def pod(phase: str = "Running", *, metadata: dict[str, Any] | None = None, **status: Any) -> Pod:
    return Pod.model_validate({"metadata": metadata or {}, "status": {"phase": phase, **status}})


@pytest.mark.parametrize(
    ("indexes", "text"),
    [
        pytest.param([], "", id="none"),
        pytest.param([0], "0", id="one"),
        pytest.param([2, 0, 1, 5], "0-2,5", id="runs"),
        pytest.param([1, 3, 4, 4], "1,3-4", id="twice"),
        pytest.param(range(1000), "0-999", id="many"),
    ],
)
def test_indexes_as_text(indexes: Any, text: str) -> None:
    assert to_text(indexes) == text
    assert from_text(text) == set(indexes)


@pytest.mark.parametrize("text", [None, "", "x", "1-", "-3", "a-b"])
def test_what_cannot_be_read_is_left_out(text: str | None) -> None:
    assert from_text(text) <= {1}


def test_an_indexed_pod_knows_its_number() -> None:
    spec = {"containers": [{"name": "c", "env": [{"name": "A", "value": "1"}]}], "initContainers": [{"name": "i"}]}
    job = Job.model_validate({"metadata": {"name": "sum", "uid": "j"}, "spec": {"template": {"spec": spec}}})
    made = job_pod(job, "sum-3-xyz", "sum-3-", 3)
    assert index_of(made) == 3
    assert made.spec.hostname == "sum-3"
    for container in (*made.spec.containers, *(made.spec.init_containers or ())):
        assert (container.env or [])[-1].value_from == {
            "fieldRef": {"fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']"}
        }
    assert len(job.spec.template.spec.containers[0].env or ()) == 1, "the template was changed"
    plain = job_pod(job, "sum-xyz", "sum-", None)
    assert index_of(plain) is None
    assert plain.spec is job.spec.template.spec


@pytest.mark.parametrize(
    ("which", "is_failed", "has_succeeded"),
    [
        pytest.param(pod("Failed"), True, False, id="failed"),
        pytest.param(pod("Succeeded"), False, True, id="succeeded"),
        pytest.param(pod(), False, False, id="at-work"),
        pytest.param(pod(metadata={"deletionTimestamp": "then"}), True, False, id="told-to-go"),
        pytest.param(pod("Succeeded", metadata={"deletionTimestamp": "then"}), False, True, id="done-and-leaving"),
    ],
)
def test_how_it_ended(which: Pod, is_failed: bool, has_succeeded: bool) -> None:
    assert (failed(which), succeeded(which)) == (is_failed, has_succeeded)


def _ended(*stamps: str) -> list[dict[str, Any]]:
    return [{"name": "c", "state": {"terminated": {"exitCode": 1, "finishedAt": stamp}}} for stamp in stamps]


@pytest.mark.parametrize(
    ("which", "at"),
    [
        pytest.param(
            pod("Failed", containerStatuses=_ended("2026-01-01T00:00:05Z", "2026-01-01T00:00:09Z")), 9, id="its-last"
        ),
        pytest.param(
            pod(metadata={"deletionTimestamp": "2026-01-01T00:00:40Z", "deletionGracePeriodSeconds": 30}),
            10,
            id="told-to-go",
        ),
        pytest.param(
            pod("Failed", conditions=[{"type": "Ready", "lastTransitionTime": "2026-01-01T00:00:03Z"}]), 3, id="unready"
        ),
        pytest.param(pod("Failed", metadata={"creationTimestamp": "2026-01-01T00:00:01Z"}), 1, id="its-making"),
        pytest.param(pod("Failed"), -JAN_1, id="unknown"),
    ],
)
def test_when_it_ended(which: Pod, at: float) -> None:
    assert ended_at(which) == JAN_1 + at


def test_restarts_of_all_containers_count() -> None:
    status = [{"name": "c", "restartCount": 2}]
    assert restarted([pod(containerStatuses=status, initContainerStatuses=status), pod()]) == 4
