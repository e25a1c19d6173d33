"""How does a built-in application listen on its container's ports?

A handler is one coroutine from request to answer; it is served by aiohttp's low-level server, which costs a pod about
5 KB for three ports. A whole `web.Application` serves as well.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiohttp import web

from mesh.node.kubelet.journal import MemoryRun
from mesh.node.kubelet.request_log import RequestLog
from mesh.runtime.net import listening_socket

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Servable = Handler | web.Application
KILLED, STOPPED = 137, 143
"""Exit codes of a container that SIGKILL or SIGTERM ended."""
_CLOSE_S = 0.01  # aiohttp takes 0 for "wait for ever"


class Listening:
    """An application on its ports: the work of a container, as `process.Program` is."""

    def __init__(self, runner: web.BaseRunner) -> None:
        self._runner = runner
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(
        cls, app: Servable, address: str, ports: Iterable[int], said: MemoryRun | None = None
    ) -> "Listening":
        """Bind every port. Raises BindError; nothing stays bound then. said: where its requests are remembered."""
        runner: web.BaseRunner
        logged: dict[str, Any] = {"access_log": said, "access_log_class": RequestLog}
        if isinstance(app, web.Application):
            runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=_CLOSE_S, **logged)
        else:
            server = web.Server(app, **logged)
            runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=_CLOSE_S)
        await runner.setup()
        try:
            for port in ports:
                await web.SockSite(runner, listening_socket(address, port)).start()
        except BaseException:
            await runner.cleanup()
            raise
        if said is not None:
            said.say("listening on", *(f"{address}:{port}" for port in ports))
        return cls(runner)

    async def wait(self) -> int:
        """The exit code, once somebody has stopped or crashed it."""
        return await asyncio.shield(self._ended)

    def crash(self, code: int) -> None:
        """End by itself, as a program that exits does."""
        if not self._ended.done():
            self._ended.set_result(code)

    async def stop(self, grace_s: float) -> None:
        """Stop accepting, let what is in flight finish for so long, then close."""
        server = self._runner.server
        if server is not None:
            for site in list(self._runner.sites):
                await site.stop()
            await asyncio.sleep(0)  # what arrived already begins, and is then in flight
            server.pre_shutdown()
            if grace_s > 0:
                await self._in_flight(server, grace_s)
        await self._runner.cleanup()
        self.crash(STOPPED if grace_s > 0 else KILLED)

    @staticmethod
    async def _in_flight(server: web.Server, grace_s: float) -> None:
        """Wait for running requests. shutdown(timeout) of a connection waits that long, and then cancels."""
        try:
            async with asyncio.timeout(grace_s):
                await server.shutdown(grace_s)
        except TimeoutError:
            pass  # cleanup closes what is left


def port_of(request: web.BaseRequest) -> int:
    """The port on which the request arrived; 0 when its connection is gone already."""
    name = request.transport.get_extra_info("sockname") if request.transport else None
    return int(name[1]) if name else 0


async def go_on(request: web.BaseRequest) -> None:
    """Answer `Expect: 100-continue`, which the low-level server leaves to the handler."""
    if request.headers.get("expect", "").lower() == "100-continue" and request.version >= (1, 1):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
