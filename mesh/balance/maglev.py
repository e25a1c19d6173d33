"""Which host owns a hash in a Maglev table?

Every host has its own permutation of the table's slots and takes free slots in turn, more often if its weight is
larger, until the table is full; a hash looks at one slot. Hosts are sorted by key first, so their order in the
configuration does not matter.

Filling a table takes tens of milliseconds and a quarter of a megabyte, so proxies of one process that balance over
the same hosts share the last few tables.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Generic

from mesh.balance.hashing import xx
from mesh.balance.host import H
from mesh.balance.ring import shares

if TYPE_CHECKING:
    import random

TABLE_SIZE = 65_537
_WHOLE = 1 << 64


class Maglev(Generic[H]):
    """`weights`: normalised shares in place of the hosts' own weights (locality weighting)."""

    __slots__ = ("_hosts", "_rng", "_table")

    def __init__(
        self,
        hosts: Sequence[H],
        rng: random.Random,
        table_size: int = TABLE_SIZE,
        weights: Sequence[float] | None = None,
    ) -> None:
        self._rng = rng
        given = shares(hosts) if weights is None else weights
        order = sorted(range(len(hosts)), key=lambda i: hosts[i].key)
        self._hosts = [hosts[i] for i in order]
        self._table = fill(tuple(host.key for host in self._hosts), tuple(given[i] for i in order), table_size)

    def pick(self, hash_value: int | None = None, attempt: int = 0) -> H | None:
        """The owner of `hash_value` (None: a random one); each further attempt looks at another slot."""
        if not self._hosts:
            return None
        if hash_value is None:
            hash_value = self._rng.getrandbits(64)
        if attempt:
            hash_value ^= _WHOLE - attempt
        table = self._table
        return self._hosts[table[hash_value % len(table)]]


@lru_cache(maxsize=16)
def fill(keys: tuple[bytes, ...], weights: tuple[float, ...], size: int) -> array[int]:
    """The number of the host that owns each slot."""
    table = array("i", [-1]) * size
    if not keys:
        return table
    positions = [xx(key) % size for key in keys]
    skips = [xx(key, 1) % (size - 1) + 1 for key in keys]
    targets = [0.0] * len(keys)
    largest = max(weights)
    left = size
    turn = 0
    while True:
        turn += 1
        for i, weight in enumerate(weights):
            if turn * weight < targets[i]:
                continue
            targets[i] += largest
            slot, skip = positions[i], skips[i]
            while table[slot] >= 0:
                slot += skip
                if slot >= size:
                    slot -= size
            table[slot] = i
            positions[i] = (slot + skip) % size
            left -= 1
            if not left:
                return table
