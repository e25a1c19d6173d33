"""Which balancer does a cluster's policy mean?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from mesh.balance.host import Balancer, H
from mesh.balance.least_request import LeastRequest
from mesh.balance.maglev import Maglev
from mesh.balance.random_choice import Random
from mesh.balance.ring import Ring
from mesh.balance.round_robin import RoundRobin

if TYPE_CHECKING:
    import random

ROUND_ROBIN = "ROUND_ROBIN"
LEAST_REQUEST = "LEAST_REQUEST"
RANDOM = "RANDOM"
RING_HASH = "RING_HASH"
MAGLEV = "MAGLEV"
HASHED = frozenset({RING_HASH, MAGLEV})
"""Policies that look at the request's hash."""


class Options(Protocol):
    """What a policy may be told; routing's LbOptions fits."""

    @property
    def hash_function(self) -> str: ...
    @property
    def minimum_ring_size(self) -> int: ...
    @property
    def maximum_ring_size(self) -> int: ...
    @property
    def table_size(self) -> int: ...
    @property
    def choice_count(self) -> int: ...
    @property
    def active_request_bias(self) -> float: ...


def make(
    policy: str,
    hosts: Sequence[H],
    options: Options | None,
    rng: random.Random,
    weights: Sequence[float] | None = None,
) -> Balancer[H]:
    """A balancer over `hosts` in their order; without options Envoy's defaults.

    weights: normalised shares that ring and maglev use in place of the hosts' weights (locality weighting).
    """
    if policy == ROUND_ROBIN:
        return RoundRobin(hosts, rng)
    if policy == RANDOM:
        return Random(hosts, rng)
    if policy == LEAST_REQUEST:
        if options is None:
            return LeastRequest(hosts, rng)
        return LeastRequest(hosts, rng, options.choice_count, options.active_request_bias)
    if policy == RING_HASH:
        if options is None:
            return Ring(hosts, rng, weights=weights)
        return Ring(hosts, rng, options.minimum_ring_size, options.maximum_ring_size, options.hash_function, weights)
    if policy == MAGLEV:
        return Maglev(hosts, rng, options.table_size if options else 65_537, weights)
    raise ValueError(f"no balancer is called {policy!r}")
