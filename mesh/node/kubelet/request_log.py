"""How does a built-in application's request become a line of its container's log?"""

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger


class RequestLog(AbstractAccessLogger):
    """aiohttp's hook after each answer; `logger` is the container's `journal.MemoryRun`.

    It runs for every request, so that it only puts down what is at hand; a line is written when somebody reads.
    """

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        say = self.logger.say  # type: ignore[attr-defined]
        say(request.remote, request.method, request.path_qs, response.status, response.body_length)
