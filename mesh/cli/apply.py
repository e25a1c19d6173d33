"""`mesh apply`: make the cluster's objects be as the files say.

A three-way merge as kubectl does it: what the last applied version had and the file no longer has is removed, what
the file has is set, what others set is left alone. The last applied version is kept in kubectl's own annotation, so
both tools may be mixed.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from mesh.api import errors, scheme
from mesh.cli import manifests, output, rest
from mesh.cli.errors import UserError
from mesh.cli.state import choose

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
MERGE = "application/merge-patch+json"
TRIES = 5


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of one object. verb: created, configured, unchanged."""

    kind: str
    name: str
    verb: str
    source: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name} {self.verb}"


def apply_paths(api_url: str, paths: Sequence[str], namespace: str | None = None) -> list[Applied]:
    """Apply every object of the files. Raises UserError with every refusal, after the others were applied."""
    return apply_manifests(api_url, manifests.read(paths), namespace)


def apply_manifests(api_url: str, objects: Sequence[manifests.Manifest], namespace: str | None = None) -> list[Applied]:
    server, done, refused = rest.Rest(api_url), [], []
    for manifest in objects:
        try:
            done.append(apply_one(server, manifest, namespace))
        except errors.ApiError as error:
            refused.append(refusal(manifest, error))
    if refused:
        for applied in done:
            output.say(str(applied))
        raise UserError("\n".join(refused))
    return done


def named(kind: scheme.Kind) -> str:
    """`deployment.apps`, as kubectl prints it."""
    return f"{kind.singular}.{kind.group}" if kind.group else kind.singular


def refusal(manifest: manifests.Manifest, error: errors.ApiError) -> str:
    """One line that names file, object and every field that is wrong."""
    if isinstance(error, errors.Invalid):
        return f"{manifest.label}: " + "; ".join(str(cause) for cause in error.causes)
    return f"{manifest.label}: {error.message}"


def apply_one(server: rest.Rest, manifest: manifests.Manifest, namespace: str | None) -> Applied:
    """Create the object or patch it. Raises ApiError."""
    kind, wanted = manifest.kind, dict(manifest.data)
    metadata = dict(wanted.get("metadata") or {})
    target = str(metadata.get("namespace") or namespace or "default") if kind.namespaced else None
    if namespace and target and target != namespace:
        raise errors.BadRequest(f"metadata.namespace is {target!r}, but --namespace says {namespace!r}")
    if target:
        metadata["namespace"] = target
    wanted["metadata"] = metadata
    text = json.dumps(wanted, sort_keys=True, separators=(",", ":")) + "\n"
    metadata["annotations"] = {**(metadata.get("annotations") or {}), LAST_APPLIED: text}
    version = str(wanted["apiVersion"])
    path = rest.object_path(kind, target, manifest.name, version)
    for attempt in range(TRIES):
        try:
            live = server.call("GET", path)
            patch = three_way(_last(live), wanted, live)
            if not patch:
                return Applied(named(kind), manifest.name, "unchanged", manifest.source)
            after = server.call("PATCH", path + "?fieldManager=mesh", patch, MERGE)
            same = after["metadata"].get("resourceVersion") == live["metadata"].get("resourceVersion")
            _warn(server, manifest)
            return Applied(named(kind), manifest.name, "unchanged" if same else "configured", manifest.source)
        except errors.Conflict:
            if attempt == TRIES - 1:
                raise
        except errors.NotFound:
            if attempt == TRIES - 1:
                raise
            try:
                query = "?fieldManager=mesh&fieldValidation=Strict"
                server.call("POST", rest.collection_path(kind, target, version) + query, wanted)
                _warn(server, manifest)
                return Applied(named(kind), manifest.name, "created", manifest.source)
            except errors.AlreadyExists:
                continue
    raise AssertionError("unreachable: the last attempt returns or raises")


def _warn(server: rest.Rest, manifest: manifests.Manifest) -> None:
    for text in server.warnings:
        output.say(f"warning: {manifest.label}: {text}")


def _last(live: dict[str, Any]) -> dict[str, Any]:
    try:
        last = json.loads((live["metadata"].get("annotations") or {})[LAST_APPLIED])
    except (KeyError, ValueError):
        return {}
    return last if isinstance(last, dict) else {}


def three_way(last: dict[str, Any], wanted: dict[str, Any], live: dict[str, Any]) -> dict[str, Any]:
    """The JSON merge patch from `live` to `wanted`: lists are replaced whole, keys only in `last` are removed."""
    patch: dict[str, Any] = {key: None for key in last if key not in wanted and key in live}
    for key, value in wanted.items():
        if isinstance(value, dict) and isinstance(live.get(key), dict):
            before = last.get(key)
            inner = three_way(before if isinstance(before, dict) else {}, value, live[key])
            if inner:
                patch[key] = inner
        elif key not in live or not _same(value, live[key]):
            patch[key] = value
    return patch


def _same(wanted: Any, live: Any) -> bool:
    """Whether a live list element already says what is wanted; defaults that the server added do not count."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return all(key in live and _same(value, live[key]) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(live, list):
        return len(wanted) == len(live) and all(_same(a, b) for a, b in zip(wanted, live, strict=True))
    return bool(wanted == live)


def apply(
    files: Annotated[list[str], typer.Option("-f", "--filename", help="File, folder or - (repeatable).")],
    namespace: Annotated[str | None, typer.Option("-n", "--namespace", help="For objects that name none.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Which mesh.")] = None,
) -> None:
    """Create or change the objects of files in a running mesh."""
    objects = manifests.read(files)
    for applied in apply_manifests(choose(name).api, objects, namespace):
        typer.echo(str(applied))
