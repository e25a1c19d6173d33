"""What is a Job's status?

Source: Kubernetes' job controller. A failing Job is marked with FailureTarget at once and with Failed when its last pod
is gone; only then may somebody else take over its work.
"""

from collections.abc import Sequence
from typing import Any

from mesh.api.batch import Job
from mesh.api.core import Pod
from mesh.api.meta import Condition
from mesh.controllers.actions import Note, Patch, note, status_patch
from mesh.controllers.facts import active, condition, dump_conditions, fresh_condition, terminating, with_condition
from mesh.controllers.job_plan import JobPlan, done_condition, told
from mesh.controllers.job_pods import indexed, to_text
from mesh.runtime.clock import rfc3339


def plan_status(job: Job, pods: Sequence[Pod], plan: JobPlan, wall: float) -> tuple[Patch | None, list[Note]]:
    """The status to write, if it differs, for this very version of the Job; and what to say once it is written."""
    working = [pod for pod in pods if active(pod)]
    leaving = [pod for pod in pods if terminating(pod) and pod.status.phase not in ("Succeeded", "Failed")]
    conditions, notes = _conditions(job, plan, bool(working or leaving), wall)
    over = next((c for c in conditions if c.type in ("Complete", "Failed") and c.status == "True"), None)
    complete = over is not None and over.type == "Complete"
    start = job.status.start_time
    if job.spec.suspend and over is None:
        start = None
    elif start is None:
        start = rfc3339(wall)
    status: dict[str, Any] = {
        "active": (0 if over is not None else len(working)) or None,
        "ready": sum(pod.ready for pod in working),
        "terminating": len(leaving),
        "succeeded": plan.succeeded or None,
        "failed": plan.failed or None,
        "startTime": start,
        "completionTime": (job.status.completion_time or rfc3339(wall)) if complete else None,
        "completedIndexes": (to_text(plan.completed) or None) if indexed(job) else None,
        "uncountedTerminatedPods": {},
        "conditions": dump_conditions(conditions),
    }
    patch = status_patch(job, status)
    if patch is None:
        return None, []
    patch.patch["metadata"] = {"resourceVersion": job.metadata.resource_version}
    return patch, notes


def _conditions(job: Job, plan: JobPlan, busy: bool, wall: float) -> tuple[list[Condition], list[Note]]:
    have = list(job.status.conditions or ())
    if done_condition(job) is not None:
        return have, []
    verdict, notes = plan.verdict, list[Note]()
    if verdict is not None:
        target = "SuccessCriteriaMet" if verdict.type == "Complete" else "FailureTarget"
        if condition(have, target) is None:
            have = with_condition(have, fresh_condition(target, "True", verdict.reason, verdict.message, wall))
        if not busy:
            have = with_condition(have, fresh_condition(verdict.type, "True", verdict.reason, verdict.message, wall))
            notes.append(told(job, verdict))
        return have, notes
    suspended = condition(have, "Suspended")
    was = suspended is not None and suspended.status == "True"
    if bool(job.spec.suspend) is not was:
        state, reason, text = (
            ("True", "JobSuspended", "Job suspended") if not was else ("False", "JobResumed", "Job resumed")
        )
        have = with_condition(have, fresh_condition("Suspended", state, reason, text, wall))
        notes.append(note(job, reason.removeprefix("Job"), text))
    return have, notes
