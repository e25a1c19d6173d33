"""What has a container said?

A program writes a file. A built-in application says nothing by itself, so the node keeps a short memory for it: that it
listens, and its last requests. Both are read alike; the run before the present one stays readable.
"""

import asyncio
import contextlib
import os
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from mesh.runtime.clock import Clock

REMEMBERED_LINES = 64
LONGEST_WORD = 100
MARK_EVERY_S = 1.0
_MOST_MARKS = 512
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Line:
    """One line, with its end of line where it has one. wall_s: when it was said, or first seen."""

    wall_s: float
    text: bytes


class Run(Protocol):
    """What one run of a container has said."""

    ended: bool

    def start(self, tail: int | None) -> int:
        """Where to begin to read, so that at most the last `tail` lines come."""
        ...

    def read(self, at: int) -> tuple[list[Line], int]:
        """Some lines from there, and where to go on."""
        ...

    def end(self) -> None:
        """The run is over."""
        ...


class MemoryRun:
    """The lines of a built-in application: the first one for ever, and the last ones."""

    def __init__(self, clock: Clock) -> None:
        self.ended = False
        self._clock = clock
        self._first: Line | None = None
        self._last: deque[tuple[float, tuple[object, ...]]] = deque(maxlen=REMEMBERED_LINES)
        self._count = 0

    def say(self, *words: object) -> None:
        """Keep a line. The words are joined only when somebody reads them: this runs for every request."""
        now = self._clock.wall()
        if self._first is None:
            self._first = Line(now, _text(words))
        else:
            self._last.append((now, words))
        self._count += 1

    def start(self, tail: int | None) -> int:
        return 0 if tail is None else max(0, self._count - tail)

    def read(self, at: int) -> tuple[list[Line], int]:
        found = [self._first] if at == 0 and self._first is not None else []
        fresh = min(len(self._last), self._count - at)
        if fresh > 0:
            found += [Line(when, _text(words)) for when, words in list(self._last)[-fresh:]]
        return found, self._count

    def end(self) -> None:
        self.ended = True


class FileRun:
    """The lines of a program, from the file that it writes.

    The file has no times: once a second the node notes how long it has become, which dates its lines well enough for
    `--since` and `--timestamps`.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path, self.ended = path, False
        self._clock = clock
        self._marks: list[tuple[int, float]] = [(0, clock.wall())]
        self._timer: asyncio.TimerHandle | None = None
        self._mark_again()

    def start(self, tail: int | None) -> int:
        if tail is None:
            return 0
        try:
            with open(self.path, "rb") as file:
                return _tail_offset(file, tail)
        except OSError:
            return 0

    def read(self, at: int) -> tuple[list[Line], int]:
        """Whole lines; the last one without its end only once the run is over."""
        try:
            with open(self.path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                at = 0 if size < at else at  # the log was cut since the last time
                file.seek(at)
                data = file.read(_BLOCK)
        except OSError:
            return [], at
        last = data.rfind(b"\n") + 1
        if last == 0 and (len(data) == _BLOCK or self.ended):
            last = len(data)  # a line longer than a block, or the last words
        lines = []
        for text in data[:last].splitlines(keepends=True) if last else ():
            at += len(text)
            lines.append(Line(self._seen_at(at), text))
        return lines, at

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._mark()
        self.ended = True

    def kept_as(self, path: Path) -> None:
        """The file gets another name, since the next run begins."""
        with contextlib.suppress(OSError):
            os.replace(self.path, path)
            self.path = path

    def _mark_again(self) -> None:
        self._mark()
        self._timer = asyncio.get_running_loop().call_later(MARK_EVERY_S, self._mark_again)

    def _mark(self) -> None:
        try:
            size = os.stat(self.path).st_size
        except OSError:
            return
        if size < self._marks[-1][0]:
            self._marks = [(0, self._clock.wall())]
        if size > self._marks[-1][0]:
            self._marks.append((size, self._clock.wall()))
            if len(self._marks) > _MOST_MARKS:
                del self._marks[1 : _MOST_MARKS // 2 : 2]  # the past may be coarser

    def _seen_at(self, offset: int) -> float:
        """When the file had first grown as far as this."""
        position = bisect_right(self._marks, (offset - 1, float("inf")))
        return self._marks[position][1] if position < len(self._marks) else self._clock.wall()


class Journal:
    """The present run of a container and the one before. path: the file of a program's present run."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path, self._clock = path, clock
        self.run: Run | None = None
        self.previous: Run | None = None

    def begin_memory(self) -> MemoryRun:
        """A built-in application starts."""
        self._turn()
        run = MemoryRun(self._clock)
        self.run = run
        return run

    def begin_file(self) -> Path:
        """A program starts: the file that it shall write, which is new. Nothing of an earlier pod is in it."""
        self._turn()
        for left in (self.path, self.path.with_name(self.path.name + ".1")):
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)
        self.run = FileRun(self.path, self._clock)
        return self.path

    def end(self) -> None:
        """The present run is over; it stays readable."""
        if self.run is not None and not self.run.ended:
            self.run.end()

    def _turn(self) -> None:
        self.end()
        if isinstance(self.run, FileRun):
            self.run.kept_as(self.path.with_name(self.path.name + ".previous"))
        self.previous, self.run = self.run, None


def _text(words: tuple[object, ...]) -> bytes:
    return " ".join(str(word)[:LONGEST_WORD] for word in words).encode("utf-8", "backslashreplace") + b"\n"


def _tail_offset(file: BinaryIO, tail: int) -> int:
    """Where the last `tail` lines of an open file begin."""
    at = file.seek(0, os.SEEK_END)
    if tail <= 0 or at == 0:
        return at
    file.seek(at - 1)
    missing = tail + (file.read(1) == b"\n")  # the end of the last line begins no line
    while at > 0:
        at, end = max(0, at - _BLOCK), at
        file.seek(at)
        for position in _line_ends(file.read(end - at)):
            missing -= 1
            if missing == 0:
                return at + position + 1
    return 0


def _line_ends(block: bytes) -> Iterator[int]:
    position = block.rfind(b"\n")
    while position >= 0:
        yield position
        position = block.rfind(b"\n", 0, position)
