"""Which host has the fewest requests under way?

Equal weights: `choice_count` random draws, with replacement; a later draw wins only with strictly fewer active
requests, so idle hosts are picked at random. Different weights: the weighted queue of `edf`, where a busy host's
weight shrinks to weight / (active + 1)^bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic

from mesh.balance.edf import Edf
from mesh.balance.host import H, equal_weights

if TYPE_CHECKING:
    import random


class LeastRequest(Generic[H]):
    __slots__ = ("_bias", "_choices", "_edf", "_hosts", "_rng")

    def __init__(
        self,
        hosts: Sequence[H],
        rng: random.Random,
        choice_count: int = 2,
        bias: float = 1.0,
        done: int | None = None,
    ) -> None:
        self._hosts = tuple(hosts)
        self._rng = rng
        self._choices = choice_count
        self._bias = bias
        self._edf: Edf[H] | None = None
        if hosts and not equal_weights(hosts):
            self._edf = Edf(hosts, rng.getrandbits(32) if done is None else done, self._weight)

    def _weight(self, host: H) -> float:
        if self._bias == 1.0:
            return host.weight / (host.active + 1)
        if self._bias == 0.0:
            return float(host.weight)
        return float(host.weight / (host.active + 1) ** self._bias)

    def pick(self, hash_value: int | None = None, attempt: int = 0) -> H | None:
        if self._edf is not None:
            return self._edf.pick()
        hosts = self._hosts
        size = len(hosts)
        if size <= 1:
            return hosts[0] if hosts else None
        draw = self._rng.random
        best = hosts[int(draw() * size)]
        for _ in range(self._choices - 1):
            other = hosts[int(draw() * size)]
            if other.active < best.active:
                best = other
        return best
