"""Which fields of an object are unknown, and which are stored but not executed?"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mesh.api.errors import BadRequest
from mesh.api.known_fields import TYPES, type_of
from mesh.api.scheme import Kind

Json = dict[str, Any]
_MOST_WARNINGS = 20
_KEEP_CLAIMS = {"whenDeleted": "Retain", "whenScaled": "Retain"}


@dataclass(frozen=True, slots=True)
class Findings:
    """Paths in the order they were met."""

    unknown: tuple[str, ...] = ()
    not_executed: tuple[str, ...] = ()

    def without(self, before: "Findings") -> "Findings":
        """What is new against an earlier state of the object."""
        return Findings(
            tuple(path for path in self.unknown if path not in before.unknown),
            tuple(path for path in self.not_executed if path not in before.not_executed),
        )


def findings(kind: Kind, obj: Json, api_version: str) -> Findings:
    """Look through an object as it was written, before defaults."""
    name = type_of(kind.kind, api_version)
    if name is None:
        return Findings()
    unknown, idle = [], []
    for field in walk(obj, name):
        if not field.known:
            unknown.append(field.path)
        elif not field.executed and _means_something(field):
            idle.append(field.path)
    return Findings(tuple(unknown), tuple(idle))


def judge(kind: Kind, found: Findings, api_version: str, field_validation: str) -> list[str]:
    """The warnings to send along. Raises BadRequest for unknown fields under Strict.

    field_validation: Strict, Warn (also when empty) or Ignore.
    """
    if field_validation not in ("", "Strict", "Warn", "Ignore"):
        raise BadRequest(f'fieldValidation: "{field_validation}": use Strict, Warn or Ignore')
    if field_validation == "Strict" and found.unknown:
        listed = ", ".join(f'unknown field "{path}"' for path in found.unknown)
        version = api_version.rpartition("/")[2]
        raise BadRequest(
            f'{kind.kind} in version "{version}" cannot be handled as a {kind.kind}: strict decoding error: {listed}'
        )
    warnings = [] if field_validation == "Ignore" else [f'unknown field "{path}"' for path in found.unknown]
    warnings += [f"{path} is stored, but nothing here acts on it" for path in found.not_executed]
    if len(warnings) > _MOST_WARNINGS:
        rest = len(warnings) - _MOST_WARNINGS
        return [*warnings[:_MOST_WARNINGS], f"and {rest} more fields that are unknown or not acted on"]
    return warnings


@dataclass(frozen=True, slots=True)
class Field:
    """One field that an object has. type_name: of the object that it stands in."""

    path: str
    type_name: str
    key: str
    value: Any
    known: bool
    executed: bool


def walk(value: Any, type_name: str, path: str = "") -> Iterator[Field]:
    """Every field of a value of that type, and of the values in it as far as their types are known."""
    if isinstance(value, list):
        for position, item in enumerate(value):
            yield from walk(item, type_name, f"{path}[{position}]")
        return
    if not isinstance(value, dict):
        return
    fields = TYPES[type_name]
    for key, item in value.items():
        where = f"{path}.{key}" if path else str(key)
        inner, executed = fields.get(key, ("", False))
        yield Field(where, type_name, key, item, key in fields, executed)
        if inner and executed:
            yield from walk(item, inner, where)


def _means_something(field: Field) -> bool:
    """False for empty values and defaults, which clients send back with a whole object."""
    return field.value not in (None, {}, [], "", False, _KEEP_CLAIMS)
