"""How do commands print? Data on stdout, everything said to a person on stderr."""

import json
import sys
from collections.abc import Sequence
from typing import Any


def say(text: str) -> None:
    """A line for the person, on stderr."""
    print(text, file=sys.stderr, flush=True)


def data(text: str) -> None:
    """A line of data, on stdout."""
    print(text, flush=True)


def as_json(value: Any, indent: int | None = 2) -> None:
    data(json.dumps(value, indent=indent))


def as_yaml(value: Any) -> None:
    import yaml

    data(yaml.safe_dump(value, sort_keys=False, default_flow_style=False).rstrip())


def columns(rows: Sequence[Sequence[str]], gap: int = 3) -> str:
    """Rows as kubectl lines them up: left-aligned columns, three blanks between, none at the end."""
    if not rows:
        return ""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "".join(cell.ljust(width + gap) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
