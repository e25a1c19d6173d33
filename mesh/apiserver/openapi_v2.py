"""What do old clients read before they dare to patch or to try a dry run?

A protobuf message (gnostic's OpenAPI v2 Document) with one PATCH operation for each kind, and the definitions of the
kinds that are Kubernetes' own.
"""

from collections.abc import Iterable
from typing import Any

import orjson

CONTENT_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
Json = dict[str, Any]


def document(title: str, version: str, paths: Iterable[tuple[str, Json]], definitions: Json) -> bytes:
    """The message. paths: (path, {"patch": operation}) as in OpenAPI v3. definitions: name -> schema of v2."""
    named = b"".join(_named(1, name, _schema(schema)) for name, schema in definitions.items())
    items = b"".join(_text(2, _text(1, path) + _text(2, _text(8, _operation(item["patch"])))) for path, item in paths)
    return _text(1, "2.0") + _text(2, _text(1, title) + _text(2, version)) + _text(8, items) + _text(9, named)


def _operation(operation: Json) -> bytes:
    parameters = b"".join(_parameter(parameter["name"]) for parameter in operation["parameters"])
    answer = _text(1, "200") + _text(2, _text(1, _text(1, "OK")))
    return parameters + _text(9, _text(1, answer)) + _extensions(13, operation)


def _schema(schema: Json) -> bytes:
    out = _text(1, schema["$ref"]) if "$ref" in schema else b""
    for number, name in ((2, "format"), (4, "description")):
        if name in schema:
            out += _text(number, schema[name])
    out += b"".join(_text(19, name) for name in schema.get("required", ()))
    if "additionalProperties" in schema:
        out += _text(21, _text(1, _schema(schema["additionalProperties"])))
    if "type" in schema:
        out += _text(22, _text(1, schema["type"]))
    if "items" in schema:
        out += _text(23, _text(1, _schema(schema["items"])))
    if "properties" in schema:
        out += _text(25, b"".join(_named(1, name, _schema(inner)) for name, inner in schema["properties"].items()))
    return out + _extensions(31, schema)


def _extensions(number: int, part: Json) -> bytes:
    found = ((name, value) for name, value in part.items() if name.startswith("x-"))
    return b"".join(_named(number, name, _text(2, orjson.dumps(value))) for name, value in found)


def _named(number: int, name: str, value: bytes) -> bytes:
    return _text(number, _text(1, name) + _text(2, value))


def _parameter(name: str) -> bytes:
    query = _text(2, "query") + _text(4, name) + _text(6, "string")
    return _text(8, _text(1, _text(2, _text(3, query))))


def _text(number: int, value: str | bytes) -> bytes:
    """A field that has a length: text, bytes, or a message."""
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
