import os
import random
import subprocess
import sys
from collections import Counter

import pytest

from mesh.balance.placement import (
    ALGORITHMS,
    Evenness,
    Keys,
    UnknownAlgorithm,
    expected_cv,
    expected_moved,
    least_moved,
    measure,
    place,
    spread,
)
from mesh.balance.primes import node_names
from mesh.client import kv

COUNT = 30_000
_rng = random.Random(20)
RANDOM = Keys(_rng.getrandbits(64) for _ in range(COUNT))
every_algorithm = pytest.mark.parametrize("algorithm", [pytest.param(name, id=name) for name in ALGORITHMS])


@every_algorithm
def test_counts_sum_to_the_keys_and_every_node_has_some(algorithm: str) -> None:
    measured = measure(algorithm, RANDOM, node_names(10), node_names(11))
    assert (len(measured.before.counts), len(measured.after.counts)) == (10, 11)
    assert sum(measured.before.counts) == sum(measured.after.counts) == COUNT
    assert min(measured.after.counts) > 0


@pytest.mark.parametrize(
    ("algorithm", "points", "low", "high"),
    [
        pytest.param("modulo", None, 9.8, 10.2, id="modulo: nearly all"),
        pytest.param("hash_modulo", None, 9.8, 10.2, id="modulo of a hash: nearly all"),
        pytest.param("hashring", None, 0.9, 1.1, id="hashring"),
        pytest.param("ring_hash", 1000, 0.9, 1.1, id="ring with as many points for each node"),
        pytest.param("ring_hash", None, 1.4, 1.9, id="ring of one size: old nodes lose points too"),
        pytest.param("maglev", None, 0.95, 1.1, id="maglev"),
        pytest.param("rendezvous", None, 0.95, 1.05, id="rendezvous"),
    ],
)
def test_the_eleventh_node_moves(algorithm: str, points: int | None, low: float, high: float) -> None:
    """In multiples of what has to move."""
    measured = measure(algorithm, RANDOM, node_names(10), node_names(11), points)
    assert measured.ideal_moved_fraction == pytest.approx(1 / 11)
    assert low < measured.moved_fraction / measured.ideal_moved_fraction < high
    if points is None:
        assert measured.moved_fraction == pytest.approx(measured.expected_moved_fraction, abs=0.015)


@pytest.mark.parametrize(
    ("algorithm", "points"),
    [
        pytest.param("hashring", None, id="hashring"),
        pytest.param("ring_hash", 200, id="ring"),
        pytest.param("rendezvous", None, id="rendezvous"),
    ],
)
def test_keys_only_move_to_the_new_node(algorithm: str, points: int | None) -> None:
    before = place(algorithm, RANDOM, node_names(10), points)
    after = place(algorithm, RANDOM, node_names(11), points)
    assert {new for old, new in zip(before, after, strict=True) if old != new} == {10}


@pytest.mark.parametrize("algorithm", ["modulo", "hash_modulo", "maglev", "rendezvous"])
def test_only_chance_makes_these_uneven(algorithm: str) -> None:
    measured = measure(algorithm, RANDOM, node_names(10), node_names(11))
    assert measured.before.cv < 2 * measured.expected_cv
    assert measured.before.max_over_mean < 1.05


@pytest.mark.parametrize("algorithm", ["hashring", "ring_hash"])
def test_a_ring_is_as_uneven_as_its_points_make_it(algorithm: str) -> None:
    """Over many sets of names, since one ring has luck or none."""
    keys = Keys(RANDOM.numbers[:5000])
    squares = [
        spread(algorithm, keys, [f"{prefix}-{i}" for i in range(10)]).cv ** 2
        for prefix in (f"set{j}" for j in range(40))
    ]
    assert (sum(squares) / len(squares)) ** 0.5 == pytest.approx(expected_cv(algorithm, keys, 10), rel=0.15)


