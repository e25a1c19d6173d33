"""How much of a cluster's load does each priority take, and does it still look at health?

Health of a priority = min(100, 1.4 * healthy share); the load fills priorities in order, and what healthy hosts cannot
take goes to degraded ones. A priority panics, and uses all its hosts, when the cluster as a whole is short of health
and its own share is below the threshold; when every priority panics, the load follows the number of hosts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HEALTHY = "HEALTHY"
DEGRADED = "DEGRADED"
UNHEALTHY = "UNHEALTHY"
DRAINING = "DRAINING"
"""Takes nothing new, and is left out where hosts are counted: who goes on purpose is no sign of trouble."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many hosts of a priority are healthy, degraded, and there at all."""

    healthy: int
    degraded: int
    hosts: int


@dataclass(frozen=True, slots=True)
class Load:
    """Per cent of the cluster's load for the healthy and the degraded hosts of a priority."""

    healthy: int
    degraded: int
    panic: bool = False


def loads(counts: Sequence[Count], overprovisioning: int = 140, panic_threshold: float = 50.0) -> tuple[Load, ...]:
    """One Load for each priority; they sum to 100 unless there is no host."""
    if not counts:
        return ()
    health = [_share(count.healthy, count.hosts, overprovisioning) for count in counts]
    degraded = [_share(count.degraded, count.hosts, overprovisioning) for count in counts]
    total = min(100, sum(health) + sum(degraded))
    panics = [total < 100 and _below(count, panic_threshold) for count in counts]
    if all(panics):
        return _by_hosts(counts)
    if total == 0:
        return tuple(Load(100 if i == 0 else 0, 0, panic) for i, panic in enumerate(panics))
    to_healthy, left = _fill(health, total, 100)
    to_degraded, left = _fill(degraded, total, left)
    if left:
        # What rounding left over goes to the first priority that has health.
        first = next((i for i, value in enumerate(health) if value), None)
        if first is not None:
            to_healthy[first] += left
        else:
            to_degraded[next(i for i, value in enumerate(degraded) if value)] += left
    return tuple(Load(h, d, p) for h, d, p in zip(to_healthy, to_degraded, panics, strict=True))


def _share(part: int, hosts: int, overprovisioning: int) -> int:
    return min(100, overprovisioning * part // hosts) if hosts else 0


def _below(count: Count, threshold: float) -> bool:
    share = 100.0 * (count.healthy + count.degraded) / count.hosts if count.hosts else 0.0
    return share < threshold


def _fill(availability: Sequence[int], total: int, left: int) -> tuple[list[int], int]:
    filled = []
    for value in availability:
        load = min(left, value * 100 // total)
        left -= load
        filled.append(load)
    return filled, left


def _by_hosts(counts: Sequence[Count]) -> tuple[Load, ...]:
    hosts = sum(count.hosts for count in counts)
    if not hosts:
        return tuple(Load(0, 0, True) for _ in counts)
    parts = [100 * count.hosts // hosts for count in counts]
    parts[next(i for i, count in enumerate(counts) if count.hosts)] += 100 - sum(parts)
    return tuple(Load(part, 0, True) for part in parts)
