import random
from collections import Counter
from typing import Any

import pytest

from mesh.balance.hashing import xx
from mesh.balance.maglev import Maglev
from tests.unit.balance.conftest import hosts_of


def test_every_recorded_pick_is_ours(maglev_data: Any) -> None:
    keys = [xx(key.encode()) for key in maglev_data["keys"]]
    picks = 0
    for case in maglev_data["cases"]:
        maglev = Maglev(hosts_of(case["hosts"], case["weights"]), random.Random(1), case["options"]["table_size"])
        ours = [case["hosts"].index(maglev.pick(key).key.decode()) for key in keys]
        assert ours == case["picks"], case["id"]
        picks += len(ours)
    assert picks == 14_400


def test_entries_of_each_host_are_envoys(maglev_data: Any) -> None:
    for case in maglev_data["cases"][::6]:
        size = case["options"]["table_size"]
        maglev = Maglev(hosts_of(case["hosts"], case["weights"]), random.Random(1), size)
        entries = Counter(maglev.pick(slot).key for slot in range(size)).values()
        gauges = case["gauges"]
        assert (min(entries), max(entries)) == (gauges["min_entries_per_host"], gauges["max_entries_per_host"])


def test_the_order_of_the_configuration_does_not_matter() -> None:
    keys = ["127.45.0.1:80", "127.145.0.1:80", "127.5.0.1:80"]
    one = Maglev(hosts_of(keys), random.Random(1), 251)
    two = Maglev(hosts_of(keys[::-1]), random.Random(1), 251)
    assert [one.pick(n).key for n in range(251)] == [two.pick(n).key for n in range(251)]


def test_a_later_attempt_looks_elsewhere() -> None:
    hosts = hosts_of([str(i) for i in range(20)])
    maglev = Maglev(hosts, random.Random(1), 65_537)
    h = 0x1234567890ABCDEF
    assert maglev.pick(h, 1) is maglev.pick((h ^ ((1 << 64) - 1)) % (1 << 64))
    assert len({maglev.pick(h, attempt).key for attempt in range(20)}) > 5


@pytest.mark.parametrize("hosts", [pytest.param([], id="empty")])
def test_nobody_at_home(hosts: list[str]) -> None:
    assert Maglev(hosts_of(hosts), random.Random(1), 251).pick(5) is None


def test_equal_hosts_share_one_table() -> None:
    keys = ["127.45.0.1:80", "127.45.0.2:80"]
    one, two = (Maglev(hosts_of(keys), random.Random(n), 251) for n in range(2))
    assert one._table is two._table
    assert one.pick(5) is not two.pick(5)  # hosts of their own
