"""Of what is a Job's pod made, and how did it end?

Source: Kubernetes' job controller and its indexed completions.
"""

from collections.abc import Iterable

from mesh.api.batch import Job
from mesh.api.core import EnvVar, Pod
from mesh.controllers.facts import condition, finished, seconds_of, terminating
from mesh.controllers.templates import pod_from

INDEX = "batch.kubernetes.io/job-completion-index"
INDEX_VARIABLE = "JOB_COMPLETION_INDEX"
CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
JOB_NAME = "batch.kubernetes.io/job-name"
OLD_LABELS = {CONTROLLER_UID: "controller-uid", JOB_NAME: "job-name"}


def indexed(job: Job) -> bool:
    """Has each of its completions a number?"""
    return job.spec.completion_mode == "Indexed"


def job_pod(job: Job, name: str, base: str, index: int | None) -> Pod:
    """A pod of the Job. base: its name without the random end.  index: its number, for an Indexed Job."""
    pod = pod_from(job.spec.template, job, name, base)
    if index is None:
        return pod
    pod.metadata.labels = {**pod.metadata.label_map, INDEX: str(index)}
    pod.metadata.annotations = {**pod.metadata.annotation_map, INDEX: str(index)}
    told = EnvVar(name=INDEX_VARIABLE, value_from={"fieldRef": {"fieldPath": f"metadata.annotations['{INDEX}']"}})
    spec = pod.spec
    containers = [c.model_copy(update={"env": [*(c.env or ()), told]}) for c in spec.containers]
    before = [c.model_copy(update={"env": [*(c.env or ()), told]}) for c in spec.init_containers or ()]
    pod.spec = spec.model_copy(
        update={"containers": containers, "init_containers": before or None, "hostname": f"{job.name}-{index}"}
    )
    return pod


def index_of(pod: Pod) -> int | None:
    """Its number; None when it has none that can be read."""
    text = pod.metadata.annotation_map.get(INDEX, "")
    return int(text) if text.isdigit() else None


def succeeded(pod: Pod) -> bool:
    """It did its work."""
    return pod.status.phase == "Succeeded"


def failed(pod: Pod) -> bool:
    """It will never do its work: it ended badly, or was told to go."""
    return pod.status.phase == "Failed" or (terminating(pod) and not finished(pod))


def restarted(pods: Iterable[Pod]) -> int:
    """How often containers of pods that still try were started again."""
    return sum(
        status.restart_count
        for pod in pods
        for status in (*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ()))
    )


def ended_at(pod: Pod) -> float:
    """When it ended, in unix seconds; as well as it can be told."""
    ends = [
        seconds
        for status in pod.status.container_statuses or ()
        if (seconds := seconds_of((status.state.terminated or {}).get("finishedAt"))) is not None
    ]
    if ends:
        return max(ends)
    if (marked := seconds_of(pod.metadata.deletion_timestamp)) is not None:
        # The stamp says when its grace ends.
        return marked - (pod.metadata.deletion_grace_period_seconds or 0)
    ready = condition(pod.status.conditions, "Ready")
    stamps = (ready.last_transition_time if ready is not None else None, pod.metadata.creation_timestamp)
    return next((seconds for stamp in stamps if (seconds := seconds_of(stamp)) is not None), 0.0)


def to_text(indexes: Iterable[int]) -> str:
    """`0-2,5` for 0, 1, 2 and 5."""
    runs: list[list[int]] = []
    for index in sorted(set(indexes)):
        if runs and runs[-1][-1] == index - 1:
            runs[-1] = [runs[-1][0], index]
        else:
            runs.append([index])
    return ",".join("-".join(str(end) for end in run) for run in runs)


def from_text(text: str | None) -> set[int]:
    """The inverse; what cannot be read is left out."""
    found: set[int] = set()
    for part in (text or "").split(","):
        first, _, last = part.partition("-")
        if first.isdigit() and (last or first).isdigit():
            found.update(range(int(first), int(last or first) + 1))
    return found
