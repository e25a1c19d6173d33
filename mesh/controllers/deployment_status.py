"""What does a Deployment say about itself, and when must it be looked at again?"""

import enum
from collections.abc import Sequence
from typing import Any

from mesh.api.meta import Condition
from mesh.api.workloads import Deployment, DeploymentStatus, ReplicaSet
from mesh.controllers.facts import condition, dump_conditions, fresh_condition, seconds_of, terminating, with_condition
from mesh.controllers.revisions import NO_LIMIT
from mesh.controllers.rollout import Bounds

COMPLETE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"
RESUMED = "DeploymentResumed"


class Phase(enum.Enum):
    """STILL: paused, being resized, or going away; progress is not judged. ROLLING: it is."""

    STILL = enum.auto()
    ROLLING = enum.auto()


def next_status(
    deployment: Deployment,
    new: ReplicaSet | None,
    old: Sequence[ReplicaSet],
    *,
    limit: Bounds,
    phase: Phase,
    created: str | None,
    wall: float,
) -> tuple[dict[str, Any], float | None]:
    """The status as JSON, and the seconds until its progress deadline (None: nothing to wait for).

    created: name of the ReplicaSet that this very step creates.
    """
    status = _counts(deployment, new, old)
    conditions: list[Condition] = list(deployment.status.conditions or ())
    conditions = with_condition_kept(conditions, _availability(status, limit, wall))
    conditions = _progress(deployment, new, conditions, status, phase=phase, created=created, wall=wall)
    conditions = _failure(conditions, new, old)
    status.conditions = conditions
    dumped = status.model_dump(by_alias=True, exclude_none=True)
    dumped["conditions"] = dump_conditions(conditions)
    return dumped, _deadline_in(deployment, status, wall) if phase is Phase.ROLLING else None


