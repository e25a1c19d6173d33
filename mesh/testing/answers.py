"""What came back: which version answered, how fast, and what failed why?

One row a request, kept as columns, so that a hundred thousand requests are a few megabytes. A request failed when no
whole answer came (refused, reset, timeout) or when the answer is a 5xx; the cause then is the status.
"""

import re
import sys
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from mesh.testing.verdict import percentile

_VERSION = re.compile(rb"\bVersion: *([^\s,]+)|\"version\": *\"([^\"]+)\"")
_POD = re.compile(rb"\bHost: *([^\s,]+)|\"pod\": *\"([^\"]+)\"")
_DETAILS_KEPT = 100_000
"""More than any outage brings; a bound all the same."""
NO_VERSION = "-"
"""Stands where a good answer names no version."""
FAILED = "failed"
"""Stands where no good answer came."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed request. at_s: seconds after the load began, when it was given up."""

    at_s: float
    cause: str
    detail: str


@dataclass(slots=True)
class Answers:
    """All that one load brought back, in the order of completion."""

    begin: float = 0.0
    elapsed_s: float = 0.0
    at_s: "array[float]" = field(default_factory=lambda: array("d"))
    took_ms: "array[float]" = field(default_factory=lambda: array("d"))
    who: list[str] = field(default_factory=list)
    """The version that answered, NO_VERSION or FAILED, a row each."""
    versions: Counter[str] = field(default_factory=Counter)
    """Good answers only."""
    pods: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    """The first ones, with their details; `causes` counts all."""

    def answered(self, since: float, now: float, status: int, body: bytes) -> None:
        """An answer came. since, now: monotonic."""
        self.statuses[status] += 1
        if status >= 500:
            text = body[:120].decode("latin-1").strip().splitlines()
            self.failed(since, now, str(status), text[0] if text else "")
            return
        version = _first(_VERSION, body)
        self.versions[version] += 1
        self.pods[_first(_POD, body)] += 1
        self._row(since, now, version)

    def failed(self, since: float, now: float, cause: str, detail: str) -> None:
        """No good answer came."""
        self.causes[cause] += 1
        if len(self.failures) < _DETAILS_KEPT:
            self.failures.append(Failure(now - self.begin, cause, detail))
        self._row(since, now, FAILED)

    def _row(self, since: float, now: float, who: str) -> None:
        self.at_s.append(now - self.begin)
        self.took_ms.append((now - since) * 1000)
        self.who.append(who)

    @property
    def sent(self) -> int:
        return len(self.who)

    @property
    def good(self) -> int:
        return self.versions.total()

    @property
    def errors(self) -> int:
        return self.causes.total()

    def latency_ms(self, *quantiles: float) -> Iterator[float]:
        """The percentiles of all requests, failed ones included (a timeout is a slow answer)."""
        ordered = sorted(self.took_ms)
        return (percentile(ordered, quantile) for quantile in quantiles)


def _first(pattern: re.Pattern[bytes], body: bytes) -> str:
    found = pattern.search(body)
    return sys.intern((found[1] or found[2]).decode("latin-1")) if found else NO_VERSION
