"""What do the files that a person names say?

Reads files, folders (their *.yaml, *.yml and *.json, in name order) and `-`; splits documents, opens up List kinds,
and checks only what can be checked without a server: that it is YAML, an object, of a kind that is served, with a
name. Every complaint names the file and, where there is one, the line and the object.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mesh.api import scheme
from mesh.cli.errors import UserError

MAX_BYTES = 8 << 20
MAX_ALIASES = 100
SUFFIXES = (".yaml", ".yml", ".json")
# Read beside manifests in a scenario's folder, but not one.
NOT_MANIFESTS = frozenset({"scenario.yaml", "scenario.yml", "kustomization.yaml", "kustomization.yml"})
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object of one file. kind: its table row.  source: the file's name as the person wrote it."""

    source: str
    kind: scheme.Kind
    data: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.data["metadata"]["name"])

    @property
    def label(self) -> str:
        """`canary.yaml: RouteRule my-app`: the beginning of every complaint about it."""
        return f"{self.source}: {self.kind.kind} {self.name}"


def read(paths: Iterable[str]) -> list[Manifest]:
    """Every object of the files, in order. Raises UserError."""
    found = [manifest for path in paths for file in files_of(path) for manifest in read_file(file)]
    if not found:
        raise UserError(f"no objects in {', '.join(paths)}: give files with Kubernetes manifests")
    return found


def files_of(path: str) -> list[str]:
    """The file itself, or the manifests of a folder. Raises UserError."""
    if path == "-":
        return [path]
    here = Path(path)
    if here.is_dir():
        files = sorted(
            str(file) for file in here.iterdir() if file.suffix in SUFFIXES and file.name not in NOT_MANIFESTS
        )
        if not files:
            raise UserError(f"{path}: the folder has no manifests (*.yaml, *.yml, *.json)")
        return files
    if not here.exists():
        raise UserError(f"{path}: no such file or folder")
    return [path]


def read_file(path: str) -> Iterator[Manifest]:
    source = "standard input" if path == "-" else path
    try:
        text = sys.stdin.buffer.read(MAX_BYTES + 1) if path == "-" else _bytes(path)
    except OSError as error:
        raise UserError(f"{source}: cannot be read: {error.strerror}") from error
    if len(text) > MAX_BYTES:
        raise UserError(f"{source}: larger than {MAX_BYTES >> 20} MiB; split it")
    for number, document in enumerate(_documents(text, source), 1):
        if document is not None:
            yield from _objects(document, source, number)


def _bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(MAX_BYTES + 1)


def _documents(text: bytes, source: str) -> Iterator[Any]:
    try:
        # An alias is a few bytes that may stand for megabytes: count them before anything is built.
        aliases = sum(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=Loader))
        if aliases > MAX_ALIASES:
            raise UserError(f"{source}: {aliases} YAML aliases; at most {MAX_ALIASES} are read")
        yield from yaml.load_all(text, Loader=Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not valid"
        raise UserError(f"{source}: {where}malformed YAML: {problem}") from None
    except (RecursionError, ValueError) as error:
        raise UserError(f"{source}: malformed YAML: {error}") from None


def _objects(document: Any, source: str, number: int) -> Iterator[Manifest]:
    where = f"{source}: document {number}"
    if not isinstance(document, dict):
        raise UserError(f"{where}: an object with apiVersion, kind and metadata is wanted, not {_shape(document)}")
    kind, version = document.get("kind"), document.get("apiVersion")
    if isinstance(kind, str) and kind.endswith("List") and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _objects(item, source, number)
        return
    for field, value in (("kind", kind), ("apiVersion", version)):
        if not isinstance(value, str) or not value:
            raise UserError(f"{where}: {field}: required, for example {'Deployment' if field == 'kind' else 'apps/v1'}")
    row = scheme.BY_GVK.get((str(version), str(kind)))
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if row is None:
        raise UserError(f"{where}: {kind} {name or '(no name)'}: {_unknown(str(version), str(kind))}")
    if not isinstance(name, str) or not name:
        raise UserError(f"{where}: {kind}: metadata.name: required")
    yield Manifest(source, row, document)


def _unknown(version: str, kind: str) -> str:
    versions = sorted(v for v, k in scheme.BY_GVK if k == kind)
    if versions:
        return f"apiVersion: {version!r} does not serve {kind}; use {' or '.join(versions)}"
    known = ", ".join(sorted({k for _, k in scheme.BY_GVK}))
    return f"kind: {kind!r} ({version}) is not served; known kinds: {known}"


def _shape(value: Any) -> str:
    return {list: "a list", str: "a text", int: "a number", float: "a number"}.get(type(value), f"{value!r}")
