"""Which fields of an object are unknown, and which are stored but not executed?"""

from dataclasses import dataclass
from typing import Any

from mesh.api.errors import BadRequest
from mesh.api.known_fields import TYPES, type_of
from mesh.api.scheme import Kind

Json = dict[str, Any]
_MOST_WARNINGS = 20


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
    name = None if kind.custom else type_of(kind.kind, api_version)
    if name is None:
        return Findings()
    unknown: list[str] = []
    idle: list[str] = []
    _look(obj, name, "", unknown, idle)
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
    if not kind.executed:
        warnings.append(f"{kind.kind} is stored, but nothing here acts on it")
    if len(warnings) > _MOST_WARNINGS:
        rest = len(warnings) - _MOST_WARNINGS
        return [*warnings[:_MOST_WARNINGS], f"and {rest} more fields that are unknown or not acted on"]
    return warnings


def _look(value: Any, type_name: str, path: str, unknown: list[str], idle: list[str]) -> None:
    """Go through a value of that type; paths are only put together where something is found or goes deeper."""
    if isinstance(value, list):
        for position, item in enumerate(value):
            _look(item, type_name, f"{path}[{position}]", unknown, idle)
        return
    if not isinstance(value, dict):
        return
    fields = TYPES[type_name]
    for key, item in value.items():
        known = fields.get(key)
        if known is None:
            unknown.append(_join(path, key))
        elif not known[1]:
            # Empty values and defaults say nothing: clients send them back with a whole object.
            if item not in (None, {}, [], "", False):
                idle.append(_join(path, key))
        elif known[0]:
            _look(item, known[0], _join(path, key), unknown, idle)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else str(key)
