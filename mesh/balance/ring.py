"""Which host owns a hash on a consistent ring?

Each host puts points on a circle of 64-bit numbers, as many as its share of the weights; a hash belongs to the first
point at or after it. Removing a host moves only its own keys. The number of points is accumulated in doubles,
exactly as Envoy does it (11 equal hosts with 64 points wanted make 65).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Generic

from mesh.balance.hashing import murmur, xx
from mesh.balance.host import H

if TYPE_CHECKING:
    import random

MURMUR = "MURMUR_HASH_2"


class Ring(Generic[H]):
    """`weights`: normalised shares in place of the hosts' own weights (locality weighting)."""

    __slots__ = ("_hosts", "_points", "_rng", "counts")

    def __init__(
        self,
        hosts: Sequence[H],
        rng: random.Random,
        minimum: int = 1024,
        maximum: int = 8_388_608,
        hash_function: str = "XX_HASH",
        weights: Sequence[float] | None = None,
    ) -> None:
        self._rng = rng
        self.counts: list[int] = []
        """Points of each host."""
        pairs = self._place(hosts, shares(hosts) if weights is None else weights, minimum, maximum, hash_function)
        pairs.sort(key=lambda pair: pair[0])
        self._points = [point for point, _ in pairs]
        self._hosts = [host for _, host in pairs]

    def _place(
        self, hosts: Sequence[H], weights: Sequence[float], minimum: int, maximum: int, hash_function: str
    ) -> list[tuple[int, H]]:
        if not hosts:
            return []
        hash_of = murmur if hash_function == MURMUR else xx
        smallest = min(weights)
        scale = min(ceil(smallest * minimum) / smallest, float(maximum))
        pairs = []
        current = target = 0.0
        for host, weight in zip(hosts, weights, strict=True):
            prefix = host.key + b"_"
            target += scale * weight
            n = 0
            while current < target:
                pairs.append((hash_of(prefix + str(n).encode()), host))
                n += 1
                current += 1
            self.counts.append(n)
        return pairs

    def __len__(self) -> int:
        return len(self._points)

    def pick(self, hash_value: int | None = None, attempt: int = 0) -> H | None:
        """The owner of `hash_value` (None: a random one); attempt n walks n points further."""
        points = self._points
        if not points:
            return None
        if hash_value is None:
            hash_value = self._rng.getrandbits(64)
        return self._hosts[(bisect_left(points, hash_value) + attempt) % len(points)]


def shares(hosts: Sequence[H]) -> list[float]:
    """Each host's part of the sum of weights."""
    total = sum(host.weight for host in hosts)
    return [host.weight / total for host in hosts]
