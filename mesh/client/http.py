"""How does a process without the store in it talk to the API server?

Over HTTP, as any Kubernetes client would: one pooled session, Status bodies turned back into errors, watches that stay
open until somebody closes them.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import aiohttp
import orjson

from mesh.api import scheme
from mesh.api.errors import ApiError, Unavailable, from_status
from mesh.api.meta import Object
from mesh.client import decoding
from mesh.client.base import MERGE_PATCH, ListResult, WatchEvent

T = TypeVar("T", bound=Object)
_JSON = "application/json"
_REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5)


class HttpClient:
    """The client contract over a socket.

    base_url: `http://127.0.0.1:8001`.  user_agent: shown in the server's log.  Must be closed, or used as `async with`.
    """

    def __init__(self, base_url: str, user_agent: str = "loopmesh") -> None:
        self._base = base_url.rstrip("/")
        self._user_agent = user_agent
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End every connection, watches too."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, cls: type[T], name: str, namespace: str | None = None) -> T:
        return cls.model_validate_json(await self._call("GET", path(cls, namespace, name)))

    async def list(
        self, cls: type[T], namespace: str | None = None, label_selector: str = "", field_selector: str = ""
    ) -> ListResult[T]:
        query = _selectors(label_selector, field_selector)
        data = orjson.loads(await self._call("GET", path(cls, namespace), query=query))
        kind = scheme.kind_of(cls)
        items = []
        for item in data["items"]:
            item.setdefault("apiVersion", kind.api_version)
            item.setdefault("kind", kind.kind)
            obj = decoding.read(cls, item)
            if obj is not None:
                items.append(obj)
        return ListResult(items, data["metadata"]["resourceVersion"])

    async def create(self, obj: T) -> T:
        return await self._send("POST", obj, path(type(obj), obj.metadata.namespace))

    async def update(self, obj: T) -> T:
        return await self._send("PUT", obj, path(type(obj), obj.metadata.namespace, obj.name))

    async def update_status(self, obj: T) -> T:
        return await self._send("PUT", obj, path(type(obj), obj.metadata.namespace, obj.name, "status"))

    async def patch(
        self,
        cls: type[T],
        name: str,
        patch: dict[str, Any] | Sequence[dict[str, Any]],
        namespace: str | None = None,
        subresource: str = "",
        content_type: str = MERGE_PATCH,
    ) -> T:
        where = path(cls, namespace, name, subresource)
        return cls.model_validate_json(await self._call("PATCH", where, orjson.dumps(patch), content_type))

    async def delete(
        self,
        cls: type[T],
        name: str,
        namespace: str | None = None,
        *,
        propagation: str | None = None,
        grace_period_s: int | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> None:
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        options = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": propagation,
            "gracePeriodSeconds": grace_period_s,
            "preconditions": {k: v for k, v in preconditions.items() if v is not None} or None,
        }
        body = orjson.dumps({key: value for key, value in options.items() if value is not None})
        await self._call("DELETE", path(cls, namespace, name), body)

    async def watch(
        self,
        cls: type[T],
        resource_version: str,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[WatchEvent[T]]:
        """Changes after `resource_version`. Raises Expired, and Unavailable when the server goes away."""
        where, version = path(cls, namespace), resource_version
        query = {"watch": "true", "allowWatchBookmarks": "true", **_selectors(label_selector, field_selector)}
        while True:  # the server may end a watch at any time; that alone is no reason to tell the caller
            async with aclosing(self._lines(where, {**query, "resourceVersion": version})) as lines:
                async for line in lines:
                    event = orjson.loads(line)
                    if event["type"] == "ERROR":
                        raise from_status(event["object"])
                    version = event["object"]["metadata"].get("resourceVersion") or version
                    obj = decoding.read(cls, event["object"])
                    if obj is not None:
                        yield WatchEvent(event["type"], obj)

    async def _lines(self, where: str, query: dict[str, str]) -> AsyncGenerator[bytes, None]:
        rest = b""
        try:
            async with self._open().get(self._base + where, params=query, timeout=_WATCH_TIMEOUT) as response:
                if response.status != 200:
                    raise _error(response.status, await response.read())
                async for chunk in response.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        yield line
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unavailable(f"{self._base}: {error}") from error

    async def _send(self, method: str, obj: T, where: str) -> T:
        body = await self._call(method, where, orjson.dumps(scheme.encode(obj)))
        return type(obj).model_validate_json(body)

    async def _call(
        self,
        method: str,
        where: str,
        body: bytes | None = None,
        content_type: str = _JSON,
        query: dict[str, str] | None = None,
    ) -> bytes:
        headers = {"Content-Type": content_type} if body is not None else None
        try:
            async with self._open().request(
                method, self._base + where, data=body, headers=headers, params=query, timeout=_REQUEST_TIMEOUT
            ) as response:
                answer = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unavailable(f"{self._base}: {str(error) or type(error).__name__}") from error
        if response.status >= 400:
            raise _error(response.status, answer)
        return answer

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), headers={"User-Agent": self._user_agent, "Accept": _JSON}
            )
        return self._session


def path(cls: type[Object], namespace: str | None, name: str = "", subresource: str = "") -> str:
    """`/apis/apps/v1/namespaces/NS/deployments/NAME/status`."""
    kind = scheme.kind_of(cls)
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    where = f"{root}/namespaces/{quote(namespace, safe='')}" if kind.namespaced and namespace else root
    return "/".join(part for part in (where, kind.plural, quote(name, safe=""), subresource) if part)


def _selectors(label_selector: str, field_selector: str) -> dict[str, str]:
    query = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return {key: value for key, value in query.items() if value}


def _error(code: int, body: bytes) -> ApiError:
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        return from_status(status)
    return from_status({"message": body[:200].decode("utf-8", "replace") or f"HTTP {code}", "code": code})
