"""How do weighted localities share one priority's load?

Hash balancers fold a locality's share into its hosts' weights. The others draw the locality first, from an
earliest-deadline-first queue over weight * min(1, 1.4 * usable share), and then a host inside it. A locality without a
weight gets nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mesh.balance.edf import Edf
from mesh.balance.host import Balancer, H

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Zone(Generic[T]):
    """One locality of one priority: its usable hosts, in order, and how many it has at all."""

    weight: int | None
    hosts: tuple[T, ...]
    total: int


def folded_weights(zones: Sequence[Zone[H]]) -> tuple[list[H], list[float]]:
    """(hosts, normalised weights) for a hash balancer."""
    usable = [zone for zone in zones if zone.weight and zone.hosts]
    whole = sum(zone.weight or 0 for zone in usable)
    hosts: list[H] = []
    weights: list[float] = []
    for zone in usable:
        inside = sum(host.weight for host in zone.hosts)
        share = (zone.weight or 0) / whole
        for host in zone.hosts:
            hosts.append(host)
            weights.append(share * (host.weight / inside))
    return hosts, weights


@dataclass(slots=True)
class _Turn(Generic[H]):
    weight: float
    balancer: Balancer[H]


class LocalityFirst(Generic[H]):
    """A locality by weight, then a host by the locality's own balancer."""

    __slots__ = ("_queue",)

    def __init__(self, zones: Sequence[tuple[Zone[H], Balancer[H]]], overprovisioning: int = 140) -> None:
        turns = [
            _Turn(_effective(zone, overprovisioning), balancer)
            for zone, balancer in zones
            if zone.weight and zone.hosts
        ]
        self._queue: Edf[_Turn[H]] | None = Edf(turns, 0, lambda turn: turn.weight) if turns else None

    def pick(self, hash_value: int | None = None, attempt: int = 0) -> H | None:
        if self._queue is None:
            return None
        return self._queue.pick().balancer.pick(hash_value, attempt)


def _effective(zone: Zone[H], overprovisioning: int) -> float:
    share = min(1.0, overprovisioning / 100 * len(zone.hosts) / zone.total)
    return (zone.weight or 0) * share
