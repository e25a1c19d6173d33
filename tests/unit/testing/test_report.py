"""A play as a page for people and as data for programs."""

import json
from io import StringIO

import pytest
from rich.console import Console

from mesh.testing.answers import Answers
from mesh.testing.checks import Check
from mesh.testing.report import as_data, print_play
from mesh.testing.runner import StepResult
from mesh.testing.scenario import Scenario
from mesh.testing.verdict import Outcome

SCENARIO = Scenario.model_validate(
    {"title": "A [title]", "what": "w", "steps": [{"pause": 0}], "folder": "routes/mine"}
)


def play(outcome: Outcome = Outcome.PASS) -> list[StepResult]:
    answers = Answers(elapsed_s=1.0)
    answers.answered(0.0, 0.001, 200, b"Host: p, Version: v1")
    answers.failed(0.0, 0.002, "reset", "gone")
    inner = StepResult(name="meanwhile", verb="apply", at_s=0.1, took_s=0.1, note="rule.yaml")
    check = Check("v1", "90.0%", "50.0%  (1 of 2)", outcome, "" if outcome is Outcome.PASS else "plainly off")
    load = StepResult(
        name="a [load]", verb="send", at_s=0.0, took_s=1.0, answers=answers, checks=(check,), during=(inner,)
    )
    return [load]


def page(results: list[StepResult]) -> str:
    out = StringIO()
    print_play(SCENARIO, results, Console(file=out))
    return out.getvalue()


def test_expected_stands_beside_seen() -> None:
    text = page(play())
    line = next(line for line in text.splitlines() if "90.0%" in line)
    assert line.split()[:2] == ["a", "[load]"]
    assert "50.0%  (1 of 2)" in line
    assert line.split()[-1] == "ok"
    assert text.startswith("A [title]: w")
    assert text.splitlines()[-1] == "mine: as expected"
    assert "\x1b" not in text


def test_what_went_wrong_has_a_sentence() -> None:
    lines = page(play(Outcome.FAIL)).splitlines()
    assert "a [load]: v1: plainly off" in lines
    assert lines[-1] == "mine: 1 of 2 steps went wrong"


@pytest.mark.parametrize(
    ("outcome", "ok"),
    [
        pytest.param(Outcome.PASS, True, id="as expected"),
        pytest.param(Outcome.FAIL, False, id="wrong"),
        pytest.param(Outcome.TOO_FEW, False, id="too few is no pass"),
    ],
)
def test_data(outcome: Outcome, ok: bool) -> None:
    data = json.loads(json.dumps(as_data(SCENARIO, play(outcome))))
    assert data["ok"] is ok
    assert data["scenario"] == "mine"
    (step,) = data["steps"]
    assert step["load"]["versions"] == {"v1": 1}
    assert step["load"]["failed"] == {"reset": 1}
    assert step["load"]["failures"][0]["detail"] == "gone"
    assert step["during"][0]["name"] == "meanwhile"


def test_nothing_played_is_not_ok() -> None:
    assert as_data(SCENARIO, [])["ok"] is False
