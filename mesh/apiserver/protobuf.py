"""Which JSON does a protobuf body stand for?

Newer kubectls send `create deployment` and its sisters in Kubernetes' own envelope around protobuf messages. What is
not a pointer in Go is always written, also when it is empty, so emptiness is dropped again here.
"""

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from mesh.api.errors import BadRequest, UnsupportedMediaType
from mesh.apiserver.protobuf_tables import MESSAGES, WHOLE, WireField

Json = dict[str, Any]
MAGIC = b"k8s\0"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LARGEST_INT = 1 << 63


def decode(body: bytes) -> Json:
    """The object in the envelope. Raises BadRequest, and UnsupportedMediaType for kinds that are not read so."""
    if not body.startswith(MAGIC):
        raise BadRequest("the body is not a protobuf message in the Kubernetes envelope")
    api_version = kind = ""
    raw = b""
    for number, value in _fields(body[len(MAGIC) :]):
        if number == 1:
            for part, text in _fields(_as_bytes(value, "typeMeta")):
                if part == 1:
                    api_version = _text(text, "apiVersion")
                elif part == 2:
                    kind = _text(text, "kind")
        elif number == 2:
            raw = _as_bytes(value, "raw")
    if (api_version, kind) not in WHOLE:
        raise UnsupportedMediaType(
            f"{kind[:80] or 'this object'} in {api_version[:80] or 'no version'} cannot be read as protobuf here; "
            "send JSON (kubectl apply -f, create -f) - accepted media types include: application/json, application/yaml"
        )
    return {"apiVersion": api_version, "kind": kind, **_message(raw, WHOLE[(api_version, kind)])}


def _message(data: bytes, name: str) -> Json:
    fields = MESSAGES[name]
    found: Json = {}
    for number, value in _fields(data):
        field = fields.get(number)
        if field is None:
            if value:
                raise BadRequest(
                    f"field {number} of {name} is not read as protobuf here; send JSON (kubectl create -f)"
                )
            continue
        if field.type == "skip":
            continue
        _put(found, field, _value(field, value, f"{name}.{field.name}"))
    return found


def _put(found: Json, field: WireField, value: Any) -> None:
    if field.inline:
        found.update(value)
    elif field.type in _MAPS:
        found.setdefault(field.name, {}).update(value)
    elif field.repeated:
        found.setdefault(field.name, []).append(value)
    elif field.zero_counts or value not in ("", 0, False, None, {}):
        found[field.name] = value


def _value(field: WireField, value: int | bytes, where: str) -> Any:
    if field.type == "int":
        return _integer(value, where)
    if field.type == "bool":
        return bool(_integer(value, where))
    data = _as_bytes(value, where)
    if field.type == "text":
        return _text(data, where)
    if field.type in _MAPS:
        return _map_entry(data, where, _MAPS[field.type])
    if field.type == "Amount":
        return _amount(data, where)
    if field.type == "Time":
        return _time(data, where)
    return _number(data, where) if field.type == "Number" else _message(data, field.type)


def _map_entry(data: bytes, where: str, read: Callable[[bytes, str], str]) -> dict[str, str]:
    parts = dict(_fields(data))
    return {_text(parts.get(1, b""), where): read(_as_bytes(parts.get(2, b""), where), where)}


def _amount(data: bytes, where: str) -> str:
    return _text(dict(_fields(data)).get(1, b""), where)


def _base64(data: bytes, _where: str) -> str:
    return base64.b64encode(data).decode()


def _time(data: bytes, where: str) -> str | None:
    seconds = next((_integer(value, where) for number, value in _fields(data) if number == 1), None)
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError) as error:
        raise BadRequest(f"{where} is not a time") from error


def _number(data: bytes, where: str) -> int | str:
    parts = dict(_fields(data))
    if _integer(parts.get(1, 0), where):
        return _text(parts.get(3, b""), where)
    return _integer(parts.get(2, 0), where)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field on the wire."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = _varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise BadRequest("the protobuf body is damaged: unknown wire type")
        if at + length > len(data):
            raise BadRequest("the protobuf body is damaged: it ends too early")
        yield number, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise BadRequest("the protobuf body is damaged: it ends in the middle of a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _integer(value: int | bytes, where: str) -> int:
    if isinstance(value, bytes):
        raise BadRequest(f"{where} is not a number in the protobuf body")
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >= _LARGEST_INT else value


def _as_bytes(value: int | bytes, where: str) -> bytes:
    if isinstance(value, int):
        raise BadRequest(f"{where} is a number in the protobuf body, where it may not be one")
    return value


def _text(value: int | bytes, where: str) -> str:
    try:
        return _as_bytes(value, where).decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"{where} is not UTF-8 text in the protobuf body") from error


_MAPS: dict[str, Callable[[bytes, str], str]] = {"map": _text, "bytes-map": _base64, "amounts": _amount}
