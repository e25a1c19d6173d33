import random
from collections import Counter

import pytest

from mesh.balance.locality import LocalityFirst, Zone, folded_weights
from mesh.balance.round_robin import RoundRobin
from tests.unit.balance.conftest import PlainHost, hosts_of


def _first(zones: list[Zone[PlainHost]]) -> LocalityFirst[PlainHost]:
    return LocalityFirst([(zone, RoundRobin(zone.hosts, random.Random(1))) for zone in zones])


@pytest.mark.parametrize(
    ("usable", "share"),
    [
        pytest.param(5, 0.8, id="all of five: the weight says 80"),
        pytest.param(4, 0.8, id="four of five: 1.4 covers it"),
        pytest.param(2, 0.691, id="two of five: 44.8 to 20"),
        pytest.param(0, 0.0, id="none"),
    ],
)
def test_a_locality_gets_its_weight_as_far_as_its_health_goes(usable: int, share: float) -> None:
    a, b = hosts_of(list("abcde")), hosts_of(list("vwxyz"))
    picker = _first([Zone(80, tuple(a[:usable]), 5), Zone(20, tuple(b), 5)])
    seen = Counter(picker.pick().key in b"abcde" for _ in range(5000))
    assert seen[True] / 5000 == pytest.approx(share, abs=0.01)


def test_a_locality_without_weight_gets_nothing() -> None:
    a, b = hosts_of(["a"]), hosts_of(["b"])
    picker = _first([Zone(1, tuple(a), 1), Zone(None, tuple(b), 1)])
    assert {picker.pick().key for _ in range(10)} == {b"a"}
    assert _first([Zone(None, tuple(b), 1)]).pick() is None


def test_folded_weights_multiply_share_and_weight() -> None:
    a, b = hosts_of(["a", "b"], [1, 3]), hosts_of(["c"])
    hosts, weights = folded_weights([Zone(1, tuple(a), 2), Zone(3, tuple(b), 1), Zone(5, (), 2)])
    assert [h.key for h in hosts] == [b"a", b"b", b"c"]
    assert weights == pytest.approx([1 / 16, 3 / 16, 3 / 4])
