import random
from collections import Counter
from typing import Any

import pytest

from mesh.balance.least_request import LeastRequest
from tests.unit.balance.conftest import hosts_of


def test_recorded_shares_with_held_requests(lb_data: Any) -> None:
    checked = 0
    for case in lb_data["least_request_and_random"]:
        if case["policy"] != "LEAST_REQUEST":
            continue
        options = case["lr"] or {}
        hosts = hosts_of(case["hosts"], case["weights"])
        for index in case["held"]:
            hosts[index].active += 1
        bias = options.get("active_request_bias", {}).get("default_value", 1.0)
        ours = LeastRequest(hosts, random.Random(5), options.get("choice_count", 2), bias)
        mine = Counter(hosts.index(ours.pick()) for _ in range(20_000))
        seen, n = Counter(case["seq"]), len(case["seq"])
        for who in range(len(hosts)):
            share = mine[who] / 20_000
            assert abs(seen[who] / n - share) <= 4.5 * (share * (1 - share) / n) ** 0.5 + 0.01, (case["id"], who)
        checked += 1
    assert checked == 12


@pytest.mark.parametrize(
    ("choices", "shares"),
    [
        pytest.param(2, [4 / 9, 1 / 9, 4 / 9], id="two choices"),
        pytest.param(3, [0.481, 0.037, 0.481], id="three choices"),
    ],
)
def test_the_busier_host_loses(choices: int, shares: list[float]) -> None:
    hosts = hosts_of(["a", "b", "c"])
    for host, active in zip(hosts, (2, 3, 2), strict=True):
        host.active = active
    balancer = LeastRequest(hosts, random.Random(1), choices)
    seen = Counter(balancer.pick().key for _ in range(20_000))
    assert [seen[h.key] / 20_000 for h in hosts] == pytest.approx(shares, abs=0.015)


def test_unequal_weights_shrink_with_load() -> None:
    hosts = hosts_of(["a", "b", "c"], [1, 2, 3])
    for host, active in zip(hosts, (2, 3, 3), strict=True):
        host.active = active
    balancer = LeastRequest(hosts, random.Random(1))
    seen = Counter(balancer.pick().key for _ in range(10_000))
    assert [seen[h.key] / 10_000 for h in hosts] == pytest.approx([0.211, 0.316, 0.474], abs=0.005)


def test_one_host_and_none() -> None:
    one = hosts_of(["a"])
    assert LeastRequest(one, random.Random(1)).pick() is one[0]
    assert LeastRequest([], random.Random(1)).pick() is None
