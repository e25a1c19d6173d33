"""Which host, when chance alone decides? Every host alike; weights do not count (Envoy's RANDOM)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic

from mesh.balance.host import H

if TYPE_CHECKING:
    import random


class Random(Generic[H]):
    __slots__ = ("_hosts", "_rng")

    def __init__(self, hosts: Sequence[H], rng: random.Random) -> None:
        self._hosts = tuple(hosts)
        self._rng = rng

    def pick(self, hash_value: int | None = None, attempt: int = 0) -> H | None:
        hosts = self._hosts
        return hosts[int(self._rng.random() * len(hosts))] if hosts else None
