"""Where does the API listen, and what does it answer besides resources?

One catch-all handler behind one guard. Every refusal is a Status; nothing a client sends ends the process.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import orjson
from aiohttp import web

from mesh.api.errors import ApiError, MethodNotAllowed, TooLarge
from mesh.apiserver import discovery, guard, openapi, openapi_v2, paths
from mesh.apiserver.bodies import LARGEST_BODY
from mesh.apiserver.registry import Registry
from mesh.apiserver.resources import Resources, review, status_answer
from mesh.apiserver.streaming import end_all
from mesh.runtime.net import listening_socket

log = logging.getLogger("mesh.apiserver")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LONGEST_LINE = 1 << 16
"""Of a request: the words of an exec are part of it."""
_HEALTH = frozenset({"/healthz", "/livez", "/readyz"})
_V3 = "/openapi/v3/"


class ApiServer:
    """The Kubernetes API on a loopback address.

    extra_routes: further routes, served before the catch-all and behind the same guard.
    """

    def __init__(
        self, registry: Registry, host: str, port: int, extra_routes: Iterable[web.AbstractRouteDef] = ()
    ) -> None:
        self.host, self.port = host, port
        self._registry = registry
        self._resources = Resources(registry)
        self._running: set[asyncio.Task[Any]] = set()
        app = web.Application(client_max_size=LARGEST_BODY, middlewares=[self._edge])
        app.router.add_routes(list(extra_routes))
        app.router.add_route("*", "/{path:(?s:.*)}", self._dispatch)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=1.0,
            keepalive_timeout=600.0,
            max_line_size=LONGEST_LINE,
        )

    async def start(self) -> None:
        """Listen; with port 0, `port` is the one that was found. Raises BindError."""
        sock = listening_socket(self.host, self.port)
        self.port = sock.getsockname()[1]
        await self._runner.setup()
        await web.SockSite(self._runner, sock).start()

    async def close(self) -> None:
        """Stop listening and end the watches. Safe to call twice."""
        await end_all(set(self._running))
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @web.middleware
    async def _edge(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The one place where trouble becomes a Status."""
        task = asyncio.current_task()
        if task is not None:
            self._running.add(task)
        try:
            guard.check(request.headers.get("Host"), request.headers.get("Origin"))
            return await handler(request)
        except ApiError as error:
            return status_answer(error)
        except web.HTTPRequestEntityTooLarge:
            return status_answer(TooLarge(f"the body is larger than {LARGEST_BODY} bytes"))
        except web.HTTPException as error:
            return status_answer(_http_error(error))
        except ConnectionError:
            raise  # the client has left
        except Exception as error:
            log.exception("request failed method=%s path=%s", request.method, request.rel_url)
            return status_answer(ApiError(f"an error on the server has prevented the request from succeeding: {error}"))
        finally:
            if task is not None:
                self._running.discard(task)

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        raw = request.raw_path.partition("?")[0]
        target = paths.parse(raw, self._registry.kinds)
        if target is not None:
            return await self._resources.handle(request, target)
        if raw.rstrip("/") == discovery.REVIEW_PATH:
            return await review(request)
        return await self._document(request, raw.rstrip("/") or "/")

    async def _document(self, request: web.Request, path: str) -> web.Response:
        """Everything that is not a resource."""
        if request.method not in ("GET", "HEAD"):
            if path in _HEALTH or path == "/openapi/v2" or self._json_document(path) is not None:
                raise MethodNotAllowed(f"{request.method} is not supported on {path[:100]}")
            return web.Response(text="404 page not found\n", status=404)
        if path in _HEALTH:
            return web.Response(text="ok")
        if path == "/openapi/v2":
            data, digest = await openapi.v2(self._registry.kinds)
            return web.Response(body=data, headers={"Content-Type": openapi_v2.CONTENT_TYPE, "ETag": f'"{digest}"'})
        if path in ("/api", "/apis") and (version := discovery.wants_aggregated(request.headers.get("Accept", ""))):
            content_type = discovery.AGGREGATED if version == "v2" else discovery.AGGREGATED_BETA
            body = orjson.dumps(discovery.aggregated(path == "/api", version, self._registry.kinds))
            return web.Response(body=body, headers={"Content-Type": content_type})
        if path.startswith(_V3):
            group, _, version = path.removeprefix(_V3).partition("/")[2].rpartition("/")
            await openapi.prepare(group, version, self._registry.kinds)
        found = self._json_document(path)
        if found is None:
            return web.Response(text="404 page not found\n", status=404)
        return web.Response(body=orjson.dumps(found), content_type="application/json")

    def _json_document(self, path: str) -> dict[str, Any] | None:
        if path == "/":
            return {
                "paths": ["/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"]
            }
        if path == "/version":
            return discovery.VERSION
        if path == "/api":
            return discovery.api_versions(f"{self.host}:{self.port}")
        if path == "/apis":
            return discovery.group_list(self._registry.kinds)
        if path == "/openapi/v3":
            return openapi.index(self._registry.kinds)
        steps = path.strip("/").split("/")
        if steps[:2] == ["openapi", "v3"]:
            kinds = self._registry.kinds
            return _by_version(steps[2:], lambda group, version: openapi.document(group, version, kinds))
        if len(steps) == 2 and steps[0] == "apis":
            return discovery.group(steps[1], self._registry.kinds)
        kinds = self._registry.kinds
        return _by_version(steps, lambda group, version: discovery.resource_list(group, version, kinds))


def _by_version(steps: list[str], find: Callable[[str, str], dict[str, Any] | None]) -> dict[str, Any] | None:
    """`api/v1` or `apis/GROUP/VERSION`."""
    if len(steps) == 2 and steps[0] == "api":
        return find("", steps[1])
    if len(steps) == 3 and steps[0] == "apis":
        return find(steps[1], steps[2])
    return None


def _http_error(error: web.HTTPException) -> ApiError:
    found = ApiError(error.reason or "the request was refused")
    found.code, found.reason = error.status, "BadRequest" if error.status < 500 else "InternalError"
    return found
