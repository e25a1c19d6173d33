import random

import pytest

from mesh.balance.placement import Keys
from mesh.balance.primes import NODE_COUNTS, PRIME_ALGORITHMS, Series, compare, is_prime, try_all, verdict


def test_the_primes_among_the_node_counts() -> None:
    assert [n for n in NODE_COUNTS if is_prime(n)] == [11, 13, 17, 19, 23]
    assert [n for n in range(8) if is_prime(n)] == [2, 3, 5, 7]


def test_luck_of_a_clear_difference_is_one_labelling_of_2002() -> None:
    clear = compare(Series("modulo", 6, NODE_COUNTS, tuple(1.0 if is_prime(n) else 2.0 for n in NODE_COUNTS)))
    assert clear.luck == pytest.approx(1 / 2002)
    assert clear.better
    assert (clear.primes_mean, clear.others_mean) == (1.0, 2.0)


@pytest.mark.parametrize(
    "figures",
    [
        pytest.param([1.5] * len(NODE_COUNTS), id="all the same"),
        pytest.param([3.0 if is_prime(n) else 1.0 for n in NODE_COUNTS], id="primes are worse"),
        pytest.param([5.0 if n <= 10 else 1.0 for n in NODE_COUNTS], id="up to ten nodes do not count"),
    ],
)
def test_no_advantage(figures: list[float]) -> None:
    assert not compare(Series("maglev", None, NODE_COUNTS, tuple(figures))).better


def test_the_claim_holds_for_strides_under_modulo_and_nowhere_else() -> None:
    rng = random.Random(4)
    families = [Keys(rng.getrandbits(64) for _ in range(10_000))]
    families += [Keys(range(0, 10_000 * stride, stride), stride) for stride in (6, 11)]
    comparisons = [compare(series) for series in try_all(PRIME_ALGORITHMS, families)]
    assert {(one.algorithm, one.stride) for one in comparisons if one.better} == {("modulo", 6)}
    said = verdict(comparisons)
    assert said[0].startswith("Random keys: no.")
    assert "Keys with a stride, modulo: yes with stride 6, but not with 11." in said
    assert "Keys with a stride, ring_hash: no (strides 6, 11)." in said
    assert said[-1] == (
        "Worst prime: 11 nodes, modulo, keys with stride 11: the fullest node holds 11.00 times the mean."
    )


def test_the_verdict_follows_the_figures() -> None:
    """Were primes better for random keys, it would say so."""
    good = compare(Series("hashring", None, NODE_COUNTS, tuple(1.0 if is_prime(n) else 1.5 for n in NODE_COUNTS)))
    assert verdict([good])[0] == "Random keys: primes are more even with hashring."
