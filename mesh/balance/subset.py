"""Which hosts of a cluster carry the labels that a route asks for?

A cluster names the label keys by which its hosts are grouped; each combination of values that occurs gets a Pool of its
own. A request for a combination that does not exist gets nobody, anybody, or the default subset, as the cluster says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Generic, Protocol

from mesh.balance.host import H
from mesh.balance.pool import Member, Pool, PoolOptions

if TYPE_CHECKING:
    import random

ANY_ENDPOINT = "ANY_ENDPOINT"
DEFAULT_SUBSET = "DEFAULT_SUBSET"
Labels = tuple[tuple[str, str], ...]
"""Sorted pairs."""


class SubsetOptions(PoolOptions, Protocol):
    @property
    def subset_keys(self) -> tuple[tuple[str, ...], ...]: ...
    @property
    def subset_fallback(self) -> str: ...
    @property
    def default_subset(self) -> Labels: ...


class SubsetPools(Generic[H]):
    """`pool(labels)` -> the Pool for a route's labels."""

    __slots__ = ("_fallback", "_options", "_policy", "_pools", "_rng", "everybody")

    def __init__(self, policy: str, options: SubsetOptions, rng: random.Random) -> None:
        self._policy = policy
        self._options = options
        self._rng = rng
        self._pools: dict[Labels, Pool[H]] = {}
        self.everybody: Pool[H] = Pool(policy, options, rng)
        """For routes that ask for no labels."""
        self._fallback: Pool[H] | None = None

    def update(self, members: Sequence[tuple[Member[H], Mapping[str, str]]]) -> None:
        """Take over (member, its labels), in configuration order."""
        self.everybody.update([member for member, _ in members])
        groups: dict[Labels, list[Member[H]]] = {}
        for member, labels in members:
            for keys in self._options.subset_keys:
                if all(key in labels for key in keys):
                    groups.setdefault(tuple((key, labels[key]) for key in sorted(keys)), []).append(member)
        self._pools = {labels: self._pool(self._pools.get(labels), group) for labels, group in groups.items()}
        self._fallback = None
        if self._options.subset_fallback == ANY_ENDPOINT:
            self._fallback = self.everybody
        elif self._options.subset_fallback == DEFAULT_SUBSET:
            wanted = self._options.default_subset
            fitting = [m for m, labels in members if all(labels.get(key) == value for key, value in wanted)]
            self._fallback = self._pool(None, fitting)

    def _pool(self, before: Pool[H] | None, members: Sequence[Member[H]]) -> Pool[H]:
        pool = before or Pool(self._policy, self._options, self._rng)
        pool.update(members)
        return pool

    def pool(self, labels: Labels) -> Pool[H] | None:
        """None: no endpoint, and the cluster wants no other."""
        if not labels or not self._options.subset_keys:
            return self.everybody
        return self._pools.get(labels, self._fallback)
