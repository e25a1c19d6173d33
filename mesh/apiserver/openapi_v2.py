"""What do old clients read before they dare to patch or to try a dry run?

A protobuf message (gnostic's OpenAPI v2 Document) with one PATCH operation for each kind. There are no definitions in
it: with those an old client would refuse every field that they leave out, without them it lets the server judge.
"""

from collections.abc import Iterable
from typing import Any

import orjson

CONTENT_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
Json = dict[str, Any]


def document(title: str, version: str, paths: Iterable[tuple[str, Json]]) -> bytes:
    """The message. paths: (path, {"patch": operation}) as in OpenAPI v3."""
    items = b"".join(_text(2, _text(1, path) + _text(2, _text(8, _operation(item["patch"])))) for path, item in paths)
    return _text(1, "2.0") + _text(2, _text(1, title) + _text(2, version)) + _text(8, items)


def _operation(operation: Json) -> bytes:
    parameters = b"".join(_parameter(parameter["name"]) for parameter in operation["parameters"])
    answer = _text(1, "200") + _text(2, _text(1, _text(1, "OK")))
    extensions = b"".join(
        _text(13, _text(1, name) + _text(2, _text(2, orjson.dumps(value))))
        for name, value in operation.items()
        if name.startswith("x-")
    )
    return parameters + _text(9, _text(1, answer)) + extensions


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
