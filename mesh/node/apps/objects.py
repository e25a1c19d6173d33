"""How does an append-only object store behave? The built-in image `mesh/objects`, in the words of S3.

`PUT /BUCKET/KEY` stores an object and makes the bucket if need be; `GET` and `HEAD` fetch it, also a range of it;
`GET /BUCKET` lists (prefix, delimiter, max-keys, start-after, continuation-token), `GET /` lists buckets; XML as S3
says it, JSON for who asks with `Accept: application/json`. An object is never changed in place and never removed: a
second PUT of a key is 409 (412 with `If-None-Match: *`), DELETE is 405. Data lie in the pod's first volume, and an
object that was acknowledged is on disk.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from urllib.parse import unquote

from aiohttp import web

from mesh.node.apps import object_pages as pages
from mesh.node.apps.context import AppContext
from mesh.node.apps.object_files import Buckets, Exists
from mesh.node.apps.object_pages import Refused

MAX_OBJECT_BYTES = 256 << 20
MAX_KEY_BYTES = 1024
MAX_MEDIA = 256
_BUCKET = re.compile(r"[a-z0-9]([-.a-z0-9]{0,61}[a-z0-9])?")
_PIECE = 1 << 18

T = TypeVar("T")


class _Store:
    """The HTTP side. File work is done on one thread, so the node's loop never waits."""

    def __init__(self, ctx: AppContext) -> None:
        self._buckets = Buckets(ctx.volume_dir)
        self._read_only = ctx.volume_read_only
        self._headers = {"x-pod": ctx.pod_name, "x-node": ctx.node_name}
        self._thread: ThreadPoolExecutor | None = None

    async def life(self, app: web.Application) -> AsyncIterator[None]:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="objects")
        try:
            yield
        finally:
            await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Any request. What is refused is said in S3's words."""
        try:
            bucket, key = names(request)
            return await self._act(request, bucket, key)
        except Refused as error:
            return pages.refusal(request, error, self._headers)
        except OSError as error:
            said = Refused(507, "InsufficientStorage", error.strerror or str(error))
            return pages.refusal(request, said, self._headers)

    async def _act(self, request: web.Request, bucket: str, key: str) -> web.StreamResponse:
        match request.method, bool(bucket), bool(key):
            case "GET" | "HEAD", False, _:
                return pages.buckets(request, await self._do(self._buckets.buckets), self._headers)
            case "GET" | "HEAD", True, False:
                return await self._list(request, bucket)
            case "GET" | "HEAD", True, True:
                return await self._get(request, bucket, key)
            case "PUT", True, False:
                return await self._make(bucket)
            case "PUT", True, True:
                return await self._put(request, bucket, key)
        why = "objects here are neither changed nor removed" if request.method == "DELETE" else "not executed here"
        raise Refused(405, "MethodNotAllowed", f"{request.method}: {why}")

    async def _list(self, request: web.Request, bucket: str) -> web.Response:
        entries = await self._do(lambda: self._buckets.list(bucket))
        if entries is None:
            raise Refused(404, "NoSuchBucket", f"there is no bucket {bucket}")
        return pages.listing(request, bucket, entries, self._headers)

    async def _make(self, bucket: str) -> web.Response:
        self._writable()
        if not await self._do(lambda: self._buckets.make(bucket)):
            raise Refused(409, "BucketAlreadyOwnedByYou", f"there is a bucket {bucket}")
        return web.Response(headers={**self._headers, "location": f"/{bucket}"})

    def _writable(self) -> None:
        if self._read_only:
            raise Refused(403, "AccessDenied", "the volume is mounted read-only")

    async def _put(self, request: web.Request, bucket: str, key: str) -> web.Response:
        self._writable()
        self._check_put(request)
        if (found := await self._do(lambda: self._buckets.open(bucket, key))) is not None:
            found[1].close()
            raise _taken(request, key)
        draft = await self._do(lambda: self._buckets.draft(bucket, uuid.uuid4().hex))
        try:
            async for piece in request.content.iter_chunked(_PIECE):
                if draft.size + len(piece) > MAX_OBJECT_BYTES:
                    raise _too_large()
                await self._do(lambda piece=piece: draft.write(piece))  # type: ignore[misc]
            media = request.headers.get("content-type", "binary/octet-stream")[:MAX_MEDIA]
            entry = await self._do(lambda: draft.keep(key, media, time.time()))
        except Exists:
            raise _taken(request, key) from None
        finally:
            draft.drop()  # at once: nothing is left behind, whatever ends this
        return web.Response(headers={**self._headers, "etag": f'"{entry.etag}"'})

    @staticmethod
    def _check_put(request: web.Request) -> None:
        if (request.content_length or 0) > MAX_OBJECT_BYTES:
            raise _too_large()
        if "aws-chunked" in request.headers.get("content-encoding", ""):
            raise Refused(501, "NotImplemented", "aws-chunked bodies: send the object's bytes as they are")
        if "x-amz-copy-source" in request.headers:
            raise Refused(501, "NotImplemented", "x-amz-copy-source: get the object and put it")

    async def _get(self, request: web.Request, bucket: str, key: str) -> web.StreamResponse:
        found = await self._do(lambda: self._buckets.open(bucket, key))
        if found is None:
            raise Refused(404, "NoSuchKey", f"there is no object {key!r} in {bucket}")
        entry, file = found
        try:
            status, start, end = pages.wanted_range(request, entry.size)
            answer = web.StreamResponse(status=status, headers={**self._headers, **pages.headers_of(entry)})
            if status == 206:
                answer.headers["content-range"] = f"bytes {start}-{end - 1}/{entry.size}"
            answer.content_length = end - start
            await answer.prepare(request)
            await self._do(lambda: file.seek(start))
            while start < end and request.method != "HEAD":
                piece = await self._do(lambda at=start: file.read(min(_PIECE, end - at)))  # type: ignore[misc]
                await answer.write(piece)
                start += len(piece)
            return answer
        finally:
            file.close()


def names(request: web.Request) -> tuple[str, str]:
    """Bucket and key of a path; empty where it has none. Raises Refused."""
    path = request.raw_path.partition("?")[0].lstrip("/")
    bucket, _, raw = path.partition("/")
    if bucket and not _BUCKET.fullmatch(bucket):
        why = "a bucket's name has 1 to 63 lower-case letters, digits, '-' and '.'"
        raise Refused(400, "InvalidBucketName", why)
    try:
        key = unquote(raw, errors="strict")
    except UnicodeDecodeError:
        raise Refused(400, "InvalidURI", "a key is UTF-8, percent-encoded") from None
    if len(key.encode()) > MAX_KEY_BYTES:
        raise Refused(400, "KeyTooLongError", f"a key has at most {MAX_KEY_BYTES} bytes")
    return bucket, key


def _taken(request: web.Request, key: str) -> Refused:
    why = f"there is an object {key!r}, and objects are not changed in place: choose another key"
    if request.headers.get("if-none-match"):
        return Refused(412, "PreconditionFailed", why)
    return Refused(409, "ObjectAlreadyExists", why)


def _too_large() -> Refused:
    return Refused(413, "EntityTooLarge", f"an object has at most {MAX_OBJECT_BYTES} bytes")


def build(env: Mapping[str, str], ctx: AppContext) -> web.Application:
    """The application of one container. env: nothing is read from it."""
    store = _Store(ctx)
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]] = store.handle
    app = web.Application(client_max_size=MAX_OBJECT_BYTES)
    app.cleanup_ctx.append(store.life)
    app.router.add_route("*", "/{path:(?s:.*)}", handler)
    return app
