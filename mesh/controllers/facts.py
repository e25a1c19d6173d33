"""What is true of a pod, and of a list of conditions?"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from mesh.api.core import Pod
from mesh.api.meta import Condition, Object, OwnerReference
from mesh.api.scheme import kind_of
from mesh.runtime.clock import parse_rfc3339, rfc3339

C = TypeVar("C", bound=Condition)


def terminating(obj: Object) -> bool:
    """Asked to go, but not gone."""
    return obj.metadata.deletion_timestamp is not None


def finished(pod: Pod) -> bool:
    """It ran to its end and will never run again."""
    return pod.status.phase in ("Succeeded", "Failed")


def active(pod: Pod) -> bool:
    """It counts as a replica."""
    return not terminating(pod) and not finished(pod)


def seconds_of(timestamp: str | None) -> float | None:
    """Unix seconds of an object's time; None when it is missing or unreadable."""
    if not timestamp:
        return None
    try:
        return parse_rfc3339(timestamp)
    except ValueError:
        return None


def ready_since(pod: Pod) -> float | None:
    """When it became ready, in unix seconds; None when it is not."""
    ready = condition(pod.status.conditions, "Ready")
    if ready is None or ready.status != "True":
        return None
    return seconds_of(ready.last_transition_time) or 0.0


def available_in(pod: Pod, min_ready_s: int, wall: float) -> float | None:
    """Seconds until it counts as available: 0 when it does now, None when it is not ready."""
    if not min_ready_s:
        return 0.0 if pod.ready else None
    since = ready_since(pod)
    return None if since is None else max(0.0, since + min_ready_s - wall)


def restarts(pod: Pod) -> int:
    """How often its containers were started again."""
    return sum(status.restart_count for status in pod.status.container_statuses or ())


def condition(conditions: Sequence[C] | None, kind: str) -> C | None:
    """The condition of that type."""
    return next((c for c in conditions or () if c.type == kind), None)


def with_condition(conditions: Iterable[C] | None, new: C) -> list[C]:
    """The list with `new` in place of its type; what did not flip keeps its transition time."""
    kept = list(conditions or ())
    for index, old in enumerate(kept):
        if old.type != new.type:
            continue
        if old.status == new.status:
            new = new.model_copy(update={"last_transition_time": old.last_transition_time})
        kept[index] = new
        return kept
    return [*kept, new]


def fresh_condition(kind: str, status: str, reason: str, message: str, wall: float) -> Condition:
    """A condition that flips now."""
    stamp = rfc3339(wall)
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        last_update_time=stamp,
        last_transition_time=stamp,
    )


def dump_conditions(conditions: Iterable[Condition] | None) -> list[dict[str, object]] | None:
    """Conditions as JSON; None for an empty list, so that it is left out."""
    dumped = [c.model_dump(by_alias=True, exclude_none=True) for c in conditions or ()]
    return dumped or None


def controller_reference(owner: Object) -> OwnerReference:
    """The reference that makes `owner` the manager of an object."""
    kind = kind_of(type(owner))
    return OwnerReference(
        api_version=kind.api_version,
        kind=kind.kind,
        name=owner.name,
        uid=owner.metadata.uid or "",
        controller=True,
        block_owner_deletion=True,
    )


def controlled_by(obj: Object, owner: Object) -> bool:
    """Does `owner` itself, not a namesake, manage `obj`?"""
    reference = obj.metadata.controller
    return reference is not None and reference.uid == owner.metadata.uid


def creation_order(obj: Object) -> tuple[str, str]:
    """Sorts objects oldest first, with names to settle ties within one second."""
    return (obj.metadata.creation_timestamp or "", obj.name)
