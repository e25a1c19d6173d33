import random
from collections import Counter
from typing import Any

import pytest

from mesh.balance.hashing import xx
from mesh.balance.pool import Member, Pool
from mesh.routing.spec import LbOptions
from tests.unit.balance.conftest import PlainHost, hosts_of

HEALTH = {"UNKNOWN": "HEALTHY"}


def _members(case: Any, keys: list[str]) -> list[Member[PlainHost]]:
    members = []
    for zone in case["localities"]:
        for i, (index, health) in enumerate(zip(zone["hosts"], zone["health"], strict=True)):
            weight = zone["weights"][i] if zone["weights"] else 1
            members.append(
                Member(
                    PlainHost(keys[index].encode(), weight),
                    health=HEALTH.get(health, health),
                    priority=zone["priority"],
                    locality=(zone["zone"],),
                    locality_weight=zone["locality_weight"],
                )
            )
    return members


def _options(case: Any) -> LbOptions:
    common = case["common_lb_config"]
    return LbOptions(
        healthy_panic_threshold=common.get("healthy_panic_threshold", {}).get("value", 50.0),
        locality_weighted="locality_weighted_lb_config" in common,
    )


def _pool(policy: str, case: Any, keys: list[str], seed: int = 1) -> Pool[PlainHost]:
    pool: Pool[PlainHost] = Pool(policy, _options(case), random.Random(seed))
    pool.update(_members(case, keys))
    return pool


@pytest.mark.parametrize(
    ("policy", "name"),
    [pytest.param("RING_HASH", "ring_data", id="ring"), pytest.param("MAGLEV", "maglev_data", id="maglev")],
)
def test_every_recorded_pick_under_partial_health(policy: str, name: str, request: pytest.FixtureRequest) -> None:
    data = request.getfixturevalue(name)
    keys = data["health_hosts"]
    for case in data["health"]:
        pool = _pool(policy, case, keys)
        for text, wanted in zip(data["health_keys"], case["picks"], strict=True):
            host = pool.pick(xx(text.encode()))
            ours = "503 no healthy upstream" if host is None else keys.index(host.key.decode())
            assert ours == wanted, (case["id"], text)


@pytest.mark.parametrize("policy", ["ROUND_ROBIN", "LEAST_REQUEST", "RANDOM"])
def test_recorded_shares_under_partial_health(policy: str, lb_data: Any) -> None:
    keys = lb_data["health_hosts"]
    for case in lb_data["health"]:
        picks = case["picks"][policy]
        pool = _pool(policy, case, keys)
        ours = []
        for _ in range(4000):
            host = pool.pick()
            ours.append("503 no healthy upstream" if host is None else keys.index(host.key.decode()))
        seen, mine = Counter(picks), Counter(ours)
        assert set(seen) <= set(mine), case["id"]
        for who in mine:
            share = mine[who] / len(ours)
            spread = 4.5 * (share * (1 - share) / len(picks)) ** 0.5 + 0.01
            assert abs(seen[who] / len(picks) - share) <= spread, (case["id"], who)


def test_recorded_hash_keys(ring_data: Any, maglev_data: Any) -> None:
    for policy, data in (("RING_HASH", ring_data), ("MAGLEV", maglev_data)):
        keys = data["health_hosts"][: len(data["host_names"])]
        for case in data["hash_key_cases"]:
            hosts = hosts_of(keys)
            pool: Pool[PlainHost] = Pool(policy, LbOptions(), random.Random(1))
            named = case["hash_key_metadata"]
            pool.update([Member(h, hash_key=b"key-%d" % i if named else None) for i, h in enumerate(hosts)])
            ours = [hosts.index(pool.pick(xx(text.encode()))) for text in data["health_keys"]]
            assert ours == case["picks"], case["id"]


def test_recorded_retries_of_hash_balancers(ring_data: Any, maglev_data: Any) -> None:
    for policy, data in (("RING_HASH", ring_data), ("MAGLEV", maglev_data)):
        for case in data["retry"]:
            hosts = hosts_of(case["hosts"])
            pool: Pool[PlainHost] = Pool(policy, LbOptions(), random.Random(1))
            pool.update([Member(host) for host in hosts])
            for text, wanted in case["attempts"]:
                ours = _attempts(pool, case, xx(text.encode()))
                assert [hosts.index(host) for host in ours] == wanted, (case["id"], text)


def test_recorded_retries_of_round_robin(lb_data: Any) -> None:
    checked = 0
    for case in lb_data["retry"]:
        if case["policy"] != "ROUND_ROBIN" or case["weights"]:
            continue
        hosts = hosts_of(case["hosts"])
        pool: Pool[PlainHost] = Pool("ROUND_ROBIN", LbOptions(), random.Random(1))
        pool.update([Member(host) for host in hosts])
        while hosts.index(pool.pick()) != (case["attempts"][0][1][0] - 1) % len(hosts):
            pass
        for text, wanted in case["attempts"]:
            assert [hosts.index(host) for host in _attempts(pool, case, None)] == wanted, (case["id"], text)
            checked += 1
    assert checked > 100


def _attempts(pool: Pool[PlainHost], case: Any, hash_value: int | None) -> list[PlainHost]:
    tried: list[PlainHost] = []
    for _ in range(case["num_retries"] + 1):
        avoid = tried if case["previous_hosts_predicate"] else []
        host = pool.pick_new(hash_value, avoid, case["host_selection_retry_max_attempts"])
        assert host is not None
        tried.append(host)
    return tried


@pytest.mark.parametrize("policy", ["ROUND_ROBIN", "LEAST_REQUEST", "RANDOM", "RING_HASH", "MAGLEV"])
def test_a_pool_without_members_picks_nobody(policy: str) -> None:
    pool: Pool[PlainHost] = Pool(policy, LbOptions(), random.Random(1))
    assert pool.pick() is None
    pool.update([])
    assert pool.pick(7) is None
    assert pool.pick_new(7, [], 5) is None


def test_round_robin_keeps_its_turn_when_a_host_comes() -> None:
    hosts = hosts_of(["a", "b", "c"])
    pool: Pool[PlainHost] = Pool("ROUND_ROBIN", LbOptions(), random.Random(1))
    pool.update([Member(h) for h in hosts[:2]])
    while pool.pick() is not hosts[0]:
        pass
    pool.update([Member(h) for h in hosts])
    assert [pool.pick() for _ in range(3)] == [hosts[1], hosts[2], hosts[0]]


def test_without_a_hash_one_number_serves_priority_and_host() -> None:
    hosts = hosts_of([str(i) for i in range(10)])
    pool: Pool[PlainHost] = Pool("RING_HASH", LbOptions(), random.Random(1))
    pool.update([Member(h, "UNHEALTHY" if i < 2 else "HEALTHY", priority=i // 5) for i, h in enumerate(hosts)])
    seen = Counter(pool.pick().key for _ in range(4000))
    first = sum(seen[h.key] for h in hosts[:5])
    assert first / 4000 == pytest.approx(0.84, abs=0.03)
    assert set(seen) == {h.key for h in hosts[2:]}


def test_panic_is_told() -> None:
    hosts = hosts_of(["a", "b", "c"])
    pool: Pool[PlainHost] = Pool("ROUND_ROBIN", LbOptions(), random.Random(1))
    pool.update([Member(h, "UNHEALTHY") for h in hosts])
    assert pool.panic
    assert {pool.pick().key for _ in range(3)} == {b"a", b"b", b"c"}
    pool.update([Member(h) for h in hosts])
    assert not pool.panic
