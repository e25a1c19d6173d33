"""What can a plan ask for?

A plan function returns actions; `runtime` carries them out in order and stops at the first that fails. Objects in an
action may be shared with the cache, so nobody changes them.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from mesh.api.meta import Object, ObjectReference
from mesh.api.scheme import kind_of

Key = tuple[str, str]
EventType = Literal["Normal", "Warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """An Event to record about an object."""

    about: ObjectReference
    reason: str
    message: str
    type: EventType = "Normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Store a new object."""

    obj: Object
    note: Note | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Merge `patch` into an object. key: (namespace, name)."""

    cls: type[Object]
    key: Key
    patch: dict[str, Any]
    subresource: str = ""
    note: Note | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Ask for removal; fine if it is gone already. uid pins the very object that was seen."""

    cls: type[Object]
    key: Key
    uid: str | None = None
    propagation: str | None = None
    grace_period_s: int | None = None
    note: Note | None = None


Action = Create | Patch | Delete | Note


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions in order, and the seconds after which to look again (None: wait for a change)."""

    actions: tuple[Action, ...] = ()
    requeue_after_s: float | None = None


@dataclass(slots=True)
class Draft:
    """A plan under construction."""

    actions: list[Action] = field(default_factory=list)
    requeue_after_s: float | None = None

    def add(self, *actions: Action | None) -> None:
        """Append what is not None."""
        self.actions.extend(action for action in actions if action is not None)

    def look_again(self, after_s: float | None) -> None:
        """The earliest of all wishes counts."""
        if after_s is not None and (self.requeue_after_s is None or after_s < self.requeue_after_s):
            self.requeue_after_s = max(0.0, after_s)

    def done(self) -> Plan:
        """The finished plan."""
        return Plan(tuple(self.actions), self.requeue_after_s)


def reference(obj: Object) -> ObjectReference:
    """How an Event names an object."""
    kind = kind_of(type(obj))
    return ObjectReference(
        api_version=kind.api_version,
        kind=kind.kind,
        namespace=obj.metadata.namespace,
        name=obj.metadata.name,
        uid=obj.metadata.uid,
    )


def note(obj: Object, reason: str, message: str, type: EventType = "Normal") -> Note:
    """An Event about `obj`."""
    return Note(about=reference(obj), reason=reason, message=message, type=type)


def merge_diff(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The JSON merge patch that turns `old` into `new`; empty when they are equal. Lists are replaced whole."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            if inner := merge_diff(before, value):
                patch[key] = inner
        elif before != value:
            patch[key] = value
    return patch


def status_patch(obj: Object, new_status: dict[str, Any]) -> Patch | None:
    """Write a status, if it differs from the one that was seen. new_status: JSON; zero counters are left out."""
    status = getattr(obj, "status").model_dump(by_alias=True, exclude_none=True)  # noqa: B009
    wanted = {key: value for key, value in new_status.items() if value is not None}
    diff = merge_diff(status, wanted)
    if not diff:
        return None
    return Patch(cls=type(obj), key=obj.key, patch={"status": diff}, subresource="status")


def pinned(obj: Object, patch: dict[str, Any]) -> Patch:
    """A patch that holds only for the version that was seen (Conflict otherwise)."""
    metadata = {**patch.get("metadata", {}), "resourceVersion": obj.metadata.resource_version}
    return Patch(cls=type(obj), key=obj.key, patch={**patch, "metadata": metadata})


Told = frozenset[tuple[str | None, str, str]]
"""(uid, reason, message) of events."""


def without_repeats(plan: Plan, before: Told) -> tuple[Plan, Told]:
    """The plan without the events that the plan before it had as well, and all events that it had.

    For what is looked at often while it waits for the same thing.
    """
    told = frozenset((a.about.uid, a.reason, a.message) for a in plan.actions if isinstance(a, Note))
    kept = tuple(a for a in plan.actions if not isinstance(a, Note) or (a.about.uid, a.reason, a.message) not in before)
    return Plan(kept, plan.requeue_after_s), told
