"""What do the files that a person names say?

Reads files, folders (their *.yaml, *.yml and *.json, in name order) and `-`; splits documents, opens up List kinds,
and checks only what can be checked without a server: that it is YAML, an object, of a kind that is served, with a
name. Every complaint names the file and, where there is one, the line and the object.
"""

import math
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
FOREIGN_TAGS = ("timestamp", "binary", "set", "omap", "pairs")


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as clusters read it: what JSON can say and nothing else, and no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
        return {_key(key): value for key, value in super().construct_mapping(node, deep=deep).items()}

    def construct_finite(self, node: yaml.ScalarNode) -> float:
        value = float(self.construct_yaml_float(node))
        if not math.isfinite(value):
            raise yaml.constructor.ConstructorError(None, None, "a number has to be finite", node.start_mark)
        return value

    def construct_foreign(self, node: yaml.Node) -> Any:
        raise yaml.constructor.ConstructorError(
            None, None, f"!!{node.tag.rpartition(':')[2]} has no place in a manifest", node.start_mark
        )


def _key(key: Any) -> str:
    """`on:` and `80:` are texts as keys of JSON."""
    return str(key).lower() if key is None or isinstance(key, bool) else str(key)


# 2020-01-01 stays a text, as in a cluster.
Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in rows if not tag.endswith(":timestamp")]
    for first, rows in Loader.yaml_implicit_resolvers.items()
}
Loader.add_constructor("tag:yaml.org,2002:float", Loader.construct_finite)
for word in FOREIGN_TAGS:
    Loader.add_constructor(f"tag:yaml.org,2002:{word}", Loader.construct_foreign)


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
    if isinstance(kind, str) and kind.endswith("List") and "items" in document:
        if not isinstance(document["items"], list):
            raise UserError(f"{where}: {kind}: items: a list is needed here, not {_shape(document['items'])}")
        for item in document["items"]:
            yield from _objects(item, source, number)
        return
    for field, value in (("kind", kind), ("apiVersion", version)):
        if value is not None and not isinstance(value, str):
            raise UserError(f"{where}: {field}: a text is needed here, not {_shape(value)}")
        if not value:
            raise UserError(f"{where}: {field}: required, for example {'Deployment' if field == 'kind' else 'apps/v1'}")
    row = scheme.BY_GVK.get((str(version), str(kind)))
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if row is None:
        raise UserError(f"{where}: {kind} {name or '(no name)'}: {_unknown(str(version), str(kind))}")
    if metadata is not None and not isinstance(metadata, dict):
        raise UserError(f"{where}: {kind}: metadata: an object is needed here, not {_shape(metadata)}")
    if name is not None and not isinstance(name, str):
        raise UserError(f"{where}: {kind}: metadata.name: a text is needed here, not {_shape(name)}; quote {name!r}")
    if not name:
        raise UserError(f"{where}: {kind}: metadata.name: required")
    yield Manifest(source, row, document)


def _unknown(version: str, kind: str) -> str:
    versions = sorted(v for v, k in scheme.BY_GVK if k == kind)
    if versions:
        return f"apiVersion: {version!r} does not serve {kind}; use {' or '.join(versions)}"
    known = ", ".join(sorted({k for _, k in scheme.BY_GVK}))
    return f"kind: {kind!r} ({version}) is not served; known kinds: {known}"


def _shape(value: Any) -> str:
    return {
        list: "a list",
        str: "a text",
        int: "a number",
        float: "a number",
        bool: "a yes or no",
        dict: "an object",
    }.get(type(value), f"{value!r}")
