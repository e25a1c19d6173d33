"""Drawing a play."""

import re
import sys
from pathlib import Path

import pytest

from mesh.testing import picture
from mesh.testing.answers import Answers
from mesh.testing.runner import StepResult
from mesh.testing.scenario import Scenario
from mesh.testing.timeline import Count, PodLine

SCENARIO = Scenario.model_validate({"title": "A <b>", "what": "w", "steps": [{"pause": 0}], "folder": "/nowhere"})


def told(failures: int = 3) -> picture.Story:
    answers = Answers(begin=101.0)
    for number in range(200):
        answers.answered(101.0, 101.0 + number / 100, 200, b"Version: v1" if number < 100 else b"Version: v2")
    for _ in range(failures):
        answers.failed(101.0, 102.0, "503", "no healthy <upstream>")
    inner = StepResult(name="version 2", verb="rollout", at_s=1.5, took_s=0.5)
    pause = StepResult(name="a pause", verb="pause", at_s=1.4, took_s=0.1)
    load = StepResult(name="load", verb="send", at_s=1.0, took_s=2.0, answers=answers, during=(pause, inner))
    return picture.story(SCENARIO, [load], PodLine([Count(0.0, 3, 3), Count(1.5, 2, 3)]), 100.0)


def test_a_story_has_the_times_of_the_play() -> None:
    story = told()
    assert story.slots[0].at_s == pytest.approx(1.0)
    assert story.end_s == pytest.approx(3.0, abs=0.11)
    assert [(moment.at_s, moment.what) for moment in story.moments] == [(1.5, "version 2"), (2.0, "complete")]
    assert [(entry.cause, entry.begin_s, entry.count) for entry in story.ledger] == [("5xx from the app", 2.0, 3)]
    assert picture.versions(story) == ["v1", "v2"]
    assert (story.sent, story.ok) == (203, True)


@pytest.mark.parametrize("failures", [pytest.param(0, id="none failed"), pytest.param(3, id="some failed")])
def test_a_picture_and_a_page(tmp_path: Path, failures: int) -> None:
    pytest.importorskip("matplotlib", reason="the extra report is not installed")
    story = told(failures)
    picture.write(story, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    picture.write(story, tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text()
    assert re.search(r'src="data:image/png;base64,iVBOR[^"]{1000,}"', page)
    assert "A &lt;b&gt;" in page
    assert ("no healthy &lt;upstream&gt;" in page) == bool(failures)
    assert ("No request failed." in page) == (not failures)
    assert "<script" not in page
    assert not re.search(r'(src|href)="http', page), "a page that needs nothing else"


def test_nothing_to_draw_is_still_a_picture() -> None:
    pytest.importorskip("matplotlib", reason="the extra report is not installed")
    assert picture.png(picture.story(SCENARIO, [], PodLine(), 0.0)).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("a.pdf", "a report ends in .html or .png", id="another ending"),
        pytest.param("no/a.png", "there is no folder", id="no folder"),
    ],
)
def test_what_cannot_be_written_is_said_first(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(picture.PictureError, match=said):
        picture.check(tmp_path / name)


def test_without_the_library_one_line_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(picture.PictureError, match=r"pip install 'loopmesh\[report\]'"):
        picture.check(tmp_path / "a.png")
