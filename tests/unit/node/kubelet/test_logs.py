"""What containers say, and how it is read: memory and files, tails, times, runs."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from mesh.api.errors import BadRequest
from mesh.node.kubelet import journal as journals
from mesh.node.kubelet.journal import FileRun, Journal
from mesh.node.kubelet.logs import LogOptions, options_of, stream


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at

    def wall(self) -> float:
        return self.at


async def read(journal: Journal, previous: bool = False, **options: Any) -> str:
    run = journal.previous if previous else journal.run
    assert run is not None
    return b"".join([data async for data in stream(journal, run, LogOptions(**options))]).decode()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path: Path, clock: Clock) -> Journal:
    return Journal(tmp_path / "web.log", clock)


async def test_a_built_in_application_is_remembered_in_short(journal: Journal, clock: Clock) -> None:
    run = journal.begin_memory()
    run.say("listening on", "127.0.0.1:80")
    for number in range(200):
        clock.at += 1
        run.say("127.0.0.2", "GET", f"/{number}", 200)
    lines = (await read(journal)).splitlines()
    assert lines[0] == "listening on 127.0.0.1:80"
    assert len(lines) == 1 + journals.REMEMBERED_LINES
    assert lines[-1] == "127.0.0.2 GET /199 200"
    assert (await read(journal, tail=2)).splitlines() == lines[-2:]
    assert await read(journal, tail=0) == ""
    assert (await read(journal, since_s=1199.5)).splitlines() == lines[-1:]
    assert (await read(journal, tail=1, timestamps=True)).startswith("1970-01-01T00:20:00.000000Z 127.0.0.2")
    assert len(await read(journal, limit_bytes=7)) == 7


async def test_a_line_is_never_long(journal: Journal) -> None:
    journal.begin_memory().say("GET", "/" + "x" * 100_000)
    assert len(await read(journal)) < 200


@pytest.mark.parametrize(
    ("content", "tail", "expected"),
    [
        pytest.param("a\nb\nc\n", 2, "b\nc\n", id="last-two"),
        pytest.param("a\nb\nc\n", 3, "a\nb\nc\n", id="all"),
        pytest.param("a\nb\nc\n", 9, "a\nb\nc\n", id="more-than-there-are"),
        pytest.param("a\nb\nc", 1, "c", id="without-an-end"),
        pytest.param("\n\n\n", 1, "\n", id="empty-lines"),
        pytest.param("a\n", 0, "", id="none"),
        pytest.param("", 5, "", id="empty"),
        pytest.param(("x" * 999 + "\n") * 300, 100, ("x" * 999 + "\n") * 100, id="over-blocks"),
        pytest.param("y" * 200_000 + "\nlast\n", 1, "last\n", id="after-a-long-line"),
    ],
)
async def test_the_tail_of_a_file(journal: Journal, content: str, tail: int, expected: str) -> None:
    journal.begin_file().write_text(content)
    journal.end()
    assert await read(journal, tail=tail) == expected


async def test_whole_lines_come_while_a_program_runs(journal: Journal) -> None:
    path = journal.begin_file()
    path.write_text("one\ntw")
    assert await read(journal) == "one\n"
    journal.end()
    assert await read(journal) == "one\ntw"


async def test_following_sees_a_new_line_within_a_second_and_ends_with_the_run(journal: Journal) -> None:
    path = journal.begin_file()
    path.write_text("one\n")
    run = journal.run
    assert run is not None
    lines = stream(journal, run, LogOptions(follow=True))
    assert await anext(lines) == b"one\n"
    with open(path, "a") as file:
        file.write("two\n")
    assert await asyncio.wait_for(anext(lines), 1) == b"two\n"
    os.truncate(path, 0)
    with open(path, "w") as file:
        file.write("3\n")
    assert await asyncio.wait_for(anext(lines), 1) == b"3\n"
    asyncio.get_running_loop().call_later(0.05, journal.end)
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(lines), 1)


async def test_lines_of_a_file_are_dated_by_when_they_were_seen(journal: Journal, clock: Clock) -> None:
    path = journal.begin_file()
    run = journal.run
    assert isinstance(run, FileRun)
    for text in ("a\n", "b\n"):
        with open(path, "a") as file:
            file.write(text)
        clock.at += 10
        run._mark()
    assert await read(journal, since_s=1015) == "b\n"
    assert await read(journal, tail=1, timestamps=True) == "1970-01-01T00:17:00.000000Z b\n"
    journal.end()


async def test_marks_are_bounded(journal: Journal, clock: Clock) -> None:
    path = journal.begin_file()
    run = journal.run
    assert isinstance(run, FileRun)
    with open(path, "a") as file:
        for _ in range(2000):
            file.write("x\n")
            file.flush()
            clock.at += 1
            run._mark()
    assert len(run._marks) <= journals._MOST_MARKS
    assert list(run._marks) == sorted(run._marks)
    journal.end()


async def test_the_run_before_stays_readable_and_an_earlier_pods_log_does_not(journal: Journal) -> None:
    journal.path.write_text("of a pod of the same name\n")
    journal.begin_file().write_text("first\n")
    assert (await read(journal), journal.previous) == ("first\n", None)
    journal.begin_file().write_text("second\n")
    assert await read(journal, previous=True) == "first\n"
    assert await read(journal) == "second\n"
    journal.begin_memory().say("third")
    assert (await read(journal, previous=True), await read(journal)) == ("second\n", "third\n")


def test_options() -> None:
    query = {"tailLines": "5", "sinceSeconds": "60", "timestamps": "true", "follow": "1", "limitBytes": "9"}
    assert options_of(query, 1000.0) == LogOptions(follow=True, timestamps=True, tail=5, since_s=940.0, limit_bytes=9)
    assert options_of({"sinceTime": "1970-01-01T00:00:09Z", "follow": "false"}, 0.0) == LogOptions(since_s=9.0)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"tailLines": "-1"}, id="negative"),
        pytest.param({"tailLines": "x"}, id="no-number"),
        pytest.param({"tailLines": "9" * 50}, id="too-long"),
        pytest.param({"sinceSeconds": "0"}, id="since-now"),
        pytest.param({"sinceTime": "yesterday"}, id="no-time"),
        pytest.param({"sinceTime": "2026-01-01T00:00:00Z", "sinceSeconds": "1"}, id="both"),
        pytest.param({"limitBytes": "0"}, id="nothing"),
    ],
)
def test_bad_options_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        options_of(query, 0.0)
