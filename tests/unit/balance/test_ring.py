import random
from typing import Any

import pytest

from mesh.balance.hashing import xx
from mesh.balance.ring import Ring
from tests.unit.balance.conftest import PlainHost, hosts_of


def _ring(case: Any) -> Ring[PlainHost]:
    options = case["options"]
    return Ring(
        hosts_of(case["hosts"], case["weights"]),
        random.Random(1),
        options.get("minimum_ring_size", 1024),
        options.get("maximum_ring_size", 8_388_608),
        options.get("hash_function", "XX_HASH"),
    )


def test_every_recorded_pick_is_ours(ring_data: Any) -> None:
    keys = [xx(key.encode()) for key in ring_data["keys"]]
    picks = 0
    for case in ring_data["cases"]:
        ring = _ring(case)
        ours = [case["hosts"].index(ring.pick(key).key.decode()) for key in keys]
        assert ours == case["picks"], case["id"]
        picks += len(ours)
    assert picks == 42_000


def test_the_number_of_points_of_each_host_is_envoys(ring_data: Any) -> None:
    for case in ring_data["cases"]:
        ring = _ring(case)
        gauges = case["gauges"]
        assert (min(ring.counts), max(ring.counts)) == (gauges["min_hashes_per_host"], gauges["max_hashes_per_host"]), (
            case["id"]
        )


def test_eleven_hosts_with_64_points_wanted_have_65() -> None:
    ring = Ring(hosts_of([f"127.0.0.{i}:80" for i in range(11)]), random.Random(1), 64, 64)
    assert len(ring) == 65


@pytest.mark.parametrize(
    ("n", "points"), [pytest.param(n, p, id=f"{n} hosts") for n, p in ((3, 1026), (5, 1025), (10, 1030), (11, 1034))]
)
def test_defaults(n: int, points: int) -> None:
    assert len(Ring(hosts_of([f"127.0.0.{i}:80" for i in range(n)]), random.Random(1))) == points


def test_a_later_attempt_walks_on_and_around() -> None:
    ring = Ring(hosts_of(["a", "b", "c"]), random.Random(1), 4, 4)
    size = len(ring)
    walk = [ring.pick(0, attempt) for attempt in range(size)]
    assert {host.key for host in walk} == {b"a", b"b", b"c"}
    assert ring.pick(0, size) is ring.pick(0, 0)
    assert ring.pick((1 << 64) - 1) is ring.pick(0)


def test_without_a_hash_picks_are_random() -> None:
    hosts = hosts_of(["a", "b", "c"])
    ring = Ring(hosts, random.Random(7))
    seen = [ring.pick() for _ in range(300)]
    assert min(seen.count(host) for host in hosts) > 50


def test_nobody_at_home() -> None:
    assert Ring([], random.Random(1)).pick(5) is None
