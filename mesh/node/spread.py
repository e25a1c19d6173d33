"""Which endpoint does a connection go to? At random, as iptables has it, or the client's own with affinity."""

import random
from typing import NamedTuple

from mesh.node.ways import Binding, Group, NodeFact, Target, Way

MAX_AFFINITIES = 65536
MAX_TRIES = 3


class Choice(NamedTuple):
    """Where a connection goes. source: the address it leaves from; None for the client's own.  node: it comes by."""

    target: Target
    source: str | None = None
    node: str = ""


def eligible(way: Way, client: str, at: NodeFact | None) -> tuple[Group, ...]:
    """The groups that this client's connection may take. at: the node that the client is on."""
    if not way.admits(client):
        return ()
    if way.near == "node":
        return tuple(group for group in way.groups if at is not None and group.node == at.name)
    if way.near == "zone":
        own = tuple(group for group in way.groups if at is not None and group.zone and group.zone == at.zone)
        return own or tuple(group for group in way.groups if not group.zone)
    return way.groups


class Spreader:
    """Chooses an endpoint per connection. One memory of clients for the whole mesh, not one a node as in a cluster."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._kept: dict[tuple[tuple[str, str], str, str], tuple[Target, float]] = {}

    def choose(
        self,
        binding: Binding,
        client: str,
        way: Way | None,
        now: float,
        tried: frozenset[Target] = frozenset(),
        at: NodeFact | None = None,
    ) -> Choice | None:
        """A way on, or None when there is none. tried: those that did not take this connection."""
        if way is None or len(tried) >= MAX_TRIES:
            return None
        groups = eligible(way, client, at) if way.near or way.ranges else way.groups
        if tried:
            groups = tuple(group for group in groups if any(target not in tried for target in group.targets))
        if not groups:
            return None
        if not way.affinity_s:
            return self._any(groups, tried)
        key = (binding.service, binding.port_name, client)
        kept = self._kept.pop(key, None)
        choice = None
        if kept is not None and kept[0] not in tried and now - kept[1] <= way.affinity_s:
            holding = [group for group in groups if kept[0] in group.targets]
            if holding:
                group = self._rng.choice(holding)
                choice = Choice(kept[0], group.source, group.node)
        choice = choice or self._any(groups, tried)
        self._kept[key] = (choice.target, now)
        if len(self._kept) > MAX_AFFINITIES:
            self._kept.pop(next(iter(self._kept)))
        return choice

    def _any(self, groups: tuple[Group, ...], tried: frozenset[Target]) -> Choice:
        group = groups[0] if len(groups) == 1 else self._rng.choice(groups)
        targets = [target for target in group.targets if target not in tried] if tried else group.targets
        return Choice(self._rng.choice(targets), group.source, group.node)
