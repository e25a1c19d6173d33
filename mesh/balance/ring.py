"""Which host owns a hash on a consistent ring?

Each host puts points on a circle of 64-bit numbers, as many as its share of the weights; a hash belongs to the first
point at or after it. Removing a host moves only its own keys. The number of points is accumulated in doubles,
exactly as Envoy does it (11 equal hosts with 64 points wanted make 65).

Many proxies of one process balance over the same hosts, so the points of the last few rings are shared.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING, Generic, NamedTuple

from mesh.balance.hashing import murmur, xx
from mesh.balance.host import H

if TYPE_CHECKING:
    import random

MURMUR = "MURMUR_HASH_2"


class Points(NamedTuple):
    """A ring without its hosts. `owners[i]` is the number of the host that owns `hashes[i]`."""

    hashes: array[int]
    owners: array[int]
    counts: tuple[int, ...]


class Ring(Generic[H]):
    """`weights`: normalised shares in place of the hosts' own weights (locality weighting)."""

    __slots__ = ("_hosts", "_owners", "_points", "_rng", "counts")

    def __init__(
        self,
        hosts: Sequence[H],
        rng: random.Random,
        minimum: int = 1024,
        maximum: int = 8_388_608,
        hash_function: str = "XX_HASH",
        weights: Sequence[float] | None = None,
    ) -> None:
        self._hosts = tuple(hosts)
        self._rng = rng
        keys = tuple(host.key for host in hosts)
        parts = tuple(shares(hosts) if weights is None else weights)
        self._points, self._owners, self.counts = place(keys, parts, minimum, maximum, hash_function)

    def __len__(self) -> int:
        return len(self._points)

    def pick(self, hash_value: int | None = None, attempt: int = 0) -> H | None:
        """The owner of `hash_value` (None: a random one); attempt n walks n points further."""
        points = self._points
        if not points:
            return None
        if hash_value is None:
            hash_value = self._rng.getrandbits(64)
        return self._hosts[self._owners[(bisect_left(points, hash_value) + attempt) % len(points)]]


@lru_cache(maxsize=16)
def place(
    keys: tuple[bytes, ...], weights: tuple[float, ...], minimum: int, maximum: int, hash_function: str
) -> Points:
    """The points of hosts with these keys and normalised weights."""
    if not keys:
        return Points(array("Q"), array("I"), ())
    hash_of = murmur if hash_function == MURMUR else xx
    smallest = min(weights)
    scale = min(ceil(smallest * minimum) / smallest, float(maximum))
    pairs: list[tuple[int, int]] = []
    counts = []
    current = target = 0.0
    for owner, (key, weight) in enumerate(zip(keys, weights, strict=True)):
        prefix = key + b"_"
        target += scale * weight
        n = 0
        while current < target:
            pairs.append((hash_of(prefix + str(n).encode()), owner))
            n += 1
            current += 1
        counts.append(n)
    pairs.sort()
    return Points(array("Q", [h for h, _ in pairs]), array("I", [owner for _, owner in pairs]), tuple(counts))


def shares(hosts: Sequence[H]) -> list[float]:
    """Each host's part of the sum of weights."""
    total = sum(host.weight for host in hosts)
    return [host.weight / total for host in hosts]
