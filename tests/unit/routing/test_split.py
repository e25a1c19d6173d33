import json
import random
from collections import Counter
from typing import Any

import pytest
import xxhash

from mesh.routing.request import Request
from mesh.routing.split import ClusterChoice, WeightedClusters
from tests.unit.routing.conftest import DATA, request


def _split(weights: list[int], header_name: bytes = b"", use_hash: bool = False) -> WeightedClusters:
    choices = [ClusterChoice(cluster=b"%d" % i, weight=w) for i, w in enumerate(weights)]
    return WeightedClusters(choices, header_name, use_hash)


@pytest.fixture(scope="module")
def recorded() -> Any:
    return json.loads((DATA / "lb_other.json").read_text())["weighted"]


def test_every_recorded_number_in_a_header(recorded: Any) -> None:
    checked = 0
    for case in recorded["header"]:
        split = _split(case["weights"], b"x-r")
        for value, wanted in case["rows"]:
            text = value.strip().removeprefix("+")
            if not text.isdigit() or int(text) >= 1 << 64:
                continue  # falls back to chance
            head = Request(b"GET", b"/", b"h", [(b"x-r", value.strip().encode())], draw=1 << 62)
            assert int(split.choose(head).cluster) == wanted, (case["weights"], value)
            checked += 1
    assert checked > 500


def test_every_recorded_hash(recorded: Any) -> None:
    for case in recorded["hash"]:
        split = _split(case["weights"], use_hash=True)
        for key, wanted in case["rows"]:
            assert int(split.choose(request(), xxhash.xxh64_intdigest(key.encode())).cluster) == wanted


def test_recorded_shares(recorded: Any) -> None:
    for case in recorded["random"]:
        total = sum(case["weights"])
        for seen, weight in zip(case["counts"], case["weights"], strict=True):
            share = weight / total
            assert abs(seen / case["n"] - share) <= 4 * (share * (1 - share) / case["n"]) ** 0.5


@pytest.mark.parametrize(
    ("weights", "numbers", "chosen"),
    [
        pytest.param([90, 10], [0, 89, 90, 99, 100, 189], [0, 0, 1, 1, 0, 0], id="90 and 10"),
        pytest.param([50, 0, 50], [0, 49, 50, 99], [0, 0, 2, 2], id="zero is never drawn"),
        pytest.param([0, 1], [0, 1, 2], [1, 1, 1], id="only the second"),
        pytest.param([1, 2000], [0, 1, 2000, 2001], [0, 1, 1, 0], id="a total beyond the table"),
    ],
)
def test_numbers(weights: list[int], numbers: list[int], chosen: list[int]) -> None:
    split = _split(weights)
    assert [int(split.pick(number).cluster) for number in numbers] == chosen


@pytest.mark.parametrize(
    ("value", "chosen"),
    [("1", 1), ("+1", 1), ("01", 1), ("-1", 0), ("1.5", 0), ("12abc", 0), (str(1 << 64), 0), ("", 0)],
)
def test_what_is_not_a_number_falls_back_to_the_draw(value: str, chosen: int) -> None:
    head = Request(b"GET", b"/", b"h", [(b"x-r", value.encode())], draw=0)
    assert int(_split([1, 1], b"x-r").choose(head).cluster) == chosen


def test_without_a_hash_the_draw_decides() -> None:
    assert _split([1, 1], use_hash=True).choose(request(draw=1)).cluster == b"1"


def test_shares_converge() -> None:
    split, rng = _split([90, 10]), random.Random(1)
    seen = Counter(split.choose(Request(b"GET", b"/", b"h", [], rng=rng)).cluster for _ in range(10_000))
    assert abs(seen[b"0"] - 9000) < 120
