import random
from collections import Counter
from typing import Any

import pytest

from mesh.balance.round_robin import RoundRobin
from tests.unit.balance.conftest import hosts_of


def test_recorded_runs_of_equal_weights_are_cycles(lb_data: Any) -> None:
    checked = 0
    for case in lb_data["round_robin"]:
        if case["weights"] and len(set(case["weights"])) > 1:
            continue
        for run in case["runs"]:
            hosts = hosts_of(case["hosts"], case["weights"])
            ours = RoundRobin(hosts, random.Random(1), start=run[0])
            assert [hosts.index(ours.pick()) for _ in run] == run, case["id"]
            checked += 1
    assert checked == 24


def test_recorded_runs_of_unequal_weights_are_ours_from_the_recorded_start(lb_data: Any) -> None:
    checked = 0
    for case in lb_data["round_robin"]:
        for run, done in zip(case["runs"], case["pre_picks"] or [], strict=False):
            hosts = hosts_of(case["hosts"], case["weights"])
            ours = RoundRobin(hosts, random.Random(1), done=done)
            assert [hosts.index(ours.pick()) for _ in run] == run, case["id"]
            checked += 1
    assert checked == 48


def test_the_start_is_random() -> None:
    hosts = hosts_of(["a", "b", "c"])
    starts = {RoundRobin(hosts, random.Random(seed)).pick().key for seed in range(20)}
    assert starts == {b"a", b"b", b"c"}


def test_every_period_serves_each_host_as_often_as_it_weighs() -> None:
    hosts = hosts_of(["a", "b", "c"], [1, 2, 5])
    robin = RoundRobin(hosts, random.Random(3))
    for _ in range(5):
        assert Counter(robin.pick().key for _ in range(8)) == {b"a": 1, b"b": 2, b"c": 5}


def test_a_change_of_hosts_keeps_the_turn() -> None:
    one, two, three = hosts_of(["a", "b", "c"])
    robin = RoundRobin([one, two, three], random.Random(1), start=0)
    assert robin.pick() is one
    changed = robin.after([one, two], random.Random(9))
    assert [changed.pick(), changed.pick(), changed.pick()] == [two, one, two]


@pytest.mark.parametrize("seed", range(3))
def test_nobody_at_home_and_somebody_later(seed: int) -> None:
    empty = RoundRobin([], random.Random(seed))
    assert empty.pick() is None
    host = hosts_of(["a"])[0]
    assert empty.after([host], random.Random(seed)).pick() is host
