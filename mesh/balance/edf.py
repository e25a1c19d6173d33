"""How do weighted hosts take turns?

Earliest deadline first: a host's deadline is the time of its last pick plus 1/weight; ties go to the one queued
first. Within a period of sum(weights) picks every host comes up exactly weight times. The queue starts as if a
random number of picks had been made (Envoy's way of keeping many proxies out of step): closed formula for most of
them, the rest are made for real. Arithmetic is in doubles, as in Envoy, because rounding decides ties.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from math import floor
from typing import Generic, TypeVar

T = TypeVar("T")

_EPSILON = 1e-13
"""Added to weights while skipping ahead, so that exact multiples come out first-queued-first."""
_RANGE = 429_496_729


class Edf(Generic[T]):
    """`done`: a random 32-bit number; modulo a constant it is the number of picks considered made.

    `weight`: of a host at the moment it is queued again (it may depend on its active requests).
    """

    __slots__ = ("_heap", "_now", "_order", "_weight")

    def __init__(self, hosts: Sequence[T], done: int, weight: Callable[[T], float]) -> None:
        self._weight = weight
        self._now = 0.0
        self._order = 0
        self._heap: list[tuple[float, int, T]] = []
        picks = done % _RANGE
        weights = [weight(host) + _EPSILON for host in hosts]
        total = 0.0
        for w in weights:
            total += w
        left = picks
        for host, w in zip(hosts, weights, strict=True):
            taken = floor(w * picks / total)
            if taken > 0 and taken / w >= picks / total:
                taken -= 1
            left -= taken
            self._push((taken + 1) / w, host)
        for _ in range(left):
            self.pick()

    def _push(self, deadline: float, host: T) -> None:
        heapq.heappush(self._heap, (deadline, self._order, host))
        self._order += 1

    def pick(self) -> T:
        """The host whose turn it is (there is at least one)."""
        deadline, _, host = self._heap[0]
        self._now = deadline
        heapq.heapreplace(self._heap, (deadline + 1.0 / self._weight(host), self._order, host))
        self._order += 1
        return host
