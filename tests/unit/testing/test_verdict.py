"""Shares are judged by what chance allows, and nothing is claimed that the number of requests cannot show."""

import random
from math import comb

import pytest

from mesh.testing.verdict import Outcome, counts_within, percentile, requests_needed, share


@pytest.mark.parametrize(
    ("seen", "total", "expected", "tolerance", "outcome"),
    [
        pytest.param(900, 1000, 0.9, None, Outcome.PASS, id="exactly the share"),
        pytest.param(870, 1000, 0.9, None, Outcome.PASS, id="three sigma away is chance"),
        pytest.param(840, 1000, 0.9, None, Outcome.FAIL, id="six sigma away is not"),
        pytest.param(1000, 1000, 0.9, None, Outcome.FAIL, id="the other version never answered"),
        pytest.param(1000, 1000, 1.0, None, Outcome.PASS, id="all of them"),
        pytest.param(999, 1000, 1.0, None, Outcome.FAIL, id="one stray answer"),
        pytest.param(0, 1000, 0.0, None, Outcome.PASS, id="none of them"),
        pytest.param(1, 1000, 0.0, None, Outcome.FAIL, id="one that should not be"),
        pytest.param(1, 1000, 0.0, 0.05, Outcome.FAIL, id="a tolerance does not soften zero"),
        pytest.param(3, 3, 0.9, None, Outcome.TOO_FEW, id="three requests say nothing"),
        pytest.param(0, 0, 0.9, None, Outcome.TOO_FEW, id="nothing answered"),
        pytest.param(3090, 3600, 0.9, 0.02, Outcome.FAIL, id="outside a tolerance"),
        pytest.param(1850, 2000, 0.9, 0.03, Outcome.PASS, id="inside a tolerance"),
        pytest.param(90, 100, 0.9, 0.01, Outcome.TOO_FEW, id="a tolerance that 100 requests cannot show"),
        pytest.param(10, 100, 0.9, 0.01, Outcome.FAIL, id="but plainly wrong all the same"),
    ],
)
def test_share(seen: int, total: int, expected: float, tolerance: float | None, outcome: Outcome) -> None:
    assert share(seen, total, expected, tolerance=tolerance).outcome is outcome


def test_a_verdict_names_the_counts_that_pass() -> None:
    verdict = share(900, 1000, 0.9, confidence=0.99)
    assert (verdict.low, verdict.high) == (875, 924)
    assert verdict.seen_share == 0.9


def test_too_few_says_how_many_are_needed() -> None:
    assert "send at least 3458" in share(90, 100, 0.9, tolerance=0.01, confidence=0.95).why


@pytest.mark.parametrize(
    ("total", "expected"),
    [pytest.param(n, p, id=f"{n} at {p}") for n in (1, 7, 100, 2000) for p in (0.001, 0.1, 0.5, 0.9, 0.999)],
)
def test_counts_within_is_exact(total: int, expected: float) -> None:
    """Against the plain sum of the binomial distribution, done with whole numbers of ways."""
    low, high = counts_within(total, expected, 0.99)
    parts = round(expected * 1000)
    ways = [comb(total, k) * parts**k * (1000 - parts) ** (total - k) for k in range(total + 1)]
    tail, everything = 1000**total * 5 // 1000, 1000**total
    assert sum(ways[:low]) <= tail < sum(ways[: low + 1])
    assert sum(ways[: high + 1]) >= everything - tail > sum(ways[:high])


def test_false_alarms_are_as_rare_as_promised() -> None:
    rng = random.Random(11)
    low, high = counts_within(400, 0.1, 0.99)
    draws = [sum(rng.random() < 0.1 for _ in range(400)) for _ in range(2000)]
    assert sum(not low <= seen <= high for seen in draws) <= 35  # 20 expected at the most


@pytest.mark.parametrize(
    ("expected", "tolerance", "confidence", "requests"),
    [
        pytest.param(0.1, 0.01, 0.95, 3458, id="ten percent within a point"),
        pytest.param(0.5, 0.1, 0.95, 97, id="a coin within ten points"),
        pytest.param(1.0, 0.01, 0.95, 1, id="a certainty"),
    ],
)
def test_requests_needed(expected: float, tolerance: float, confidence: float, requests: int) -> None:
    assert requests_needed(expected, tolerance, confidence) == requests


@pytest.mark.parametrize(
    ("values", "q", "result"),
    [
        pytest.param([], 0.99, 0.0, id="nothing measured"),
        pytest.param([1.0], 0.5, 1.0, id="one value"),
        pytest.param([float(i) for i in range(1, 101)], 0.99, 99.0, id="p99 of a hundred"),
        pytest.param([float(i) for i in range(1, 101)], 1.0, 100.0, id="the largest"),
        pytest.param([float(i) for i in range(1, 101)], 0.0, 1.0, id="the smallest"),
    ],
)
def test_percentile(values: list[float], q: float, result: float) -> None:
    assert percentile(values, q) == result


@pytest.mark.parametrize("wrong", [pytest.param(-0.1, id="below"), pytest.param(90, id="a percentage")])
def test_a_share_lies_between_zero_and_one(wrong: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        share(1, 1, wrong)
