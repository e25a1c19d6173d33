"""How does one shard of a key-value store behave? The built-in image `mesh/kv`.

`PUT`, `GET`, `DELETE /keys/KEY` and `GET /keys`, over whatever port the pod declares; a PUT with `If-None-Match: *` is
412 where the key is held already. A shard knows nothing of the other shards: it answers for the keys that it holds and
for nothing else; placing keys is the client's work (`mesh.client.kv`). Values live in the pod's volume directory and an
acknowledged write survives a crash: written beside, synced, renamed, and the directory synced, before the answer goes
out.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar

from aiohttp import web

MAX_KEY_BYTES = 512
MAX_VALUE_BYTES = 1 << 20
"""A value is held in memory whole while it is written."""
_LENGTH_BYTES = 4
_DRAFT = ".draft"
_NAME = re.compile(r"[0-9a-f]{64}")
"""Of the files that are ours: a volume may hold others' as well."""

T = TypeVar("T")


class Place(Protocol):
    """Where this shard runs, from the node."""

    @property
    def pod_name(self) -> str: ...

    @property
    def node_name(self) -> str: ...

    @property
    def volume_dir(self) -> Path:
        """A directory that outlives the container; it need not exist yet."""
        ...

    @property
    def volume_read_only(self) -> bool: ...


class KeyFiles:
    """Keys and values as files of one directory, one each. Blocking; one caller at a time.

    A file is named by the hash of its key, so that any key fits, and holds the key's length, the key and the value.
    """

    def __init__(self, directory: Path, read_only: bool = False) -> None:
        self._directory, self._read_only = directory, read_only
        self._keys: set[str] = set()

    def open(self) -> None:
        """Read which keys there are; drafts of writes that were never acknowledged are thrown away."""
        if not self._read_only:
            self._directory.mkdir(parents=True, exist_ok=True)
        for path in self._directory.iterdir() if self._directory.is_dir() else ():
            if path.suffix == _DRAFT:
                if not self._read_only:
                    path.unlink()
            elif _NAME.fullmatch(path.name):
                with path.open("rb") as file:
                    self._keys.add(file.read(int.from_bytes(file.read(_LENGTH_BYTES))).decode())

    def keys(self) -> list[str]:
        return sorted(self._keys)

    def get(self, key: str) -> bytes | None:
        if key not in self._keys:
            return None
        return self._path(key).read_bytes()[_LENGTH_BYTES + len(key.encode()) :]

    def put(self, key: str, value: bytes, only_new: bool = False) -> bool:
        """Store durably; True when the key is new. only_new: leave a key that is held as it is."""
        if only_new and key in self._keys:
            return False
        path, name = self._path(key), key.encode()
        draft = path.with_suffix(_DRAFT)
        with draft.open("wb") as file:
            file.write(len(name).to_bytes(_LENGTH_BYTES) + name + value)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        self._sync()
        new = key not in self._keys
        self._keys.add(key)
        return new

    def delete(self, key: str) -> bool:
        """Forget durably; False when there was no such key."""
        if key not in self._keys:
            return False
        self._path(key).unlink()
        self._sync()
        self._keys.remove(key)
        return True

    def _path(self, key: str) -> Path:
        return self._directory / hashlib.sha256(key.encode()).hexdigest()

    def _sync(self) -> None:
        """A rename is only durable once its directory is."""
        handle = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class _Shard:
    """The HTTP side. All file work happens in order on one thread of its own, so the node's loop never waits."""

    def __init__(self, place: Place) -> None:
        self._files = KeyFiles(place.volume_dir, place.volume_read_only)
        self._read_only = place.volume_read_only
        self._headers = {"x-pod": place.pod_name, "x-node": place.node_name}
        self._pod = place.pod_name
        self._thread: ThreadPoolExecutor | None = None

    async def life(self, app: web.Application) -> AsyncIterator[None]:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"kv-{self._pod}")
        try:
            await self._do(self._files.open)
            yield
        finally:
            # Waits for the write under way; what follows it in the queue was acknowledged to nobody.
            await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def home(self, request: web.Request) -> web.Response:
        keys = await self._do(self._files.keys)
        return web.Response(text=f"{self._pod} holds {len(keys)} keys\n", headers=self._headers)

    async def list(self, request: web.Request) -> web.Response:
        return web.json_response({"pod": self._pod, "keys": await self._do(self._files.keys)}, headers=self._headers)

    async def get(self, request: web.Request, key: str) -> web.Response:
        value = await self._do(lambda: self._files.get(key))
        if value is None:
            return self._absent(key)
        return web.Response(body=value, content_type="application/octet-stream", headers=self._headers)

    async def put(self, request: web.Request, key: str) -> web.Response:
        self._writable()
        value = await request.read()
        only_new = request.headers.get("if-none-match", "").strip() == "*"
        new = await self._do(lambda: self._files.put(key, value, only_new))
        if only_new and not new:
            raise web.HTTPPreconditionFailed(text=f"{self._pod} holds key {key!r} already\n", headers=self._headers)
        return web.Response(status=201 if new else 204, headers=self._headers)

    async def delete(self, request: web.Request, key: str) -> web.Response:
        self._writable()
        gone = await self._do(lambda: self._files.delete(key))
        return web.Response(status=204, headers=self._headers) if gone else self._absent(key)

    def _writable(self) -> None:
        if self._read_only:
            raise web.HTTPForbidden(text=f"{self._pod}: the volume is mounted read-only\n", headers=self._headers)

    def _absent(self, key: str) -> web.Response:
        return web.Response(status=404, text=f"{self._pod} holds no key {key!r}\n", headers=self._headers)


KeyHandler = Callable[[web.Request, str], Awaitable[web.Response]]


def _with_key(handler: KeyHandler) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Read the key from the path; one that is too long is told so before anything else happens."""

    async def handle(request: web.Request) -> web.Response:
        key = request.match_info["key"]
        try:
            size = len(key.encode())
        except UnicodeEncodeError:
            raise web.HTTPBadRequest(text="a key must be UTF-8, percent-encoded\n") from None
        if size > MAX_KEY_BYTES:
            raise web.HTTPRequestURITooLong(text=f"a key has at most {MAX_KEY_BYTES} bytes; this one has {size}\n")
        return await handler(request, key)

    return handle


def build(env: Mapping[str, str], ctx: Place) -> web.Application:
    """The application of one shard. env: nothing is read from it."""
    shard = _Shard(ctx)
    app = web.Application(client_max_size=MAX_VALUE_BYTES)
    app.cleanup_ctx.append(shard.life)
    app.router.add_get("/", shard.home)
    app.router.add_get("/keys", shard.list)
    app.router.add_get("/keys/{key}", _with_key(shard.get))
    app.router.add_put("/keys/{key}", _with_key(shard.put))
    app.router.add_delete("/keys/{key}", _with_key(shard.delete))
    return app
