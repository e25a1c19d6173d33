"""How is what a container has said read out? The last lines, those since a time, dated, cut, and as they come."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from mesh.api.errors import BadRequest
from mesh.node.kubelet.journal import Journal, Line, Run
from mesh.runtime.clock import rfc3339_micro

LOOK_AGAIN_S = 0.2
_TRUE = ("true", "1")
_HIGHEST = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """What the query of a log request asks. since_s: wall time before which nothing is shown."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None
    since_s: float = 0.0
    limit_bytes: int = _HIGHEST


def options_of(query: Mapping[str, str], now_s: float) -> LogOptions:
    """Raises BadRequest."""
    since_s = 0.0
    if "sinceSeconds" in query and "sinceTime" in query:
        raise BadRequest("at most one of `sinceTime` or `sinceSeconds` may be specified")
    if "sinceSeconds" in query:
        since_s = now_s - _number(query, "sinceSeconds", least=1)
    elif "sinceTime" in query:
        since_s = _time(query["sinceTime"])
    return LogOptions(
        follow=query.get("follow") in _TRUE,
        previous=query.get("previous") in _TRUE,
        timestamps=query.get("timestamps") in _TRUE,
        tail=_number(query, "tailLines") if "tailLines" in query else None,
        since_s=since_s,
        limit_bytes=_number(query, "limitBytes", least=1) if "limitBytes" in query else _HIGHEST,
    )


def _number(query: Mapping[str, str], name: str, least: int = 0) -> int:
    text = query[name]
    if not (text.isascii() and text.isdigit()) or len(text) > 18 or int(text) < least:
        raise BadRequest(f'{name}: Invalid value: "{text[:40]}": must be a whole number, at least {least}')
    return int(text)


def _time(text: str) -> float:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(f'sinceTime: Invalid value: "{text[:40]}": must be an RFC 3339 time') from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


async def stream(journal: Journal, run: Run, options: LogOptions) -> AsyncIterator[bytes]:
    """The bytes to send, in portions of bounded size. With follow, until the run is over and all of it is read."""
    at, left = run.start(options.tail), options.limit_bytes
    while left > 0:
        over = run.ended or journal.run is not run
        lines, at = run.read(at)
        data = b"".join(_shown(line, options.timestamps) for line in lines if line.wall_s >= options.since_s)[:left]
        left -= len(data)
        if data:
            yield data
        if not lines:
            if over or not options.follow:
                return
            await asyncio.sleep(LOOK_AGAIN_S)


def _shown(line: Line, timestamps: bool) -> bytes:
    return rfc3339_micro(line.wall_s).encode() + b" " + line.text if timestamps else line.text
