"""Does a configuration ask for anything that the proxy does not execute?

One walk over a message, before it is compiled, against the tables in `supported`: the first thing that is not in
them is refused with its field path. So a field that Envoy knows and this proxy does not can never be skipped in
silence. Any messages are unpacked and walked too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor_pool, message_factory

from mesh.routing.errors import Refused, join
from mesh.routing.supported import EXECUTED, HINTS, OPAQUE, VALUES

_ANY = "google.protobuf.Any"


def refuse_unexecuted(message: Any, at: str = "") -> None:
    """Raise Refused for the first field or type that is not executed."""
    descriptor = message.DESCRIPTOR
    kind = descriptor.full_name
    if kind == _ANY:
        _check_any(message, at)
        return
    if kind in OPAQUE or kind.startswith("google.protobuf."):
        return
    executed = EXECUTED.get(kind)
    if executed is None:
        raise Refused(at, f"{kind} is not executed; leave it out")
    for field, value in message.ListFields():
        where = join(at, field.name)
        if field.name not in executed:
            raise Refused(where, _sentence(descriptor, field, executed))
        if field.enum_type is not None:
            _check_enum(kind, field, value, where)
        elif field.message_type is not None:
            for item, place in _items(field, value, where):
                refuse_unexecuted(item, place)


def unpack(packed: Any, at: str) -> Any:
    """The message inside an Any of an executed type."""
    name = packed.type_url.rpartition("/")[2]
    if name not in EXECUTED:
        raise Refused(at, f"{name or 'an empty typed_config'} is not executed; leave it out")
    message = message_class(name)()
    if not packed.Unpack(message):
        raise Refused(at, f"does not hold a {name}")
    return message


def message_class(name: str) -> Any:
    """The class of an executed message type; its module must have been imported (see typed_configs)."""
    return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name))


def _check_any(packed: Any, at: str) -> None:
    from mesh.routing import typed_configs

    typed_configs.load(packed.type_url)
    refuse_unexecuted(unpack(packed, at), at)


def _check_enum(kind: str, field: Any, value: Any, where: str) -> None:
    allowed = VALUES.get((kind, field.name))
    if allowed is None:
        return
    name = field.enum_type.values_by_number[value].name if value in field.enum_type.values_by_number else str(value)
    if name not in allowed:
        raise Refused(where, f"{name} is not executed; use {' or '.join(allowed)}")


def _items(field: Any, value: Any, where: str) -> Iterator[tuple[Any, str]]:
    message_type = field.message_type
    if message_type.GetOptions().map_entry:
        if message_type.fields_by_name["value"].message_type is not None:
            for key in value:
                yield value[key], f'{where}["{key}"]'
    elif getattr(field, "is_repeated", False):
        for i, item in enumerate(value):
            yield item, f"{where}[{i}]"
    else:
        yield value, where


def _sentence(descriptor: Any, field: Any, executed: frozenset[str]) -> str:
    hint = HINTS.get((descriptor.full_name, field.name))
    if hint is None:
        group = field.containing_oneof
        others = [] if group is None else [f.name for f in group.fields if f.name in executed]
        hint = f"use {' or '.join(others)}" if others else "leave it out"
    return f"is not executed; {hint}"