@every_algorithm
def test_a_placement_is_the_same_in_every_process(algorithm: str) -> None:
    program = (
        "from mesh.balance.placement import Keys, place; from mesh.balance.primes import node_names;"
        f"print(list(place({algorithm!r}, Keys(range(7, 7000, 35)), node_names(9))))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert told == {str(list(place(algorithm, Keys(range(7, 7000, 35)), node_names(9))))}


def test_hashring_places_as_the_clients_of_the_store_do() -> None:
    keys, nodes = Keys(RANDOM.numbers[:500]), node_names(7)
    ours = [nodes[i] for i in place("hashring", keys, nodes)]
    assert ours == [kv.place(str(number), tuple(nodes)) for number in keys.numbers]


@every_algorithm
@pytest.mark.parametrize("nodes", [1, 2, 24])
def test_counting_agrees_with_placing(algorithm: str, nodes: int) -> None:
    keys = Keys(RANDOM.numbers[:2000])
    counted = Counter(place(algorithm, keys, node_names(nodes)))
    assert spread(algorithm, keys, node_names(nodes)).counts == tuple(counted[i] for i in range(nodes))


@pytest.mark.parametrize("algorithm", ["hash_modulo", "maglev", "rendezvous"])
def test_a_hash_hides_the_stride(algorithm: str) -> None:
    assert spread(algorithm, Keys(range(0, COUNT * 10, 10), 10), node_names(10)).max_over_mean < 1.06


@pytest.mark.parametrize(
    ("stride", "nodes", "max_over_mean", "cv"),
    [
        pytest.param(10, 10, 10.0, 3.0, id="all on one"),
        pytest.param(6, 10, 2.0, 1.0, id="every second node"),
        pytest.param(10, 11, 1.0, 0.0, id="coprime"),
        pytest.param(11, 11, 11.0, 10**0.5, id="a prime is no shield against its multiples"),
    ],
)
def test_modulo_of_keys_with_a_stride(stride: int, nodes: int, max_over_mean: float, cv: float) -> None:
    keys = Keys(range(0, 11_000 * stride, stride), stride)
    seen = spread("modulo", keys, node_names(nodes))
    assert seen.max_over_mean == pytest.approx(max_over_mean)
    assert seen.cv == pytest.approx(cv)
    assert expected_cv("modulo", keys, nodes) == pytest.approx(cv)


@pytest.mark.parametrize("stride", [1, 4, 10, 22, 110])
def test_modulo_moves_what_the_remainders_say(stride: int) -> None:
    keys = Keys(range(0, 11_000 * stride, stride), stride)
    measured = measure("modulo", keys, node_names(10), node_names(11))
    assert measured.moved_fraction == pytest.approx(expected_moved("modulo", keys, node_names(10), node_names(11)))


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [
        pytest.param(10, 11, 1 / 11, id="one more"),
        pytest.param(11, 10, 1 / 11, id="one less"),
        pytest.param(3, 11, 8 / 11, id="many more"),
        pytest.param(4, 4, 0.0, id="nothing changes"),
    ],
)
def test_least_moved(before: int, after: int, share: float) -> None:
    assert least_moved(node_names(before), node_names(after)) == pytest.approx(share)


@every_algorithm
def test_nothing_changes_nothing_moves_and_back_is_as_far_as_there(algorithm: str) -> None:
    keys = Keys(RANDOM.numbers[:3000])
    ten, eleven = node_names(10), node_names(11)
    assert measure(algorithm, keys, ten, ten).moved_fraction == 0
    there, back = measure(algorithm, keys, ten, eleven), measure(algorithm, keys, eleven, ten)
    assert there.moved_fraction == back.moved_fraction


@pytest.mark.parametrize("algorithm", ["rendezvous", "maglev"])
def test_names_decide_and_not_their_order(algorithm: str) -> None:
    nodes = node_names(8)
    turned = measure(algorithm, RANDOM, nodes, nodes[::-1])
    assert turned.moved_fraction == 0


def test_evenness_of_known_counts() -> None:
    assert Evenness((5, 5, 5)).cv == 0
    assert Evenness((2, 4, 6)).max_over_mean == pytest.approx(1.5)
    assert Evenness((2, 4, 6)).cv == pytest.approx((8 / 3) ** 0.5 / 4)


def test_an_unknown_algorithm_is_named() -> None:
    with pytest.raises(UnknownAlgorithm, match="no algorithm 'md5'; there are modulo, "):
        place("md5", RANDOM, node_names(3))
