"""Which definitions do old clients read, to explain fields, to check manifests, and to work out their patches?

OpenAPI v2's, in plain JSON. A client takes them at their word: a field that they leave out is refused before anything
is sent, and a list that they do not say to merge is replaced. So only those types are spelt out whose fields are all
known; the inside of all others is left open. Kinds that are not Kubernetes' own are not in here.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from mesh.api.known_fields import TYPES, type_of
from mesh.api.scheme import Kind
from mesh.apiserver.merge_keys import PLAIN, Shape, shape_of
from mesh.apiserver.openapi_schemas import typed_properties
from mesh.apiserver.openapi_words import FIELDS, WORDS

Json = dict[str, Any]
_SCALARS = ("string", "integer", "boolean", "number")
_META = frozenset({"ObjectMeta", "OwnerReference", "LabelSelector", "LabelSelectorRequirement"})
_GVK = "x-kubernetes-group-version-kind"


def define(served: Iterable[tuple[str, str, Kind]], found: Json) -> Iterator[None]:
    """Put name -> schema into `found`. served: (group, version, kind) of all that is offered.

    Stops after each kind: one takes some 15 ms, and all together would keep every other client waiting.
    """
    rows = [(group, version, kind) for group, version, kind in served if not kind.custom]
    merges = _merges(kind for _, _, kind in rows)
    wholes: dict[str, Json] = {}
    for group, version, kind in rows:
        whole = type_of(kind.kind, f"{group}/{version}" if group else version)
        if whole is None:
            continue
        if whole not in wholes:
            for known, (properties, required) in typed_properties(kind, group, version).items():
                if known == whole:
                    wholes[whole] = _definition(known, properties, required, merges, kind.kind)
                elif (name := _part_name(known)) not in found:
                    found[name] = _definition(known, properties, required, merges, known)
        gvk = [{"group": group, "version": version, "kind": kind.kind}]
        found[_whole_name(group, version, kind.kind)] = {**wholes[whole], _GVK: gvk}
        yield


def _definition(
    known: str, properties: Json, required: list[str], merges: dict[tuple[str, str], Shape], named: str
) -> Json:
    schema: Json = {"type": "object", "properties": {}}
    if named in WORDS:
        schema["description"] = WORDS[named]
    needed = [name for name in required if name in TYPES[known]]
    if needed:
        schema["required"] = needed
    for field, (inner, _) in TYPES[known].items():
        own = properties.get(field) or {}
        part = _property(own, inner)
        words = own.get("description") or (FIELDS.get(field) if "metadata" in TYPES[known] else None)
        if words:
            part["description"] = words
        part |= _merge_words(merges.get((known, field), PLAIN))
        schema["properties"][field] = part
    return schema


def _property(own: Json, inner: str) -> Json:
    """A field's schema. inner: the known type that it has, or of which it is a list; empty where there is none."""
    if inner:
        reference = {"$ref": f"#/definitions/{_part_name(inner)}"}
        return {"type": "array", "items": reference} if own.get("type") == "array" else reference
    kind = own.get("type")
    if "allOf" in own:
        if own["allOf"][0]["$ref"].endswith("/IntOrString"):
            return {"type": "string", "format": "int-or-string"}
        return {}  # an object whose fields are not all known
    if kind in _SCALARS:
        return {"type": kind}
    if kind == "array" and own.get("items", {}).get("type") in _SCALARS:
        return {"type": "array", "items": {"type": own["items"]["type"]}}
    if kind == "object" and own.get("additionalProperties", {}).get("type") in _SCALARS:
        return {"type": "object", "additionalProperties": {"type": own["additionalProperties"]["type"]}}
    return {}


def _merge_words(shape: Shape) -> Json:
    strategies = ["replace"] if shape.replace else []
    if shape.key is not None or shape.primitive:
        strategies.append("merge")
    if shape.retain:
        strategies.append("retainKeys")
    words: Json = {"x-kubernetes-patch-strategy": ",".join(strategies)} if strategies else {}
    if shape.key is not None:
        words["x-kubernetes-patch-merge-key"] = shape.key
    return words


def _merges(kinds: Iterable[Kind]) -> dict[tuple[str, str], Shape]:
    """(known type, field) -> how it is merged."""
    found: dict[tuple[str, str], Shape] = {}
    for kind in kinds:
        for version in (kind.api_version, *(f"{group}/{number}" for group, number in kind.other_versions)):
            whole = type_of(kind.kind, version)
            if whole is not None:
                found.update(_walk(whole, shape_of(kind)))
    return found


def _walk(known: str, shape: Shape) -> Iterator[tuple[tuple[str, str], Shape]]:
    for field, inner_shape in shape.fields.items():
        if field not in TYPES[known]:
            continue
        yield (known, field), inner_shape
        inner = TYPES[known][field][0]
        if inner:
            yield from _walk(inner, inner_shape)


def _part_name(known: str) -> str:
    at = "apimachinery.pkg.apis.meta.v1" if known in _META else "api.core.v1"
    return f"io.k8s.{at}.{known}"


def _whole_name(group: str, version: str, kind: str) -> str:
    return f"io.k8s.api.{group.partition('.')[0] or 'core'}.{version}.{kind}"
