"""Which requests failed, when, and whose doing was it?

A client sees a reset or a status; a person wants to know what was missing. The gateway says in the body of its own 503
what it could not do, in Envoy's words, so that its answers and the application's can be told apart.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mesh.testing.answers import Failure

NO_ENDPOINT, REFUSED, RESET, TIMEOUT, APPLICATION = "no endpoint", "refused", "reset", "timeout", "5xx from the app"
_SAID = (
    (b"no healthy upstream", NO_ENDPOINT),
    (b"delayed connect error: 111", REFUSED),
    (b"connection refused", REFUSED),
    (b"remote connection failure", REFUSED),
    (b"connection timeout", TIMEOUT),
    (b"upstream request timeout", TIMEOUT),
    (b"upstream connect error or disconnect/reset", RESET),
)
"""Envoy's words in a 503 or 504, the more telling ones first."""
_GAP_S = 0.5
"""Failures further apart than that belong to different lines."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Failures of one cause, close together in time. at_s: seconds of the play.  detail: of the first one."""

    cause: str
    begin_s: float
    end_s: float
    count: int
    detail: str


def cause_of(failure: Failure) -> str:
    """The cause of one failure, in a word or two."""
    if not failure.cause.isdigit():
        return failure.cause
    said = failure.detail.lower().encode()
    return next((cause for words, cause in _SAID if words in said), APPLICATION)


def entries(failures: Iterable[Failure], offset_s: float = 0.0) -> list[Entry]:
    """Failures grouped by cause and stretch of time, in the order in which the stretches began."""
    open_: dict[str, Entry] = {}
    done: list[Entry] = []
    for failure in sorted(failures, key=lambda one: one.at_s):
        cause, at = cause_of(failure), failure.at_s + offset_s
        entry = open_.get(cause)
        if entry is not None and at - entry.end_s <= _GAP_S:
            open_[cause] = Entry(cause, entry.begin_s, at, entry.count + 1, entry.detail)
            continue
        if entry is not None:
            done.append(entry)
        open_[cause] = Entry(cause, at, at, 1, failure.detail)
    return sorted([*done, *open_.values()], key=lambda one: (one.begin_s, one.cause))


def total(found: Sequence[Entry]) -> dict[str, int]:
    """Failures per cause, most first."""
    sums: dict[str, int] = {}
    for entry in found:
        sums[entry.cause] = sums.get(entry.cause, 0) + entry.count
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))
