"""What becomes of an object when somebody applies a configuration to it (server-side apply)?

What the manager says is merged in; what it said last time and no longer says goes, unless somebody else wants it;
what somebody else wants differently is a conflict, except by force.
"""

from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from mesh.api.errors import BadRequest, Cause, Conflict, Invalid, forbidden, invalid, required
from mesh.api.scheme import Kind
from mesh.apiserver.apply_fields import Path, merge, remove, shown, with_parents
from mesh.apiserver.apply_owners import APPLY, Managed, Owner, Writer, before_first_apply, owned_leaves, read, write
from mesh.apiserver.apply_shapes import ownable

Json = dict[str, Any]
_LONGEST_MANAGER = 128


class ApplyConflict(Conflict):
    """Another manager wants fields differently."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The object as it should be, and its managedFields."""

    obj: Json
    managed: Managed


def check_options(manager: str, force: bool, is_apply: bool) -> None:
    """Raises Invalid for query parameters that a PATCH can not have."""
    causes: list[Cause] = []
    if is_apply and not manager:
        causes.append(required("fieldManager", "is required for apply patch"))
    if not is_apply and force:
        causes.append(forbidden("force", "may not be specified for non-apply patch"))
    if len(manager) > _LONGEST_MANAGER or not manager.isprintable():
        causes.append(invalid("fieldManager", manager[:64], f"at most {_LONGEST_MANAGER} printable characters"))
    if causes:
        raise Invalid("PatchOptions", "meta.k8s.io", "", causes)


def check_config(config: Any) -> Json:
    """The configuration as an object. Raises BadRequest when nothing can be applied from it."""
    if not isinstance(config, dict):
        raise BadRequest("the configuration to apply must be an object")
    for name in ("apiVersion", "kind"):
        if not isinstance(config.get(name), str) or not config[name]:
            raise BadRequest(f"the configuration to apply needs {name}")
    meta = config.get("metadata")
    if isinstance(meta, dict) and meta.get("managedFields"):
        raise BadRequest("metadata.managedFields must be nil: it is not applied, it tells what was")
    return config


def create(kind: Kind, config: Json, writer: Writer, now: str) -> Managed:
    """managedFields of an object that an apply creates."""
    fields = frozenset(owned_leaves(kind, config, writer.subresource))
    return write([Owner(writer, APPLY, kind.api_version, now, fields)])


def apply(kind: Kind, live: Json, config: Json, writer: Writer, force: bool, now: str) -> Outcome:
    """The object after the apply; changes `live`. Raises ApplyConflict, BadRequest.

    live, config: in the kind's home version.
    """
    shape = ownable(kind)
    wanted = owned_leaves(kind, config, writer.subresource)
    managed = live["metadata"].get("managedFields")
    owners = read(managed) if managed else [before_first_apply(kind, live, now)]
    own = next((one for one in owners if one.writer == writer and one.operation == APPLY), None)
    others = [one for one in owners if one is not own]
    present = owned_leaves(kind, live, writer.subresource)
    objects = with_parents(present)
    differs = {
        path
        for path, value in wanted.items()
        # An empty object asks for nothing but that there is one.
        if (path not in present or present[path] != value) and not (value == {} and path in objects)
    }
    disputed = [(one, path) for one in others for path in sorted(differs & one.fields)]
    if disputed and not force:
        raise _conflict(disputed)
    others = [replace(one, fields=one.fields - differs) for one in others]
    had = own.fields if own is not None else frozenset()
    kept = with_parents(wanted).union(*(with_parents(one.fields) for one in others))
    doomed = with_parents(had) - kept
    merged: Json = merge(live, _only_owned(config, wanted), shape)
    remove(merged, sorted((path for path in doomed if path[:-1] not in doomed), reverse=True), shape)
    fields = frozenset(wanted)
    unchanged = own is not None and own.fields == fields and not doomed and merged == live
    time = own.time if own is not None and unchanged else now
    return Outcome(merged, write([*others, Owner(writer, APPLY, kind.api_version, time, fields)]))


def _only_owned(config: Json, wanted: dict[Path, Any]) -> Json:
    """The configuration without what the server alone writes."""
    first = {path[0][2:] for path in wanted}
    meta = {path[1][2:] for path in wanted if path[0] == "f:metadata" and len(path) > 1}
    return {
        key: {name: item for name, item in value.items() if name in meta} if key == "metadata" else value
        for key, value in config.items()
        if key in first
    }


def _conflict(disputed: list[tuple[Owner, Path]]) -> ApplyConflict:
    disputed = sorted(disputed, key=lambda item: (str(item[0]), item[1]))
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {owner}", "field": shown(path)}
        for owner, path in disputed
    ]
    if len(disputed) == 1:
        text = f"1 conflict: conflict with {disputed[0][0]}: {shown(disputed[0][1])}"
    else:
        lines = []
        for owner, items in groupby(disputed, key=lambda item: str(item[0])):
            lines += [f"conflicts with {owner}:", *(f"- {shown(path)}" for _, path in items)]
        text = f"{len(disputed)} conflicts: " + "\n".join(lines)
    return ApplyConflict(f"Apply failed with {text}", {"causes": causes})
