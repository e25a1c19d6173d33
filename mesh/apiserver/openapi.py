"""Which schemas do clients find?

For each group-version a document with the kinds' fields (for `kubectl explain`) and with where each kind can be
patched. It says that the server itself validates fields, so that kubectl needs no flags, sends `fieldValidation`, and
shows the server's own words. Nothing says that a strategic merge is computed from these schemas: clients use what they
know about the built-in kinds.
"""

import asyncio
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import xxhash

from mesh.api.known_fields import TYPES
from mesh.api.scheme import Kind
from mesh.apiserver import openapi_v2
from mesh.apiserver.discovery import VERSION, served
from mesh.apiserver.openapi_definitions import define
from mesh.apiserver.openapi_schemas import components, model_schema
from mesh.apiserver.openapi_words import FIELDS, WORDS

Json = dict[str, Any]
Groups = tuple[tuple[str, str, tuple[Kind, ...]], ...]
"""(group, version, kinds) of all that is served."""
_made: dict[Groups, tuple[bytes, str]] = {}
"""The latest v2 document, and its hash."""
_PARAMETERS = [
    {"name": name, "in": "query", "schema": {"type": "string"}}
    for name in ("dryRun", "fieldManager", "fieldValidation", "force")
]


def index(defined: Iterable[Kind] = ()) -> Json:
    """GET /openapi/v3. defined: kinds that users brought."""
    paths: Json = {}
    for group, versions in served(defined).items():
        for version, kinds in versions.items():
            root = f"apis/{group}/{version}" if group else f"api/{version}"
            paths[root] = {"serverRelativeURL": f"/openapi/v3/{root}?hash={_hash(group, version, tuple(kinds))}"}
    return {"paths": paths}


async def prepare(group: str, version: str, defined: Iterable[Kind] = ()) -> None:
    """Do what takes long about a document, a piece at a time: others want to be served meanwhile."""
    for kind in served(defined).get(group, {}).get(version, ()):
        model_schema(kind.model)
        await asyncio.sleep(0)


def document(group: str, version: str, defined: Iterable[Kind] = ()) -> Json | None:
    """GET /openapi/v3/apis/GROUP/VERSION."""
    kinds = served(defined).get(group, {}).get(version)
    return None if kinds is None else _document(group, version, tuple(kinds))


async def v2(defined: Iterable[Kind] = ()) -> tuple[bytes, str]:
    """GET /openapi/v2: the document as protobuf, and its hash."""
    groups: Groups = tuple(
        (group, version, tuple(kinds))
        for group, versions in served(defined).items()
        for version, kinds in versions.items()
    )
    if groups not in _made:
        named: Json = {}
        for _ in define([(group, version, kind) for group, version, kinds in groups for kind in kinds], named):
            await asyncio.sleep(0)
        paths = [path for group, version, kinds in groups for path in _paths(group, version, kinds)]
        data = openapi_v2.document("Kubernetes", VERSION["gitVersion"], paths, named)
        _made.clear()
        _made[groups] = data, xxhash.xxh64_hexdigest(data).upper()
    return _made[groups]


def _document(group: str, version: str, kinds: tuple[Kind, ...]) -> Json:
    schemas: Json = {}
    for kind in kinds:
        found = components(kind, group, version)
        group_version_kind = {"group": group, "version": version, "kind": kind.kind}
        found[kind.kind]["x-kubernetes-group-version-kind"] = [group_version_kind]
        schemas |= found
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]},
        "paths": dict(_paths(group, version, kinds)),
        "components": {"schemas": schemas},
    }


@lru_cache(maxsize=128)
def _hash(group: str, version: str, kinds: tuple[Kind, ...]) -> str:
    """Of everything that the document is made from: to make them all takes most of a second."""
    models = [sorted(kind.model.model_fields) for kind in kinds]
    return xxhash.xxh64_hexdigest(repr((VERSION, group, version, kinds, models, TYPES, WORDS, FIELDS)).encode()).upper()


def _paths(group: str, version: str, kinds: Iterable[Kind]) -> Iterator[tuple[str, Json]]:
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    for kind in kinds:
        scope = "/namespaces/{namespace}" if kind.namespaced else ""
        patch = {
            "x-kubernetes-action": "patch",
            "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind.kind},
            "parameters": _PARAMETERS,
            "responses": {"200": {"description": "OK"}},
        }
        yield f"{root}{scope}/{kind.plural}/{{name}}", {"patch": patch}