def _counts(deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> DeploymentStatus:
    sets = [*old, *([new] if new else [])]
    available = sum(rs.status.available_replicas or 0 for rs in sets)
    wanted = sum(1 if rs.spec.replicas is None else rs.spec.replicas for rs in sets)
    return DeploymentStatus(
        observed_generation=deployment.metadata.generation,
        replicas=sum(rs.status.replicas for rs in sets) or None,
        updated_replicas=(new.status.replicas if new else 0) or None,
        ready_replicas=sum(rs.status.ready_replicas or 0 for rs in sets) or None,
        available_replicas=available or None,
        unavailable_replicas=max(0, wanted - available) or None,
        collision_count=deployment.status.collision_count,
    )


def with_condition_kept(conditions: Sequence[Condition], new: Condition) -> list[Condition]:
    """Set a condition only if its status or reason differ: its times move with what it says."""
    old = condition(conditions, new.type)
    if old is not None and (old.status, old.reason) == (new.status, new.reason):
        return list(conditions)
    return with_condition(conditions, new)


def _availability(status: DeploymentStatus, limit: Bounds, wall: float) -> Condition:
    if (status.available_replicas or 0) >= limit.least:
        message = "Deployment has minimum availability."
        return fresh_condition("Available", "True", "MinimumReplicasAvailable", message, wall)
    message = "Deployment does not have minimum availability."
    return fresh_condition("Available", "False", "MinimumReplicasUnavailable", message, wall)


def _deadline(deployment: Deployment) -> int | None:
    """Seconds that a rollout may stand still; None when that is never judged."""
    limit = deployment.spec.progress_deadline_seconds
    limit = 600 if limit is None else limit
    return None if limit >= NO_LIMIT else limit


def _progress(
    deployment: Deployment,
    new: ReplicaSet | None,
    conditions: list[Condition],
    status: DeploymentStatus,
    *,
    phase: Phase,
    created: str | None,
    wall: float,
) -> list[Condition]:
    deadline = _deadline(deployment)
    if deadline is None:
        return [c for c in conditions if c.type != "Progressing"]
    now = condition(conditions, "Progressing")
    if deployment.spec.paused or (now is not None and now.reason == PAUSED):
        return _pause(deployment, conditions, now, wall)
    if created is not None:
        message = f'Created new replica set "{created}"'
        return with_condition_kept(
            conditions, fresh_condition("Progressing", "True", "NewReplicaSetCreated", message, wall)
        )
    if now is None and new is not None:
        message = f'Found new replica set "{new.name}"'
        found = fresh_condition("Progressing", "True", "FoundNewReplicaSet", message, wall)
        conditions, now = [*conditions, found], found
    if phase is Phase.STILL or (now is not None and now.reason == COMPLETE and _settled(status)):
        return conditions
    return _judge(deployment, new, conditions, status, deadline=deadline, wall=wall)


def _pause(deployment: Deployment, conditions: list[Condition], now: Condition | None, wall: float) -> list[Condition]:
    """Pausing stops the judgement; resuming starts its clock again. A rollout that timed out stays so."""
    if deployment.spec.paused:
        if now is not None and now.reason in (PAUSED, TIMED_OUT):
            return conditions
        paused = fresh_condition("Progressing", "Unknown", PAUSED, "Deployment is paused", wall)
        return with_condition(conditions, paused)
    return with_condition(conditions, fresh_condition("Progressing", "Unknown", RESUMED, "Deployment is resumed", wall))


def _settled(status: DeploymentStatus) -> bool:
    return (status.replicas or 0) == (status.updated_replicas or 0)


def _judge(
    deployment: Deployment,
    new: ReplicaSet | None,
    conditions: list[Condition],
    status: DeploymentStatus,
    *,
    deadline: int,
    wall: float,
) -> list[Condition]:
    """Complete, moving, or standing still for too long?"""
    what = f'ReplicaSet "{new.name}"' if new else f'Deployment "{deployment.name}"'
    if complete(deployment, status):
        done = fresh_condition("Progressing", "True", COMPLETE, f"{what} has successfully progressed.", wall)
        return with_condition_kept(conditions, done)
    if _moved(deployment.status, status):
        moving = fresh_condition("Progressing", "True", "ReplicaSetUpdated", f"{what} is progressing.", wall)
        return with_condition(conditions, moving)
    now = condition(conditions, "Progressing")
    since = seconds_of(now.last_update_time) if now is not None else None
    if now is None or now.reason in (COMPLETE, TIMED_OUT) or since is None or since + deadline > wall:
        return conditions
    late = fresh_condition("Progressing", "False", TIMED_OUT, f"{what} has timed out progressing.", wall)
    return with_condition_kept(conditions, late)


def complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    """All pods are of the new template and available, and no other is left."""
    wanted = 1 if deployment.spec.replicas is None else deployment.spec.replicas
    counts = (status.updated_replicas, status.replicas, status.available_replicas)
    return all((count or 0) == wanted for count in counts)


def _moved(before: DeploymentStatus, after: DeploymentStatus) -> bool:
    def old_pods(status: DeploymentStatus) -> int:
        return (status.replicas or 0) - (status.updated_replicas or 0)

    return (
        (after.updated_replicas or 0) > (before.updated_replicas or 0)
        or old_pods(after) < old_pods(before)
        or (after.ready_replicas or 0) > (before.ready_replicas or 0)
        or (after.available_replicas or 0) > (before.available_replicas or 0)
    )


def _failure(conditions: list[Condition], new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> list[Condition]:
    """A ReplicaSet that can not make its pods makes the Deployment say so, too."""
    kept = [c for c in conditions if c.type != "ReplicaFailure"]
    for rs in (*((new,) if new else ()), *old):
        failure = condition(rs.status.conditions, "ReplicaFailure")
        if failure is not None and not terminating(rs):
            return with_condition(conditions, failure)
    return kept


def _deadline_in(deployment: Deployment, status: DeploymentStatus, wall: float) -> float | None:
    """Seconds until the rollout must have moved."""
    now = condition(status.conditions, "Progressing")
    deadline = _deadline(deployment)
    if now is None or deadline is None or deployment.spec.paused or now.reason == TIMED_OUT:
        return None
    if complete(deployment, status):
        return None
    since = seconds_of(now.last_update_time)
    return None if since is None else max(0.0, since + deadline - wall) + 0.05
