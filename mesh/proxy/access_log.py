"""Where does the line about a finished request go?

A listener's own access logs are written to their files; a proxy without any may hand lines in Envoy's default format
to whoever runs it. Files are opened once, written a line at a time and flushed by the event loop's idle moments.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import BinaryIO

from mesh.routing.decision import Decision
from mesh.routing.spec import AccessLogSpec
from mesh.routing.substitution import DEFAULT_ACCESS_LOG, compile_format

_FLUSH_S = 0.2

_STREAMS = {"/dev/stdout": sys.stdout, "/dev/stderr": sys.stderr, "/dev/fd/1": sys.stdout, "/dev/fd/2": sys.stderr}


class LogSink:
    """One log file, shared by all listeners that name it."""

    __slots__ = ("_file", "_lines", "_owned", "_timer")

    def __init__(self, path: str) -> None:
        stream = _STREAMS.get(path)
        self._owned = stream is None
        self._file: BinaryIO = stream.buffer if stream is not None else open(path, "ab")  # noqa: SIM115
        self._lines: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    def write(self, line: bytes) -> None:
        self._lines.append(line)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_FLUSH_S, self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._file.write(b"".join(self._lines))
        self._file.flush()
        self._lines.clear()

    def close(self) -> None:
        self.flush()
        if self._owned:
            self._file.close()


def lines_of(
    specs: tuple[AccessLogSpec, ...], fallback: Callable[[bytes], None] | None, sinks: dict[str, LogSink]
) -> tuple[Callable[[Decision], None], ...]:
    """One function for each log that wants to hear of finished requests."""
    logs: list[Callable[[Decision], None]] = []
    for spec in specs:
        sink = sinks.get(spec.path)
        if sink is None:
            sink = sinks[spec.path] = LogSink(spec.path)
        logs.append(_to(spec.line, sink.write))
    if not specs and fallback is not None:
        logs.append(_to(default_line(), fallback))
    return tuple(logs)


def default_line() -> Callable[[Decision], bytes]:
    """Envoy's default format."""
    line = compile_format(DEFAULT_ACCESS_LOG, "", b"-")
    assert callable(line)
    return line


def _to(line: Callable[[Decision], bytes], write: Callable[[bytes], None]) -> Callable[[Decision], None]:
    def log(decision: Decision) -> None:
        write(line(decision))

    return log
