"""Which schemas do clients find?

None, on purpose: the documents list where each kind can be patched and that the server itself validates fields. With
that kubectl needs no flags, sends `fieldValidation`, and shows the server's own words.
"""

from typing import Any

import orjson
import xxhash

from mesh.api.scheme import Kind
from mesh.apiserver.discovery import VERSION, served

Json = dict[str, Any]
# An empty protobuf message: every kubectl decodes /openapi/v2 as protobuf, and without definitions it checks nothing.
V2_CONTENT_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_PARAMETERS = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("dryRun", "fieldValidation")]


def index() -> Json:
    """GET /openapi/v3."""
    paths: Json = {}
    for group, versions in served().items():
        for version in versions:
            root = f"apis/{group}/{version}" if group else f"api/{version}"
            paths[root] = {"serverRelativeURL": f"/openapi/v3/{root}?hash={_digest(document(group, version))}"}
    return {"paths": paths}


def document(group: str, version: str) -> Json | None:
    """GET /openapi/v3/apis/GROUP/VERSION."""
    kinds = served().get(group, {}).get(version)
    if kinds is None:
        return None
    info = {"title": "Kubernetes", "version": VERSION["gitVersion"]}
    return {"openapi": "3.0.0", "info": info, "paths": dict(_path(kind, group, version) for kind in kinds)}


def _path(kind: Kind, group: str, version: str) -> tuple[str, Json]:
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    scope = "/namespaces/{namespace}" if kind.namespaced else ""
    patch = {
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind.kind},
        "parameters": _PARAMETERS,
        "responses": {"200": {"description": "OK"}},
    }
    return f"{root}{scope}/{kind.plural}/{{name}}", {"patch": patch}


def _digest(value: Any) -> str:
    return xxhash.xxh64_hexdigest(orjson.dumps(value)).upper()
