import random
from collections import Counter
from typing import Any

from mesh.balance.random_choice import Random
from tests.unit.balance.conftest import hosts_of


def test_weights_do_not_count() -> None:
    hosts = hosts_of(["a", "b"], [1, 99])
    balancer = Random(hosts, random.Random(1))
    seen = Counter(balancer.pick().key for _ in range(4000))
    assert abs(seen[b"a"] - 2000) < 150


def test_envoy_ignores_them_too(lb_data: Any) -> None:
    for case in lb_data["least_request_and_random"]:
        if case["policy"] == "RANDOM":
            seen, n = Counter(case["seq"]), len(case["hosts"])
            assert all(abs(seen[i] / len(case["seq"]) - 1 / n) < 0.08 for i in range(n)), case["id"]


def test_nobody_at_home() -> None:
    assert Random([], random.Random(1)).pick() is None
