import random
from collections import Counter
from fractions import Fraction

import pytest

from mesh.balance.edf import Edf


@pytest.mark.parametrize("weights", [[1, 2, 3], [5, 1], [7, 7, 3, 1]], ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_instants_never_mix(weights: list[int], seed: int) -> None:
    """Picks go through the exact deadlines k/weight in order; hosts of one instant may come in any order."""
    done = random.Random(seed).getrandbits(32) % 1000
    queue = Edf(list(range(len(weights))), done, lambda i: float(weights[i]))
    counts = Counter[int]()
    deadlines = []
    for _ in range(5 * sum(weights)):
        who = queue.pick()
        counts[who] += 1
        deadlines.append((who, counts[who]))
    assert all(counts[i] == 5 * w for i, w in enumerate(weights))
    whole = sum(weights)
    first = {who: min(Fraction(n, weights[who]) for w, n in deadlines if w == who) for who in counts}
    assert all(Fraction(1, weights[who]) == first[who] for who in counts)
    windows = [deadlines[i : i + whole] for i in range(0, len(deadlines), whole)]
    assert all(Counter(w for w, _ in window) == Counter(dict(enumerate(weights))) for window in windows)


def test_equal_deadlines_go_to_the_one_queued_first() -> None:
    queue = Edf(["light", "heavy"], 0, lambda name: 1.0 if name == "light" else 2.0)
    assert [queue.pick() for _ in range(3)] == ["heavy", "light", "heavy"]
