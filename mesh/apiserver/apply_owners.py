"""Who owns which fields of an object?

What metadata.managedFields says, as values: one entry for each manager, operation and subresource. What somebody from
outside makes is tracked from the start. What the mesh itself makes (pods by the thousand, events) is tracked from its
first server-side apply on; until then nobody pays for it, and all of it belongs to the one who wrote it before.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from mesh.api.errors import BadRequest
from mesh.api.scheme import Kind
from mesh.apiserver.apply_fields import Fields, Path, from_v1, leaves, to_v1
from mesh.apiserver.apply_shapes import ownable

Json = dict[str, Any]
APPLY, UPDATE = "Apply", "Update"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_MOST_UPDATERS = 10
# What no manager owns: names, and what the server itself writes.
_UNOWNED = frozenset({("f:apiVersion",), ("f:kind",), *(
    ("f:metadata", f"f:{name}") for name in (
        "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
        "deletionGracePeriodSeconds", "selfLink", "managedFields", "generateName"))})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes. subresource: status or scale, where the write came through one."""

    manager: str
    subresource: str = ""


OWN_WRITER = Writer("loopmesh")
Managed = list[Json]
"""metadata.managedFields as JSON."""


@dataclass(frozen=True, slots=True)
class Owner:
    """One entry of managedFields."""

    writer: Writer
    operation: str
    api_version: str
    time: str
    fields: Fields

    def __str__(self) -> str:
        text = f'"{self.writer.manager}"'
        if self.writer.subresource:
            text += f' with subresource "{self.writer.subresource}"'
        if self.operation == UPDATE:
            text += f" using {self.api_version}" + (f" at {self.time}" if self.time else "")
        return text


def owned_leaves(kind: Kind, obj: Json, subresource: str = "") -> dict[Path, Any]:
    """path -> value of what a writer of this object (or of its status) can own."""
    if subresource == "status":
        return dict(leaves({"status": obj["status"]}, ownable(kind))) if "status" in obj else {}
    seen = {name: value for name, value in obj.items() if name != "status"} if kind.has_status else obj
    return {
        path: value
        for path, value in leaves(seen, ownable(kind))
        if path[:2] not in _UNOWNED and path[:1] not in _UNOWNED and path != ("f:metadata",)
    }


def read(managed: Any) -> list[Owner]:
    """The entries in metadata.managedFields. Raises BadRequest for what is none."""
    if not isinstance(managed, list):
        raise BadRequest("metadata.managedFields must be a list")
    found = []
    for entry in managed:
        if not isinstance(entry, dict) or entry.get("operation") not in (APPLY, UPDATE):
            raise BadRequest('metadata.managedFields: each entry needs operation "Apply" or "Update"')
        text = {name: entry.get(name, "") for name in ("manager", "subresource", "apiVersion", "time")}
        if not all(isinstance(value, str) for value in text.values()):
            raise BadRequest("metadata.managedFields: manager, subresource, apiVersion and time are text")
        writer = Writer(text["manager"], text["subresource"])
        fields = from_v1(entry.get("fieldsV1") or {})
        found.append(Owner(writer, entry["operation"], text["apiVersion"], text["time"], fields))
    return found


def write(owners: Iterable[Owner]) -> Managed:
    """The entries as metadata.managedFields; whoever owns nothing is left out."""
    entries = []
    for owner in sorted(owners, key=lambda one: (one.operation, one.time, one.writer.manager, one.writer.subresource)):
        if not owner.fields:
            continue
        entry: Json = {"manager": owner.writer.manager, "operation": owner.operation}
        entry |= {"apiVersion": owner.api_version, "time": owner.time, "fieldsType": "FieldsV1"}
        entry["fieldsV1"] = to_v1(owner.fields)
        if owner.writer.subresource:
            entry["subresource"] = owner.writer.subresource
        entries.append(entry)
    return entries


def created(kind: Kind, obj: Json, writer: Writer, now: str) -> Managed:
    """managedFields of an object that a plain write makes: all of it, defaults too, is the writer's."""
    return write([Owner(writer, UPDATE, kind.api_version, now, frozenset(owned_leaves(kind, obj)))])


def before_first_apply(kind: Kind, live: Json, now: str) -> Owner:
    """The owner of all that stands in an object which nobody has tracked so far."""
    annotations = live["metadata"].get("annotations") or {}
    # kubectl hands over what it applied itself by this name.
    manager = "kubectl-client-side-apply" if LAST_APPLIED in annotations else "before-first-apply"
    time = live["metadata"].get("creationTimestamp") or now
    return Owner(Writer(manager), UPDATE, kind.api_version, time, frozenset(owned_leaves(kind, live)))


def after_update(kind: Kind, managed: Any, old: Json, new: Json, writer: Writer, now: str) -> Managed:
    """managedFields after a plain write: what changed belongs to the writer alone, what went belongs to nobody."""
    status = "status" if writer.subresource == "status" else ""
    before, after = owned_leaves(kind, old, status), owned_leaves(kind, new, status)
    changed = frozenset(path for path, value in after.items() if path not in before or before[path] != value)
    lost = changed | (before.keys() - after.keys())
    if not lost:
        return managed if isinstance(managed, list) else []
    owners = [replace(owner, fields=owner.fields - lost) for owner in read(managed)]
    own = [owner for owner in owners if owner.writer == writer and owner.operation == UPDATE]
    others = [owner for owner in owners if owner not in own]
    fields = changed.union(*(owner.fields for owner in own))
    time = now if changed or not own else own[0].time
    return write(_bounded([*others, Owner(writer, UPDATE, kind.api_version, time, fields)], kind))


def tracked(kind: Kind, old: Json, new: Json, said: Any, writer: Writer, now: str | None) -> None:
    """Set managedFields of `new`, whose spec and status are final. Raises BadRequest.

    said: what the writer wants there, None for nothing.  now: None when `said` already counts this write in.
    """
    had = old["metadata"].get("managedFields")
    if now is not None:
        if said is None or said == had:
            said = had
        else:
            said = [] if said == [{}] else write(read(said))  # [{}] is how clients say: forget all owners
        if said:
            said = after_update(kind, said, old, new, writer, now)
    if said is None and had is None:
        return
    new["metadata"] = {key: value for key, value in new["metadata"].items() if key != "managedFields"}
    if said:
        new["metadata"]["managedFields"] = said


def _bounded(owners: list[Owner], kind: Kind) -> list[Owner]:
    """At most ten updaters: the oldest become one."""
    updaters = sorted((one for one in owners if one.operation == UPDATE and one.fields), key=lambda one: one.time)
    if len(updaters) <= _MOST_UPDATERS:
        return owners
    old = updaters[: len(updaters) - _MOST_UPDATERS + 1]
    fields: Fields = frozenset().union(*(one.fields for one in old))
    ancient = Owner(Writer("ancient-changes"), UPDATE, kind.api_version, old[-1].time, fields)
    return [one for one in owners if one not in old] + [ancient]
