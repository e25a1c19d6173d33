"""How does a built-in application listen on its container's ports?

A handler is one coroutine from request to answer; it is served by aiohttp's low-level server, which costs a pod about
10 KB for three ports. A whole `web.Application` serves as well.
"""

from collections.abc import Awaitable, Callable, Iterable

from aiohttp import web

from mesh.runtime.net import listening_socket

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Servable = Handler | web.Application


class Listening:
    """An application on its ports."""

    def __init__(self, runner: web.BaseRunner) -> None:
        self._runner = runner

    @classmethod
    async def open(cls, app: Servable, address: str, ports: Iterable[int]) -> "Listening":
        """Bind every port. Raises BindError; nothing stays bound then."""
        runner: web.BaseRunner
        if isinstance(app, web.Application):
            runner = web.AppRunner(app, access_log=None, handle_signals=False)
        else:
            runner = web.ServerRunner(web.Server(app, access_log=None), handle_signals=False)
        await runner.setup()
        try:
            for port in ports:
                await web.SockSite(runner, listening_socket(address, port)).start()
        except BaseException:
            await runner.cleanup()
            raise
        return cls(runner)

    async def close(self, grace_s: float) -> None:
        """Stop accepting, let what is in flight finish for so long, then close."""
        self._runner._shutdown_timeout = grace_s
        await self._runner.cleanup()


def port_of(request: web.BaseRequest) -> int:
    """The port on which the request arrived; 0 when its connection is gone already."""
    name = request.transport.get_extra_info("sockname") if request.transport else None
    return int(name[1]) if name else 0


def own_name(request: web.BaseRequest) -> bool:
    """Whether the answer must not carry a body."""
    return request.method == "HEAD"
