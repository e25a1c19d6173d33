"""How do changes reach a watcher over HTTP?

One JSON object a line in a chunked answer that lasts until the client leaves or its time is up.
"""

import asyncio

import orjson
from aiohttp import web

from mesh.api.errors import Expired
from mesh.api.scheme import Kind
from mesh.apiserver.numbers import whole
from mesh.apiserver.registry import Registry
from mesh.apiserver.respond import JSON_TYPE, Form
from mesh.apiserver.watch import Scope, Watcher

BOOKMARK_EVERY_S = 60.0
GATHER_S = 0.01
_LONGEST_S = 2400.0


async def stream_watch(
    request: web.Request, registry: Registry, kind: Kind, scope: Scope, form: Form
) -> web.StreamResponse:
    """Serve one watch. Raises Expired or BadRequest before anything is sent; later trouble is an ERROR event."""
    query = request.query
    initial = query.get("sendInitialEvents") == "true"
    version = _version(query.get("resourceVersion", ""))
    deadline = registry.clock.now() + _timeout_s(query.get("timeoutSeconds", ""))
    records = []
    if version == 0 or initial:
        listing = registry.list(kind, scope)
        records, version = listing.records, listing.version
    watcher = registry.watch(kind, scope, version)
    try:
        watcher.read()  # so that a version that is too old is an honest 410
        watcher.version = version
        response = web.StreamResponse(headers={"Content-Type": JSON_TYPE})
        await response.prepare(request)
        wall_s = registry.clock.wall()
        lines = [form.event("ADDED", found, wall_s, position == 0) for position, found in enumerate(records)]
        bookmarks = query.get("allowWatchBookmarks") == "true" and form.form != "table"
        if initial and bookmarks:
            lines.append(form.bookmark(version, initial_end=True))
        if lines:
            await response.write(b"".join(lines))
        await _follow(response, watcher, form, registry, deadline, bookmarks, started=bool(records))
    finally:
        watcher.close()
    await response.write_eof()
    return response


async def _follow(
    response: web.StreamResponse, watcher: Watcher, form: Form, registry: Registry, deadline: float,
    bookmarks: bool, started: bool,
) -> None:  # fmt: skip
    next_bookmark = registry.clock.now() + BOOKMARK_EVERY_S
    while True:
        try:
            changes = watcher.read()
        except Expired as error:
            await response.write(orjson.dumps({"type": "ERROR", "object": error.status()}) + b"\n")
            return
        if changes:
            wall_s = registry.clock.wall()
            lines = []
            for change in changes:
                lines.append(form.event(change.type, change.record, wall_s, not started))
                started = True
            await response.write(b"".join(lines))
            # News that comes alone goes out at once; what follows closely goes together.
            await asyncio.sleep(GATHER_S)
        now = registry.clock.now()
        if now >= deadline or (bookmarks and now >= next_bookmark):
            if bookmarks:
                await response.write(form.bookmark(watcher.version))
            if now >= deadline:
                return
            next_bookmark = now + BOOKMARK_EVERY_S
        wake_at = min(deadline, next_bookmark) if bookmarks else deadline
        await watcher.wait(max(wake_at - now, 0.0))


def _version(text: str) -> int:
    return whole("resourceVersion", text)


def _timeout_s(text: str) -> float:
    return float(whole("timeoutSeconds", text)) or _LONGEST_S


async def end_all(watches: set["asyncio.Task[object]"]) -> None:
    """Stop the given handlers, so that a server that closes does not wait for its watchers."""
    for task in watches:
        task.cancel()
    await asyncio.gather(*watches, return_exceptions=True)
