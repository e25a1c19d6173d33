"""What do clients learn about the fields of a kind?

The models say the types, the table of known fields says what else there is in Kubernetes, and where a field goes on.
A field whose inside nobody here looks into is an object of anything.
"""

from functools import cache
from typing import Any

import orjson

from mesh.api.known_fields import TYPES, type_of
from mesh.api.meta import Object
from mesh.api.scheme import Kind
from mesh.apiserver.openapi_words import FIELDS, WORDS

Json = dict[str, Any]
_INT_OR_STRING = "IntOrString"
_AT = "#/components/schemas/"


@cache
def model_schema(model: type[Object]) -> bytes:
    """What pydantic says about a model, as JSON. It takes 15 ms, so it is asked once."""
    return orjson.dumps(model.model_json_schema(by_alias=True, ref_template=_AT + "{model}"))


def components(kind: Kind, group: str, version: str) -> Json:
    """Schema name -> schema: the kind's own, named after it, and all that it refers to."""
    if kind.custom and kind.executed is False:
        return {kind.kind: {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    raw = orjson.loads(model_schema(kind.model))
    found = {name: _schema(part) for name, part in raw.pop("$defs", {}).items()}
    found[kind.kind] = _schema(raw)
    found[_INT_OR_STRING] = {"type": "string", "format": "int-or-string", "description": "A number or text."}
    api_version = f"{group}/{version}" if group else version
    known = None if kind.custom else type_of(kind.kind, api_version)
    if known is not None:
        _widen(found, kind.kind, known, {})
    for name, schema in found.items():
        _describe(name, schema, whole=name == kind.kind)
    return found


def typed_properties(kind: Kind, group: str, version: str) -> dict[str, tuple[Json, list[str]]]:
    """Known type -> (its fields' schemas, the fields that must be there), for all types of a kind."""
    api_version = f"{group}/{version}" if group else version
    known, found = type_of(kind.kind, api_version), components(kind, group, version)
    if kind.custom or known is None:
        return {}
    names: dict[str, str] = {}
    _widen(found, kind.kind, known, names)
    return {
        type_name: (found[name].get("properties", {}), found[name].get("required", []))
        for name, type_name in reversed(names.items())
    }


def _schema(raw: Json) -> Json:
    """A schema as the models give it, in the words that clients of Kubernetes know."""
    if "$ref" in raw:
        return {"allOf": [{"$ref": raw["$ref"]}]}
    choices = [choice for choice in raw.get("anyOf", ()) if choice.get("type") != "null"]
    if {choice.get("type") for choice in choices} == {"integer", "string"}:
        return _reference(_INT_OR_STRING)
    if choices:
        return _schema(choices[0])
    schema: Json = {}
    kind = raw.get("type")
    if kind is not None:
        schema["type"] = kind
    if kind == "integer":
        schema["format"] = "int64"
    if kind == "array":
        schema["items"] = _schema(raw.get("items") or {"type": "object"})
    if kind == "object":
        if "properties" in raw:
            schema["properties"] = {name: _schema(inner) for name, inner in raw["properties"].items()}
        elif isinstance(raw.get("additionalProperties"), dict):
            schema["additionalProperties"] = _schema(raw["additionalProperties"])
    if raw.get("required"):
        schema["required"] = list(raw["required"])
    return schema or {"type": "object"}


def _widen(found: Json, name: str, known: str, done: dict[str, str]) -> None:
    """Put in what the table of known fields has beyond the model, and go on where it says how.

    done: schema name -> known type of what has been widened.
    """
    if name in done:
        return
    done[name] = known
    schema = found.setdefault(name, {"type": "object"})
    properties: Json = schema.setdefault("properties", {})
    for old in [field for field in properties if field not in TYPES[known]]:
        del properties[old]  # another version of the kind has it
    for field, (inner, executed) in TYPES[known].items():
        own = properties.setdefault(field, {"type": "object"})
        if inner:
            target = _target(own) or inner
            if _is_map(own):
                properties[field] = _reference(target)
            elif _is_list_of_maps(own):
                properties[field] = {"type": "array", "items": _reference(target)}
            _widen(found, target, inner, done)
        if not executed:
            properties[field]["description"] = "Stored, but nothing here acts on it."
    if not properties:
        del schema["properties"]


def _target(schema: Json) -> str | None:
    inner = schema.get("items", schema)
    return inner["allOf"][0]["$ref"].removeprefix(_AT) if "allOf" in inner else None


def _is_map(schema: Json) -> bool:
    return schema.get("type") == "object" and "properties" not in schema


def _is_list_of_maps(schema: Json) -> bool:
    return schema.get("type") == "array" and "allOf" not in schema["items"] and schema["items"].get("type") == "object"


def _reference(name: str) -> Json:
    return {"allOf": [{"$ref": _AT + name}]}


def _describe(name: str, schema: Json, whole: bool) -> None:
    if name in WORDS:
        schema["description"] = WORDS[name]
    for field, inner in schema.get("properties", {}).items():
        words = WORDS.get(f"{name}.{field}") or (FIELDS.get(field) if whole else None)
        if words and "description" not in inner:
            inner["description"] = words
