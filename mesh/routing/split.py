"""Which of a route's weighted clusters takes this request?

One number modulo the total weight walks the cumulative weights in list order, as Envoy does; the total need not
be 100 and a weight of zero is never drawn. The number is the request's own draw, an integer header, or the
request's hash. A choice carries the finished header plans of its cluster.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from mesh.routing.headers import HeaderPlan
from mesh.routing.request import Request, header

_UNSIGNED = re.compile(rb"\+?[0-9]+")


@dataclass(frozen=True, slots=True)
class ClusterChoice:
    """Where a request goes. The first four names are those of Route, so either can be read in its place."""

    cluster: bytes
    request_mutation: HeaderPlan | None = None
    response_mutation: HeaderPlan | None = None
    host_rewrite: bytes | None = None
    """The route's own rewrite goes before the cluster's; Route.host_rewriter before both, where it answers."""
    weight: int = 0
    subset: tuple[tuple[str, str], ...] = ()


class WeightedClusters:
    """Clusters with weights; `pick` maps a 64-bit number to one of them."""

    __slots__ = ("_ends", "_table", "choices", "header_name", "total", "use_hash")

    def __init__(self, choices: Sequence[ClusterChoice], header_name: bytes = b"", use_hash: bool = False) -> None:
        self.choices = tuple(choices)
        self.header_name = header_name
        self.use_hash = use_hash
        self._ends: list[int] = []
        total = 0
        for choice in choices:
            total += choice.weight
            self._ends.append(total)
        self.total = total
        # One lookup instead of a search, for the totals that people write.
        self._table: list[ClusterChoice] | None = None
        if total <= 1000:
            self._table = [choice for choice in self.choices for _ in range(choice.weight)]

    def pick(self, number: int) -> ClusterChoice:
        """The choice for a number (unsigned 64-bit): the first cluster whose cumulative weight exceeds it."""
        number %= self.total
        if self._table is not None:
            return self._table[number]
        return self.choices[bisect_right(self._ends, number)]

    def choose(self, request: Request, hash_value: int | None = None) -> ClusterChoice:
        """The choice for a request: its header's number, its hash, or its draw, in that order."""
        if self.header_name:
            value = header(request.headers, self.header_name)
            if value is not None and _UNSIGNED.fullmatch(value) and int(value) < 1 << 64:
                return self.pick(int(value))
        if self.use_hash and hash_value is not None:
            return self.pick(hash_value)
        return self.pick(request.draw())
