"""Which host of a cluster takes the next request, health, priorities and localities considered?

A Pool is a cluster's balancer as it lives: `update` is told the members whenever they or their health change and
builds what `pick` needs; turns of round robin carry over. In the usual case, one priority in good health, a pick is
the policy's own pick and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias

from mesh.balance.health import DEGRADED, DRAINING, HEALTHY, Count, loads
from mesh.balance.host import Balancer, H
from mesh.balance.locality import LocalityFirst, Zone, folded_weights
from mesh.balance.make import HASHED, Options, make
from mesh.balance.round_robin import RoundRobin

if TYPE_CHECKING:
    import random


class PoolOptions(Options, Protocol):
    """What a pool may be told; routing's LbOptions fits."""

    @property
    def healthy_panic_threshold(self) -> float: ...
    @property
    def overprovisioning_factor(self) -> int: ...
    @property
    def locality_weighted(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Member(Generic[H]):
    """A host and what decides whether it is used. Ejected hosts are told as UNHEALTHY."""

    host: H
    health: str = HEALTHY
    priority: int = 0
    locality: tuple[str, ...] = ()
    locality_weight: int | None = None
    hash_key: bytes | None = None
    """What ring and maglev call the host; None: its key."""


@dataclass(frozen=True, slots=True)
class _Named(Generic[H]):
    """A host under the key that a hash balancer uses."""

    host: H
    key: bytes

    @property
    def weight(self) -> int:
        return self.host.weight

    @property
    def active(self) -> int:
        return self.host.active


class _Unnamed(Generic[H]):
    """A hash balancer over named hosts that gives back the hosts."""

    __slots__ = ("inner",)

    def __init__(self, inner: Balancer[_Named[H]]) -> None:
        self.inner = inner

    def pick(self, hash_value: int | None = None, attempt: int = 0) -> H | None:
        named = self.inner.pick(hash_value, attempt)
        return None if named is None else named.host


_Band: TypeAlias = tuple[int, Balancer[H]]
"""(upper end in per cent, who picks below it)"""


class Pool(Generic[H]):
    """`pick(hash_value, attempt)` -> host or None; see the module."""

    __slots__ = ("_bands", "_options", "_policy", "_rng", "_turns", "panic", "pick")

    def __init__(self, policy: str, options: PoolOptions, rng: random.Random) -> None:
        self._policy = policy
        self._options = options
        self._rng = rng
        self._bands: list[_Band[H]] = []
        self._turns: dict[object, RoundRobin[H]] = {}
        self.panic = False
        """Whether some priority with load ignores health."""
        self.pick: Callable[..., H | None] = _nobody

    def update(self, members: Sequence[Member[H]]) -> None:
        """Take over the members, in configuration order."""
        options = self._options
        tiers = _tiers(members)
        plan = loads(_counts(tiers), options.overprovisioning_factor, options.healthy_panic_threshold)
        turns: dict[object, RoundRobin[H]] = {}
        bands: list[_Band[H]] = []
        end = 0
        for priority, (tier, load) in enumerate(zip(tiers, plan, strict=True)):
            if load.healthy:
                end += load.healthy
                wanted = None if load.panic else (HEALTHY,)
                bands.append((end, self._balancer(tier, wanted, (priority, HEALTHY), turns)))
        for priority, (tier, load) in enumerate(zip(tiers, plan, strict=True)):
            if load.degraded:
                end += load.degraded
                wanted = (HEALTHY,) if self._policy in HASHED else (DEGRADED,)
                bands.append((end, self._balancer(tier, wanted, (priority, DEGRADED), turns)))
        self._turns = turns
        self._bands = bands
        self.panic = any(load.panic and (load.healthy or load.degraded) for load in plan)
        self.pick = _nobody if not bands else bands[0][1].pick if len(bands) == 1 else self._pick_band

    def pick_new(self, hash_value: int | None, tried: Collection[H], attempts: int) -> H | None:
        """A host for a retry: of 1 + `attempts` candidates the first that was not tried, else the last."""
        host = self.pick(hash_value, 0)
        for attempt in range(1, attempts + 1):
            if host not in tried:
                break
            host = self.pick(hash_value, attempt)
        return host

    def _pick_band(self, hash_value: int | None = None, attempt: int = 0) -> H | None:
        number = self._rng.getrandbits(64) if hash_value is None else hash_value
        place = number % 100 + 1
        if hash_value is None and self._policy in HASHED:
            hash_value = number
        for end, balancer in self._bands:
            if place <= end:
                return balancer.pick(hash_value, attempt)
        return None

    def _balancer(
        self,
        tier: Sequence[Member[H]],
        health: tuple[str, ...] | None,
        source: tuple[int, str],
        turns: dict[object, RoundRobin[H]],
    ) -> Balancer[H]:
        """The balancer over the members of `tier` in this health (None: whatever their health)."""
        if self._options.locality_weighted and any(member.locality_weight for member in tier):
            zones = _zones(tier, health)
            if self._policy in HASHED:
                return self._hashed([m for zone in zones for m in zone.hosts], zones)
            if health is not None:
                return LocalityFirst(
                    [
                        (
                            _plain(zone),
                            self._simple([m.host for m in zone.hosts], (*source, zone.hosts[0].locality), turns),
                        )
                        for zone in zones
                        if zone.hosts
                    ],
                    self._options.overprovisioning_factor,
                )
        usable = [member for member in tier if health is None or member.health in health]
        if self._policy in HASHED:
            return self._hashed(usable, None)
        return self._simple([member.host for member in usable], source, turns)

    def _simple(self, hosts: Sequence[H], source: object, turns: dict[object, RoundRobin[H]]) -> Balancer[H]:
        before = self._turns.get(source)
        if before is not None:
            turns[source] = after = before.after(hosts, self._rng)
            return after
        balancer = make(self._policy, hosts, self._options, self._rng)
        if isinstance(balancer, RoundRobin):
            turns[source] = balancer
        return balancer

    def _hashed(self, members: Sequence[Member[H]], zones: Sequence[Zone[Member[H]]] | None) -> Balancer[H]:
        weights: list[float] | None = None
        if zones is not None:
            hosts, weights = folded_weights([_plain(zone) for zone in zones])
            kept = set(map(id, hosts))
            members = [member for member in members if id(member.host) in kept]
        named = [_Named(member.host, member.hash_key or member.host.key) for member in members]
        return _Unnamed(make(self._policy, named, self._options, self._rng, weights))


def _plain(zone: Zone[Member[H]]) -> Zone[H]:
    """The same locality with the hosts themselves."""
    return Zone(zone.weight, tuple(member.host for member in zone.hosts), zone.total)


def _nobody(hash_value: int | None = None, attempt: int = 0) -> None:
    return None


def _tiers(members: Sequence[Member[H]]) -> list[list[Member[H]]]:
    tiers: list[list[Member[H]]] = [[] for _ in range(max((m.priority for m in members), default=-1) + 1)]
    for member in members:
        tiers[member.priority].append(member)
    return tiers


def _counts(tiers: Sequence[Sequence[Member[H]]]) -> list[Count]:
    """The hosts of each priority that count; where all are draining, they do."""
    counts = [_count([member for member in tier if member.health != DRAINING]) for tier in tiers]
    return counts if any(count.hosts for count in counts) else [_count(tier) for tier in tiers]


def _count(tier: Sequence[Member[H]]) -> Count:
    healthy = sum(member.health == HEALTHY for member in tier)
    degraded = sum(member.health == DEGRADED for member in tier)
    return Count(healthy, degraded, len(tier))


def _zones(tier: Sequence[Member[H]], health: tuple[str, ...] | None) -> list[Zone[Member[H]]]:
    """The localities of a tier with their usable members, in order of first appearance."""
    groups: dict[tuple[str, ...], list[Member[H]]] = {}
    for member in tier:
        groups.setdefault(member.locality, []).append(member)
    return [
        Zone(
            weight=group[0].locality_weight,
            hosts=tuple(member for member in group if health is None or member.health in health),
            total=len(group),
        )
        for group in groups.values()
    ]
