"""Laws of load balancing that hold for any hosts and keys."""

import random
from collections import Counter
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.balance.hashing import xx
from mesh.balance.maglev import Maglev
from mesh.balance.pool import Member, Pool
from mesh.balance.ring import Ring
from mesh.balance.round_robin import RoundRobin
from mesh.routing.spec import LbOptions


@dataclass(eq=False)
class Host:
    key: bytes
    weight: int = 1
    active: int = 0


def _hosts(n: int, weights: list[int] | None = None) -> list[Host]:
    return [Host(b"127.45.%d.1:8080" % i, 1 if weights is None else weights[i]) for i in range(n)]


KEYS = [xx(b"key-%d" % i) for i in range(400)]


@settings(deadline=None, max_examples=25)
@given(n=st.integers(2, 9), data=st.data())
def test_removing_a_host_moves_only_its_own_keys_on_a_ring(n: int, data: st.DataObject) -> None:
    hosts = _hosts(n)
    gone = data.draw(st.sampled_from(hosts))
    # The same number of points for each host before and after: min = max * share.
    before = Ring(hosts, random.Random(1), 64 * n, 64 * n)
    after = Ring([h for h in hosts if h is not gone], random.Random(1), 64 * (n - 1), 64 * (n - 1))
    for key in KEYS:
        old, new = before.pick(key), after.pick(key)
        assert old is gone or new is old


@settings(deadline=None, max_examples=10)
@given(n=st.integers(3, 10), data=st.data())
def test_removing_a_host_moves_few_other_keys_in_maglev(n: int, data: st.DataObject) -> None:
    hosts = _hosts(n)
    gone = data.draw(st.sampled_from(hosts))
    before = Maglev(hosts, random.Random(1), 2039)
    after = Maglev([h for h in hosts if h is not gone], random.Random(1), 2039)
    moved = sum(before.pick(key) is not gone and after.pick(key) is not before.pick(key) for key in KEYS)
    assert moved <= len(KEYS) * 0.2


@settings(deadline=None, max_examples=20)
@given(weights=st.lists(st.integers(1, 20), min_size=2, max_size=6), seed=st.integers(0, 2**32))
def test_weighted_round_robin_follows_the_weights(weights: list[int], seed: int) -> None:
    """To one pick: rounding may put hosts of one instant on either side of a boundary."""
    hosts = _hosts(len(weights), weights)
    robin = RoundRobin(hosts, random.Random(seed))
    total = sum(weights)
    seen: Counter[bytes] = Counter()
    for periods in range(1, 4):
        seen.update(robin.pick().key for _ in range(total))
        assert all(abs(seen[h.key] - periods * h.weight) <= 1 for h in hosts)


@settings(deadline=None, max_examples=20)
@given(weights=st.lists(st.integers(1, 9), min_size=2, max_size=5))
def test_a_ring_follows_the_weights(weights: list[int]) -> None:
    hosts = _hosts(len(weights), weights)
    ring = Ring(hosts, random.Random(1), 4096, 8_388_608)
    total = sum(weights)
    for host, points in zip(hosts, ring.counts, strict=True):
        assert abs(points / len(ring) - host.weight / total) < 0.01


@settings(deadline=None, max_examples=60)
@given(
    policy=st.sampled_from(["ROUND_ROBIN", "LEAST_REQUEST", "RANDOM", "RING_HASH", "MAGLEV"]),
    members=st.lists(
        st.tuples(
            st.sampled_from(["HEALTHY", "UNHEALTHY", "DEGRADED"]),
            st.integers(0, 2),
            st.sampled_from(["x", "y"]),
            st.sampled_from([None, 1, 5]),
        ),
        max_size=8,
    ),
    weighted=st.booleans(),
    threshold=st.sampled_from([0.0, 50.0, 100.0]),
)
def test_a_pool_never_fails_and_without_panic_never_picks_the_unhealthy(
    policy: str, members: list[tuple[str, int, str, int | None]], weighted: bool, threshold: float
) -> None:
    hosts = _hosts(len(members))
    # One weight for each locality of a priority, as a configuration has it.
    weights: dict[tuple[int, str], int | None] = {}
    told = []
    for host, (health, priority, zone, weight) in zip(hosts, members, strict=True):
        weights.setdefault((priority, zone), weight)
        told.append(Member(host, health, priority, (zone,), weights[priority, zone]))
    options = LbOptions(
        locality_weighted=weighted, healthy_panic_threshold=threshold, minimum_ring_size=32, table_size=251
    )
    pool: Pool[Host] = Pool(policy, options, random.Random(3))
    pool.update(told)
    healthy = {m.host.key for m in told if m.health == "HEALTHY"}
    usable = healthy | {m.host.key for m in told if m.health == "DEGRADED"}
    for key in KEYS[:30]:
        host = pool.pick(key)
        if not pool.panic and host is not None:
            assert host.key in usable
        if not weighted and threshold == 0.0 and len(healthy) == len(told) and told:
            assert host is not None
