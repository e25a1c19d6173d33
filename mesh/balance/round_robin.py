"""Which host is next in turn?

Equal weights: the hosts in order, from a random start. Different weights: an earliest-deadline-first queue, in which
a host comes up as often as its weight says (see `edf`). When the hosts change, `after` carries the turn over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic

from mesh.balance.edf import Edf
from mesh.balance.host import H, equal_weights

if TYPE_CHECKING:
    import random


class RoundRobin(Generic[H]):
    """`start` is the first turn among equal hosts (drawn when not given); `done` see Edf."""

    __slots__ = ("_edf", "_hosts", "_next")

    def __init__(
        self,
        hosts: Sequence[H],
        rng: random.Random,
        start: int | None = None,
        done: int | None = None,
    ) -> None:
        self._hosts = tuple(hosts)
        self._edf: Edf[H] | None = None
        self._next = 0
        if not hosts:
            return
        if equal_weights(hosts):
            self._next = (rng.getrandbits(32) if start is None else start) % len(hosts)
        else:
            self._edf = Edf(hosts, rng.getrandbits(32) if done is None else done, weight_of)

    def pick(self, hash_value: int | None = None, attempt: int = 0) -> H | None:
        if self._edf is not None:
            return self._edf.pick()
        hosts = self._hosts
        i = self._next
        if i >= len(hosts):
            if not hosts:
                return None
            i = 0
        self._next = i + 1
        return hosts[i]

    def after(self, hosts: Sequence[H], rng: random.Random) -> RoundRobin[H]:
        """A balancer for changed hosts that goes on at this one's turn."""
        return RoundRobin(hosts, rng, start=self._next if self._hosts else None)


def weight_of(host: H) -> float:
    return host.weight
