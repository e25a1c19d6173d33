"""Expectations of a step, judged row by row."""

import pytest

from mesh.client.kv_moves import Moved
from mesh.testing.answers import Answers
from mesh.testing.checks import Check, Keys, of_keys, of_load, of_moves
from mesh.testing.scenario import Expect, KvExpect
from mesh.testing.verdict import Outcome


def answers(v1: int = 0, v2: int = 0, refused: int = 0, took_ms: float = 1.0) -> Answers:
    """So many good answers per version, and so many failures."""
    found = Answers()
    for count, version in ((v1, "v1"), (v2, "v2")):
        for number in range(count):
            body = f"Host: {version}-{number % 3}, Version: {version}".encode()
            found.answered(0.0, took_ms / 1000, 200, body)
    for _ in range(refused):
        found.failed(0.0, took_ms / 1000, "refused", "nobody listens")
    return found


def judge(expect: dict[str, object], seen: Answers, **more: dict[str, float]) -> dict[str, Check]:
    arrived = {name: int(count) for name, count in more.get("arrived", {}).items()}
    found = of_load(Expect.model_validate(expect), seen, arrived, more.get("p99_ms", {}))
    return {check.what: check for check in found}


@pytest.mark.parametrize(
    ("expect", "seen", "wrong"),
    [
        pytest.param({"versions": {"v1": 90, "v2": 10}}, answers(905, 95), [], id="a fair split"),
        pytest.param({"versions": {"v1": 90, "v2": 10}}, answers(500, 500), ["v1", "v2"], id="a wrong split"),
        pytest.param({"versions": {"v1": 100}}, answers(99, 1), ["v1", "v2"], id="a stray version"),
        pytest.param({"versions": {"v1": 50}}, answers(505, 495), [], id="a version that is not named may answer"),
        pytest.param({}, answers(10, 10), [], id="nothing expected"),
        pytest.param({}, answers(10, 0, 1), ["failed requests"], id="no failure is always expected"),
        pytest.param({"errors": 1}, answers(10, 0, 1), [], id="one may fail"),
        pytest.param({"errors": "any"}, answers(0, 0, 9), [], id="any may fail"),
        pytest.param({}, answers(), ["requests sent"], id="nothing was sent"),
        pytest.param({"pods": 3}, answers(9), [], id="three pods"),
        pytest.param({"pods": 4}, answers(9), ["pods that answered"], id="one pod too few"),
        pytest.param({"statuses": {200: 100}}, answers(9), [], id="all with 200"),
        pytest.param({"statuses": {404: 100}}, answers(9), ["status 404"], id="none with 404"),
    ],
)
def test_loads(expect: dict[str, object], seen: Answers, wrong: list[str]) -> None:
    rows = judge(expect, seen)
    assert [what for what, check in rows.items() if check.outcome is not Outcome.PASS] == wrong


def test_too_few_requests_are_no_pass() -> None:
    assert judge({"versions": {"v1": 90}}, answers(3))["v1"].outcome is Outcome.TOO_FEW


def test_the_first_failure_is_told() -> None:
    row = judge({}, answers(1, 0, 2))["failed requests"]
    assert (row.expected, row.seen, row.why) == ("0", "2 of 3 (2 refused)", "nobody listens")


@pytest.mark.parametrize(
    ("arrived", "outcome"),
    [
        pytest.param(500, Outcome.PASS, id="each once"),
        pytest.param(499, Outcome.FAIL, id="one is missing"),
        pytest.param(501, Outcome.FAIL, id="one came twice"),
    ],
)
def test_what_arrived_is_exact(arrived: int, outcome: Outcome) -> None:
    rows = judge({"arrived": {"v2": 500}}, answers(500), arrived={"v2": arrived})
    assert rows["arrived at v2"].outcome is outcome


@pytest.mark.parametrize(
    ("seen", "before", "outcome"),
    [
        pytest.param(answers(300, took_ms=1.1), {"plain": 1.0}, Outcome.PASS, id="nearly as quick"),
        pytest.param(answers(300, took_ms=1.3), {"plain": 1.0}, Outcome.FAIL, id="slower"),
        pytest.param(answers(50, took_ms=1.0), {"plain": 1.0}, Outcome.TOO_FEW, id="too few for a slowest percent"),
        pytest.param(answers(300), {}, Outcome.FAIL, id="nothing to compare with"),
    ],
)
def test_p99_beside_an_earlier_step(seen: Answers, before: dict[str, float], outcome: Outcome) -> None:
    rows = judge({"p99_ratio": {"of": "plain", "at_most": 1.2}}, seen, p99_ms=before)
    assert rows["p99"].outcome is outcome


@pytest.mark.parametrize(
    ("expect", "wrong"),
    [
        pytest.param({"found": 9, "shards": 3, "twice": 1}, [], id="as it is"),
        pytest.param({"found": 10}, ["keys found"], id="a key is lost"),
        pytest.param({"shards": 5}, ["shards with keys"], id="not every shard"),
        pytest.param({"twice": 0}, ["keys on two shards"], id="a key lives twice"),
        pytest.param({}, [], id="nothing expected"),
    ],
)
def test_keys(expect: dict[str, int], wrong: list[str]) -> None:
    rows = of_keys(KvExpect(**expect), Keys(asked=10, found=9, shards=3, twice=1))
    assert [row.what for row in rows if row.outcome is not Outcome.PASS] == wrong


@pytest.mark.parametrize(
    ("expect", "moved", "wrong"),
    [
        pytest.param({"shards": 2, "moved_at_most": 1.1}, 54, [], id="as wanted"),
        pytest.param({"moved_at_most": 1.1}, 56, ["keys moved"], id="too many"),
        pytest.param({"shards": 3}, 0, ["shards with keys"], id="too few shards"),
        pytest.param({}, 100, [], id="not asked"),
    ],
)
def test_moves(expect: dict[str, float], moved: int, wrong: list[str]) -> None:
    """Half of the keys have to move when a second shard comes."""
    done = Moved(("kv-0",), ("kv-0", "kv-1"), 100, moved, {"kv-0": 100 - moved or 1, "kv-1": moved or 1})
    rows = of_moves(KvExpect.model_validate(expect), done)
    assert [row.what for row in rows if row.outcome is not Outcome.PASS] == wrong
