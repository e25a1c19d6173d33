"""How is a program started, watched and ended, and how much processor time did it use?

Only children of this process are ever ended, each by its own handle.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
_TICKS = os.sysconf("SC_CLK_TCK")


class NotStarted(Exception):
    """A program that did not come up; `str()` says what it said last."""


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody uses now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


@contextmanager
def on_processors(processors: set[int]) -> Iterator[None]:
    """What is started inside runs on these processors only; an empty set leaves the choice to the kernel."""
    if not processors:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _tied(command: list[str]) -> list[str]:
    """The command so that it ends with this process, even when this one is killed, where the system can do that."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--", *command] if setpriv else command


class Child:
    """One program, with its output in a file of its directory."""

    def __init__(self, name: str, command: list[str], place: Path) -> None:
        self.name = name
        self._log = place / "output.log"
        with self._log.open("wb") as out:
            self._process = subprocess.Popen(
                _tied(command), stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_for_port(self, port: int) -> None:
        """Return once something accepts there. Raises NotStarted."""
        until = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise NotStarted(f"{self.name} ended with {self._process.returncode}: {self.last_words()}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise NotStarted(f"{self.name} does not listen on port {port} after {START_TIMEOUT_S:g} s: {self.last_words()}")

    def alive(self) -> bool:
        return self._process.poll() is None

    def last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return " / ".join(lines[-3:]) or "it said nothing"

    def stop(self) -> None:
        """Ask it to end, and end it if it does not."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT_S)

    def cpu_s(self) -> float:
        """Processor seconds so far: user and system, of the process, its ended and its living descendants."""
        return sum(_cpu_ticks(pid) for pid in _family(self.pid)) / _TICKS

    def memory_mb(self) -> float:
        """Resident memory, descendants included."""
        page = os.sysconf("SC_PAGE_SIZE")
        total = 0
        for pid in _family(self.pid):
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
        return total / 1e6


def _fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, which may hold blanks itself."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _cpu_ticks(pid: int) -> int:
    utime, stime, children_utime, children_stime = _fields(pid)[11:15]
    return int(utime) + int(stime) + int(children_utime) + int(children_stime)


def _family(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(_fields(int(entry.name))[1])
            except (OSError, IndexError):
                continue  # it ended while we looked
    family = [root]
    for pid in family:
        family += [child for child, parent in parents.items() if parent == pid]
    return family
