import random
from collections import Counter

import pytest

from mesh.node import spread
from mesh.node.spread import Choice, Spreader, eligible
from mesh.node.ways import Binding, Group, NodeFact, Way

WEB = Binding("127.96.0.9", 80, ("shop", "web"), "http")
OTHER_WAY = Binding("127.18.0.1", 30080, ("shop", "web"), "http")
TARGETS = (("127.0.0.1", 1), ("127.0.0.2", 1), ("127.0.0.3", 1))
ONE, TWO = NodeFact("node-1", "127.18.0.1", "a"), NodeFact("node-2", "127.18.0.2", "b")


def way(*groups: Group, affinity_s: int = 0, near: str = "", ranges: tuple[str, ...] = ()) -> Way:
    return Way("cluster IP", groups or (Group(TARGETS),), affinity_s, near, ranges)


def spreader() -> Spreader:
    return Spreader(random.Random(1))


def target(choice: Choice | None) -> tuple[str, int]:
    assert choice is not None
    return choice.target


def test_connections_spread_evenly() -> None:
    chosen = spreader()
    seen = Counter(target(chosen.choose(WEB, "127.0.0.9", way(), 0.0)) for _ in range(3000))
    assert set(seen) == set(TARGETS)
    assert all(900 < count < 1100 for count in seen.values())


def test_nodes_are_equally_likely_whatever_they_hold() -> None:
    uneven = way(Group(TARGETS[:2], "node-1"), Group(TARGETS[2:], "node-2"))
    chosen = spreader()
    seen = Counter(target(chosen.choose(WEB, "127.0.0.9", uneven, 0.0)) for _ in range(3000))
    assert 1400 < seen[TARGETS[2]] < 1600


@pytest.mark.parametrize("where", [None, Way("cluster IP", ())])
def test_nowhere(where: Way | None) -> None:
    assert spreader().choose(WEB, "127.0.0.9", where, 0.0) is None


def test_the_source_is_the_groups() -> None:
    masked = way(Group(TARGETS[:1], "node-1", source="127.18.0.1"))
    assert spreader().choose(WEB, "127.0.0.9", masked, 0.0) == Choice(TARGETS[0], "127.18.0.1", "node-1")


@pytest.mark.parametrize(
    ("near", "at", "wanted"),
    [
        ("", None, [0, 1, 2]),
        ("node", ONE, [0]),
        ("node", TWO, [1]),
        ("node", None, []),
        ("zone", ONE, [0]),
        ("zone", TWO, [1]),
        ("zone", NodeFact("node-3", "127.18.0.3", "c"), [2]),
        ("zone", NodeFact("node-4", "127.18.0.4"), [2]),
        ("zone", None, [2]),
    ],
)
def test_who_may_go_where(near: str, at: NodeFact | None, wanted: list[int]) -> None:
    groups = (Group(TARGETS[:1], "node-1", "a"), Group(TARGETS[1:2], "node-2", "b"), Group(TARGETS))
    found = eligible(way(*groups, near=near), "127.0.0.9", at)
    assert found == tuple(groups[index] for index in wanted)


def test_a_client_from_outside_the_ranges_gets_nowhere() -> None:
    narrow = way(ranges=("127.0.0.8/30",))
    assert spreader().choose(WEB, "127.0.0.9", narrow, 0.0) is not None
    assert spreader().choose(WEB, "127.0.0.1", narrow, 0.0) is None


def test_what_refused_is_not_asked_again_and_trying_ends() -> None:
    chosen, one_each = spreader(), way(*(Group((each,), f"node-{each[0]}") for each in TARGETS))
    for where in (way(), one_each):
        for tried in (frozenset(TARGETS[:1]), frozenset(TARGETS[:2])):
            seen = {target(chosen.choose(WEB, "c", where, 0.0, tried)) for _ in range(50)}
            assert seen == set(TARGETS) - tried
        assert chosen.choose(WEB, "c", where, 0.0, frozenset(TARGETS)) is None
    many = way(Group(tuple(("127.0.1.1", port) for port in range(9))))
    assert chosen.choose(WEB, "c", many, 0.0, frozenset(TARGETS)) is None


def test_a_client_keeps_its_endpoint_while_it_comes_often_enough() -> None:
    chosen, where = spreader(), way(affinity_s=10)
    first = chosen.choose(WEB, "c", where, 0.0)
    assert {chosen.choose(WEB, "c", where, at) for at in (5.0, 14.0, 23.0)} == {first}
    assert len({chosen.choose(WEB, "c", where, 100.0 * at) for at in range(1, 30)}) == 3


def test_a_client_keeps_its_endpoint_whatever_way_it_comes() -> None:
    chosen = spreader()
    outside = way(
        Group(TARGETS, "node-1", source="127.18.0.1"), Group(TARGETS, "node-2", source="127.18.0.2"), affinity_s=10
    )
    first = target(chosen.choose(WEB, "c", way(affinity_s=10), 0.0))
    by_node = [chosen.choose(OTHER_WAY, "c", outside, 1.0) for _ in range(40)]
    assert {target(choice) for choice in by_node} == {first}
    assert {choice.node for choice in by_node if choice} == {"node-1", "node-2"}


def test_affinity_keeps_to_the_nodes_that_hold_the_endpoint() -> None:
    chosen = spreader()
    local = way(Group(TARGETS[:1], "node-1"), Group(TARGETS[1:], "node-2"), affinity_s=10)
    first = chosen.choose(WEB, "c", local, 0.0)
    assert {chosen.choose(WEB, "c", local, 1.0) for _ in range(40)} == {first}


def test_a_client_moves_when_its_endpoint_goes() -> None:
    chosen = spreader()
    first = target(chosen.choose(WEB, "c", way(affinity_s=10), 0.0))
    left = tuple(each for each in TARGETS if each != first)
    moved = target(chosen.choose(WEB, "c", way(Group(left), affinity_s=10), 1.0))
    assert moved in left
    assert target(chosen.choose(WEB, "c", way(affinity_s=10), 2.0)) == moved


def test_memory_of_clients_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "MAX_AFFINITIES", 100)
    chosen, where = spreader(), way(affinity_s=10)
    for client in range(1000):
        chosen.choose(WEB, str(client), where, 0.0)
    assert len(chosen._kept) == 100
