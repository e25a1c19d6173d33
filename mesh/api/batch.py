"""What is a Job?"""

from pydantic import Field

from mesh.api.core import PodTemplateSpec
from mesh.api.meta import Condition, LabelSelector, Model, Object, Raw


class JobSpec(Model):
    """pod_failure_policy and success_policy stay plain JSON: they are stored only."""

    parallelism: int | None = None
    completions: int | None = None
    backoff_limit: int | None = None
    backoff_limit_per_index: int | None = None
    max_failed_indexes: int | None = None
    active_deadline_seconds: int | None = None
    ttl_seconds_after_finished: int | None = None
    completion_mode: str | None = None
    suspend: bool | None = None
    selector: LabelSelector | None = None
    manual_selector: bool | None = None
    template: PodTemplateSpec = Field(default_factory=PodTemplateSpec)
    pod_replacement_policy: str | None = None
    pod_failure_policy: Raw | None = None
    success_policy: Raw | None = None
    managed_by: str | None = None


class UncountedPods(Model):
    """UIDs of pods that have ended and are in no count yet."""

    succeeded: list[str] | None = None
    failed: list[str] | None = None


class JobStatus(Model):
    active: int | None = None
    ready: int | None = None
    terminating: int | None = None
    succeeded: int | None = None
    failed: int | None = None
    start_time: str | None = None
    completion_time: str | None = None
    completed_indexes: str | None = None
    failed_indexes: str | None = None
    uncounted_terminated_pods: UncountedPods | None = None
    conditions: list[Condition] | None = None

    def is_true(self, type_: str) -> bool:
        """True when the condition of that type holds: Complete, Failed, Suspended."""
        return any(one.type == type_ and one.status == "True" for one in self.conditions or ())


class Job(Object):
    spec: JobSpec = Field(default_factory=JobSpec)
    status: JobStatus = Field(default_factory=JobStatus)
