"""Where does a node answer about its pods?

A small HTTP server on the node's own address, meant for the API server, which has checked that the pod exists. Whoever
reaches loopback may use it, as with the API; web pages may not.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import orjson
from aiohttp import web

from mesh.api.errors import ApiError, BadRequest, Forbidden, NotFound, TooManyRequests
from mesh.node.apps.context import BadSetting
from mesh.node.container import RunningContainer
from mesh.node.kubelet import logs
from mesh.node.kubelet.streams import Streams
from mesh.node.pod import PodWorker
from mesh.node.registration import KUBELET_PORT
from mesh.runtime.clock import Clock
from mesh.runtime.net import BindError, is_loopback, listening_socket

log = logging.getLogger("mesh.node")
MAX_SESSIONS = 256
LONGEST_LINE = 1 << 16
"""Of a request: the words of a command are part of it."""
_CLOSE_S = 0.01  # aiohttp takes 0 for "wait for ever"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class KubeletServer:
    """The node's answers. pods: those that run here now."""

    def __init__(
        self, host: str, pods: Callable[[], Iterable[PodWorker]], clock: Clock, port: int = KUBELET_PORT
    ) -> None:
        self.host, self.port = host, port
        self._pods, self._clock = pods, clock
        self._running: set[asyncio.Task[Any]] = set()
        self._streams = Streams()
        app = web.Application(middlewares=[self._edge])
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._logs)
        for method in ("GET", "POST"):
            app.router.add_route(method, "/exec/{namespace}/{pod}/{container}", self._exec)
            app.router.add_route(method, "/attach/{namespace}/{pod}/{container}", self._attach)
            app.router.add_route(method, "/portForward/{namespace}/{pod}", self._forward)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=_CLOSE_S, max_line_size=LONGEST_LINE
        )

    async def start(self) -> None:
        """Listen on the kubelet's own port, or on another one where a real kubelet has it. Raises BindError."""
        try:
            sock = listening_socket(self.host, self.port)
        except BindError as error:
            log.info("another port instead error=%s", error)
            sock = listening_socket(self.host, 0)
        self.port = sock.getsockname()[1]
        await self._runner.setup()
        await web.SockSite(self._runner, sock).start()

    async def close(self) -> None:
        """End every stream. Safe to call twice."""
        tasks = set(self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._runner.cleanup()

    @web.middleware
    async def _edge(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The one place where trouble becomes a Status."""
        task = asyncio.current_task()
        try:
            host = request.headers.get("Host", "").rpartition(":")[0]
            if "Origin" in request.headers or not is_loopback(host):
                raise Forbidden("only the API server may ask here")
            if len(self._running) >= MAX_SESSIONS:
                raise TooManyRequests(f"{MAX_SESSIONS} logs and streams of this node are open already")
            if task is not None:
                self._running.add(task)
            return await handler(request)
        except ApiError as error:
            return _refusal(error)
        except BadSetting as error:
            return _refusal(BadRequest(str(error)))
        except (web.HTTPException, ConnectionError):
            raise
        except Exception as error:
            log.exception("request failed path=%s", request.path)
            return _refusal(ApiError(f"the node could not do it: {error}"))
        finally:
            if task is not None:
                self._running.discard(task)

    def _pod(self, request: web.Request) -> PodWorker:
        namespace, name = request.match_info["namespace"], request.match_info["pod"]
        for worker in self._pods():
            if worker.pod.name == name and worker.pod.namespace == namespace:
                return worker
        raise NotFound(f'pod "{name}" does not run on this node', {"name": name, "kind": "pods"})

    def _container(self, request: web.Request, must_run: bool = False) -> RunningContainer:
        worker, name = self._pod(request), request.match_info["container"]
        for running in worker.all:
            if running.container.name == name:
                if must_run and "running" not in running.facts.state:
                    raise BadRequest(f'container "{name}" in pod "{worker.pod.name}" is not running{_why(running)}')
                return running
        raise BadRequest(f"container {name} is not valid for pod {worker.pod.name}")

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        options = logs.options_of(request.query, self._clock.wall())
        running = self._container(request)
        pod, name = running.pod.name, running.container.name
        journal = running.journal
        run = journal.previous if options.previous else journal.run
        if options.previous and run is None:
            raise BadRequest(f'previous terminated container "{name}" in pod "{pod}" not found')
        if run is None:
            raise BadRequest(f'container "{name}" in pod "{pod}" is waiting to start{_why(running)}')
        response = web.StreamResponse(headers={"Content-Type": "text/plain", "Connection": "close"})
        await response.prepare(request)
        async for data in logs.stream(journal, run, options):
            await response.write(data)
        await response.write_eof()
        return response

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        return await self._streams.execute(request, self._container(request, must_run=True))

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        return await self._streams.attach(request, self._container(request, must_run=True))

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        return await self._streams.forward(request, self._pod(request))


def _why(running: RunningContainer) -> str:
    waiting = running.facts.state.get("waiting")
    return f": {waiting['reason']}" if isinstance(waiting, dict) and waiting.get("reason") else ""


def _refusal(error: ApiError) -> web.Response:
    body = orjson.dumps(error.status())
    return web.Response(
        body=body, status=error.code, content_type="application/json", headers={"Connection": "close"}
    )  # fmt: skip
