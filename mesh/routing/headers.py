"""Which headers does a route take away, set and add, and in what order?

Levels are applied one after another: the weighted cluster's first, then route, virtual host and all (these three in
reverse with most_specific_header_mutations_wins). Inside a level: removals, then overwrites, then additions, with
every value written before anything is added. Overwriting moves a header to the end; an empty value is dropped
unless keep_empty_value is set.

A level that only adds constant text (the usual one) is kept as a ready tuple, so that applying it is one
list.extend.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.routing.decision import Decision
from mesh.routing.errors import Refused, join
from mesh.routing.request import Headers
from mesh.routing.substitution import Format, compile_format

APPEND = "APPEND_IF_EXISTS_OR_ADD"
ADD_IF_ABSENT = "ADD_IF_ABSENT"
OVERWRITE = "OVERWRITE_IF_EXISTS_OR_ADD"
OVERWRITE_IF_EXISTS = "OVERWRITE_IF_EXISTS"
_ACTIONS = {0: APPEND, 1: ADD_IF_ABSENT, 2: OVERWRITE, 3: OVERWRITE_IF_EXISTS}
IN_PLACE = frozenset({b"server"})
"""Headers that Envoy overwrites where they stand."""


@dataclass(frozen=True, slots=True)
class Entry:
    name: bytes
    value: bytes | Format
    action: str = APPEND
    keep_empty: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    remove: frozenset[bytes] = frozenset()
    entries: tuple[Entry, ...] = ()
    constant: tuple[tuple[bytes, bytes], ...] | None = None
    """The lines to add, when that is all there is to do."""


@dataclass(frozen=True, slots=True)
class HeaderPlan:
    levels: tuple[Level, ...]


def apply(plan: HeaderPlan, headers: Headers, decision: Decision) -> None:
    """Change `headers` in place. `decision` feeds the format strings (its request and response headers too)."""
    for level in plan.levels:
        if level.constant is not None:
            headers.extend(level.constant)
        else:
            _apply_level(level, headers, decision)


def _apply_level(level: Level, headers: Headers, decision: Decision) -> None:
    if level.remove:
        remove = level.remove
        headers[:] = [line for line in headers if line[0] not in remove]
    overwrites: Headers = []
    additions: Headers = []
    for entry in level.entries:
        value = entry.value if isinstance(entry.value, bytes) else entry.value(decision)
        if not value and not entry.keep_empty:
            continue
        action = entry.action
        if action == APPEND:
            additions.append((entry.name, value))
            continue
        present = any(name == entry.name for name, _ in headers)
        if action == ADD_IF_ABSENT:
            if not present:
                additions.append((entry.name, value))
        elif present or action == OVERWRITE:
            overwrites.append((entry.name, value))
    for name, value in overwrites:
        overwrite(headers, name, value)
    headers.extend(additions)


def overwrite(headers: Headers, name: bytes, value: bytes) -> None:
    """Leave one line called `name`: at the end, or where it stood for the names of IN_PLACE."""
    place = -1
    for i, line in enumerate(headers):
        if line[0] == name:
            place = i
            break
    if place < 0:
        headers.append((name, value))
        return
    if name in IN_PLACE:
        headers[place] = (name, value)
        headers[place + 1 :] = [line for line in headers[place + 1 :] if line[0] != name]
        return
    headers[:] = [line for line in headers if line[0] != name]
    headers.append((name, value))


def compile_level(add: Iterable[Any], remove: Iterable[str], at: str, which: str) -> Level | None:
    """The level of one object's `WHICH_headers_to_add` and `_to_remove` (which: request or response)."""
    entries = tuple(_entry(option, join(at, f"{which}_headers_to_add[{i}]")) for i, option in enumerate(add))
    names = frozenset(_name(name, join(at, f"{which}_headers_to_remove[{i}]"), which) for i, name in enumerate(remove))
    if not entries and not names:
        return None
    constant: list[tuple[bytes, bytes]] | None = [] if not names else None
    for entry in entries:
        if constant is None or entry.action != APPEND or not isinstance(entry.value, bytes):
            constant = None
            break
        if entry.value or entry.keep_empty:
            constant.append((entry.name, entry.value))
    return Level(names, entries, None if constant is None else tuple(constant))


def plan_of(levels: Sequence[Level | None]) -> HeaderPlan | None:
    """One plan of several levels, in the order of application; None when there is nothing to do."""
    kept: list[Level] = []
    for level in levels:
        if level is None:
            continue
        if kept and kept[-1].constant is not None and level.constant is not None:
            joined = kept[-1].constant + level.constant
            kept[-1] = Level(frozenset(), kept[-1].entries + level.entries, joined)
        else:
            kept.append(level)
    return HeaderPlan(tuple(kept)) if kept else None


def _entry(option: Any, at: str) -> Entry:
    name = _name(option.header.key, join(at, "header.key"), "")
    value = compile_format(option.header.value, join(at, "header.value"))
    if option.HasField("append"):
        action = APPEND if option.append.value else OVERWRITE
    else:
        action = _ACTIONS[option.append_action]
    return Entry(name, value, action, option.keep_empty_value)


def _name(name: str, at: str, which: str) -> bytes:
    low = name.lower()
    if not low:
        raise Refused(at, "is empty; name a header")
    if low.startswith(":") or low == "host":
        raise Refused(at, f"{low} is not changed by header mutations; use host_rewrite_literal or prefix_rewrite")
    return low.encode()
