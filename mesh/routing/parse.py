"""How does a document that people wrote become a message?

Protobuf's own JSON reader does the work (lower_snake and lowerCamel names, durations, enumerations by name). What it
says of a mistake is turned into the field path of the document and one sentence about what would be right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from google.protobuf import json_format

from mesh.routing.errors import Refused, join
from mesh.routing.supported import EXECUTED
from mesh.routing.typed_configs import load

_UNKNOWN = re.compile(r'Message type "([^"]+)" has no field named "([^"]+)" at "([^"]*)"')
_PLACED = re.compile(r'(.*?)\.? at "?([A-Z]\w+(?:\.[^\s"]*)?)"?\.?$', re.DOTALL)
_STEP = re.compile(r"Failed to parse (\w+) field: ")


def parse(document: Mapping[str, Any], message: Any) -> Any:
    """`message`, filled from `document`; Refused where it does not fit."""
    _load_types(document, "")
    try:
        return json_format.ParseDict(dict(document), message)
    except (json_format.ParseError, TypeError, ValueError) as error:
        raise Refused(*_explain(" ".join(str(error).split()))) from None


def _load_types(value: Any, at: str) -> None:
    """Import the module of every @type; Refused where a type is not executed."""
    if isinstance(value, Mapping):
        kind = value.get("@type")
        if isinstance(kind, str) and not load(kind):
            raise Refused(at, f"{kind.rpartition('/')[2]} is not executed; leave it out")
        for key, inner in value.items():
            _load_types(inner, join(at, str(key)))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            _load_types(inner, f"{at}[{i}]")


def _explain(text: str) -> tuple[str, str]:
    """(field path, sentence) for a complaint of protobuf's."""
    unknown = _UNKNOWN.search(text)
    if unknown is not None:
        kind, field, place = unknown.groups()
        return join(_path(place), field), _no_such_field(kind, field)
    steps = _STEP.findall(text)
    rest = _STEP.sub("", text).rstrip(".")
    placed = _PLACED.search(rest)
    if placed is not None:
        return _path(placed[2]), placed[1]
    return ".".join(steps), rest


def _path(place: str) -> str:
    """The path without the name of the outermost message, nor the `value` of a wrapped scalar."""
    return place.partition(".")[2].removesuffix(".value")


def _no_such_field(kind: str, field: str) -> str:
    name = kind.rpartition(".")[2]
    known = sorted(EXECUTED.get(kind, ()))
    close = get_close_matches(field, known, n=1)
    if close:
        return f"is not a field of {name}; did you mean {close[0]}?"
    return f"is not a field of {name}; use {', '.join(known)}" if known else f"is not a field of {name}; leave it out"
