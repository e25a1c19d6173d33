"""Is what was seen what was expected, or can so few requests not say?

Requests are independent draws, so the count that one version gets is binomial. A share is judged against the range
that the count stays in with a given confidence; a range given by hand (a tolerance) is judged only when there were
enough requests for an honest split to stay inside it. Shares of 0 and 1 are exact: one stray answer breaks them.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

CONFIDENCE = 0.9999
"""One false alarm in ten thousand judgements: a suite of a hundred splits fails by chance once in a hundred runs."""
_NEGLIGIBLE = 1e-18


class Outcome(StrEnum):
    """How a judgement ended. TOO_FEW: the figures fit neither a yes nor a no."""

    PASS = "pass"  # noqa: S105 (an outcome, not a secret)
    FAIL = "fail"
    TOO_FEW = "too few"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareVerdict:
    """One share, judged. low, high: the counts that would have passed, both included."""

    outcome: Outcome
    expected: float
    seen: int
    total: int
    low: int
    high: int
    why: str = ""

    @property
    def seen_share(self) -> float:
        return self.seen / self.total if self.total else 0.0


def share(
    seen: int, total: int, expected: float, *, confidence: float = CONFIDENCE, tolerance: float | None = None
) -> ShareVerdict:
    """Judge `seen` of `total` against the share `expected` (0 to 1).

    tolerance: how far the seen share may be from the expected one, as a share; None takes the range from chance.
    """
    if not 0 <= expected <= 1:
        raise ValueError(f"a share lies between 0 and 1, not {expected}")
    if total == 0:
        return _verdict(Outcome.TOO_FEW, seen, total, expected, 0, 0, "nothing was answered")
    exact = expected in (0.0, 1.0)
    if tolerance is None or exact:
        low, high = counts_within(total, expected, confidence)
        if not exact and low == 0 and high == total:
            return _verdict(Outcome.TOO_FEW, seen, total, expected, low, high, _more(expected, total))
    else:
        low, high = math.ceil((expected - tolerance) * total - 1e-9), math.floor((expected + tolerance) * total + 1e-9)
        low, high = max(low, 0), min(high, total)
        least, most = counts_within(total, expected, confidence)
        if least < low or most > high:
            need = max(requests_needed(expected, tolerance, confidence), total + 1)
            why = f"{total} requests cannot show {expected:.4g} within {tolerance:.4g}; send at least {need}"
            # A split far outside the range of chance is wrong however few the requests were.
            wrong = not least <= seen <= most
            return _verdict(Outcome.FAIL if wrong else Outcome.TOO_FEW, seen, total, expected, low, high, why)
    outcome = Outcome.PASS if low <= seen <= high else Outcome.FAIL
    return _verdict(outcome, seen, total, expected, low, high, "")


def _verdict(outcome: Outcome, seen: int, total: int, expected: float, low: int, high: int, why: str) -> ShareVerdict:
    return ShareVerdict(outcome=outcome, expected=expected, seen=seen, total=total, low=low, high=high, why=why)


def _more(expected: float, total: int) -> str:
    return f"any count of {total} fits a share of {expected:.4g}; send more requests"


def counts_within(total: int, expected: float, confidence: float) -> tuple[int, int]:
    """The smallest and largest count that a fair draw of `total` stays between with `confidence`.

    The two tails together hold at most 1 - confidence. Exact (no normal approximation), in one pass over the counts
    that have any weight: some ten standard deviations to each side.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not {confidence}")
    if expected <= 0:
        return 0, 0
    if expected >= 1:
        return total, total
    tail = (1 - confidence) / 2
    return _lower(total, expected, tail), total - _lower(total, 1 - expected, tail)


def _lower(total: int, expected: float, tail: float) -> int:
    """The smallest k with P(X <= k) > tail."""
    mode = min(total, int((total + 1) * expected))
    weight = _pmf(mode, total, expected)
    odds = (1 - expected) / expected
    weights = [weight]  # of mode, mode - 1, ...
    for count in range(mode, 0, -1):
        weight *= count / (total - count + 1) * odds
        if weight < _NEGLIGIBLE:
            break
        weights.append(weight)
    below = 0.0
    for steps in range(len(weights) - 1, -1, -1):
        below += weights[steps]
        if below > tail:
            return mode - steps
    return mode


def _pmf(count: int, total: int, expected: float) -> float:
    ways = math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)
    return math.exp(ways + count * math.log(expected) + (total - count) * math.log1p(-expected))


def requests_needed(expected: float, tolerance: float, confidence: float = CONFIDENCE) -> int:
    """How many requests until a fair split stays within `tolerance` of `expected` with `confidence`.

    Source: the usual normal approximation, n = z^2 p (1 - p) / t^2.
    """
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    return max(1, math.ceil(z * z * expected * (1 - expected) / tolerance**2))


def percentile(ordered: list[float], q: float) -> float:
    """The value below which the share `q` of an ascending list lies (nearest rank); 0 for an empty list."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, max(0, math.ceil(q * len(ordered)) - 1))]
