"""How many pods may each ReplicaSet have in the next step of a rollout?

Plain arithmetic on sizes. Source: Kubernetes' deployment controller. We are stricter in one thing: a set whose own
controller has not seen its present size yet is not trusted to have available pods, and an old set counts with the pods
that it still has. So the bounds hold at every moment, not only once everybody has caught up.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mesh.api.meta import IntOrString


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One ReplicaSet as the arithmetic sees it.

    size: wanted pods; pods: those that exist; available: those that count; order: creation, oldest lowest.
    observed: its counts belong to its present size.
    desired, maximum: what the annotations say the Deployment wanted when this set was last sized; None without.
    """

    name: str
    size: int
    pods: int = 0
    available: int = 0
    order: tuple[str, str] = ("", "")
    observed: bool = True
    desired: int | None = None
    maximum: int | None = None

    @property
    def surely_available(self) -> int:
        """Available pods that will stay: a set that was just shrunk still reports those about to go."""
        return min(self.available, self.size) if self.observed else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the strategy allows. surge, unavailable: pods above and below `replicas`."""

    replicas: int
    surge: int
    unavailable: int

    @property
    def most(self) -> int:
        return self.replicas + self.surge

    @property
    def least(self) -> int:
        return self.replicas - self.unavailable


def scaled(value: IntOrString | None, total: int, *, up: bool) -> int:
    """A number, or a percentage of `total` rounded up or down; 0 for what is neither."""
    if isinstance(value, int):
        return value
    text = (value or "").strip()
    if text.endswith("%") and text[:-1].isdigit():
        exact = total * int(text[:-1])
        return -(-exact // 100) if up else exact // 100
    return int(text) if text.isdigit() else 0


def bounds(
    replicas: int, max_surge: IntOrString | None, max_unavailable: IntOrString | None, *, rolling: bool = True
) -> Bounds:
    """The strategy in pods: surge rounds up, unavailable rounds down; both zero would never move, so one may go."""
    if not rolling:
        return Bounds(replicas=replicas, surge=0, unavailable=0)
    surge = scaled(max_surge, replicas, up=True)
    unavailable = scaled(max_unavailable, replicas, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Bounds(replicas=replicas, surge=surge, unavailable=min(unavailable, replicas))


def new_size(limit: Bounds, new: Size, old: Iterable[Size]) -> int:
    """The size of the new set in this step: it grows into the room below the upper bound, and never above replicas."""
    if new.size >= limit.replicas:
        return limit.replicas
    others = tuple(old)
    if not all(rs.observed for rs in others):
        return new.size
    total = new.size + sum(max(rs.size, rs.pods) for rs in others)
    return new.size + max(0, min(limit.most - total, limit.replicas - new.size))


def shrink_old(limit: Bounds, new: Size, old: Sequence[Size]) -> dict[str, int]:
    """New sizes of those old sets that shrink in this step: their unhealthy pods first, then what can be spared."""
    old = sorted((rs for rs in old if rs.size > 0), key=lambda rs: rs.order)
    total = new.size + sum(rs.size for rs in old)
    room = total - limit.least - (new.size - new.surely_available)
    if room <= 0:
        return {}
    sizes = {rs.name: rs.size for rs in old}
    for rs in old:
        unhealthy = min(room, max(0, rs.size - rs.surely_available)) if rs.observed else 0
        sizes[rs.name] -= unhealthy
        room -= unhealthy
    spare = new.surely_available + sum(rs.surely_available for rs in old) - limit.least
    for rs in old:
        fewer = max(0, min(sizes[rs.name], spare))
        sizes[rs.name] -= fewer
        spare -= fewer
    return {rs.name: sizes[rs.name] for rs in old if sizes[rs.name] != rs.size}


def scaling(replicas: int, sets: Iterable[Size]) -> bool:
    """Did somebody change `replicas` since the active sets were sized?"""
    return any(rs.size > 0 and rs.desired is not None and rs.desired != replicas for rs in sets)


def saturated(replicas: int, new: Size | None) -> bool:
    """Does the new set carry everything already?"""
    return new is not None and new.desired == replicas and new.size == replicas and new.available == replicas


def rescale(limit: Bounds, new: Size | None, old: Sequence[Size], *, rolling: bool, seen: int) -> dict[str, int]:
    """Sizes of every active set after `replicas` changed in mid-rollout. seen: status.replicas of the Deployment."""
    sets = [*old, *([new] if new else [])]
    active = [rs for rs in sets if rs.size > 0]
    if len(active) <= 1:
        only = active[0] if active else new or max(sets, key=lambda rs: rs.order, default=None)
        return {only.name: limit.replicas} if only else {}
    if saturated(limit.replicas, new):
        return {rs.name: 0 for rs in old if rs.size > 0}
    if not rolling:
        return {}
    return _proportional(limit, active, seen)


def _proportional(limit: Bounds, active: Sequence[Size], seen: int) -> dict[str, int]:
    """Share the change by size; what rounding leaves over goes to the largest set."""
    allowed = limit.most if limit.replicas > 0 else 0
    change = allowed - sum(rs.size for rs in active)
    ranked = _newest_first(active) if change > 0 else sorted(active, key=lambda rs: rs.order)
    ranked = sorted(ranked, key=lambda rs: -rs.size)
    sizes: dict[str, int] = {}
    given = 0
    for rs in ranked:
        share = _share(limit, rs, seen)
        left = change - given
        share = min(share, left) if change > 0 else max(share, left)
        share = share if change else 0
        sizes[rs.name] = rs.size + share
        given += share
    first = ranked[0].name
    sizes[first] = max(0, sizes[first] + change - given)
    return sizes


def _share(limit: Bounds, rs: Size, seen: int) -> int:
    """By how much a set grows when all keep their proportions."""
    if limit.replicas == 0:
        return -rs.size
    before = rs.maximum or seen
    if before <= 0:
        return 0
    return math.floor(rs.size * limit.most / before + 0.5) - rs.size


def _newest_first(sets: Sequence[Size]) -> list[Size]:
    return sorted(sets, key=lambda rs: rs.order, reverse=True)
