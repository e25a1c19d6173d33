"""What does the image `containersol/k8s-deployment-strategies` answer, and every image that is not known otherwise?

`/` says which pod and version answered. Beside it stand tools for trying out rules: `/echo` shows what arrived,
`/status/CODE`, `/delay/SECONDS`, `/bytes/N` and `/stream` behave as asked. Probes live on 8086 and metrics on 9101
where those ports are declared, else on the main port. Environment: VERSION, LATENCY_MS, ERROR_RATE (0..1),
READY_DELAY_S.
"""

import asyncio
import hashlib
import random
import time
from collections import Counter
from collections.abc import Mapping

import orjson
from aiohttp import web

from mesh.node.apps.context import AppContext, BadSetting
from mesh.node.apps.serving import Servable, go_on, port_of

PROBE_PORT, METRICS_PORT = 8086, 9101
MAX_DELAY_S = 60.0
MAX_BYTES = 4 << 30
MAX_CHUNKS = 100_000
_PIECE = b"x" * 65536


class Outside(ValueError):
    """A number that is none, or too small or too large; `str()` says what is wanted."""


def number(text: str, least: float, most: float) -> float:
    """The number that a user wrote. Raises Outside."""
    try:
        value = float(text)
    except ValueError:
        raise Outside(f"{text!r} is not a number; {least:g} to {most:g} is wanted") from None
    if not least <= value <= most:
        raise Outside(f"{text!r} is outside {least:g} to {most:g}")
    return value


def whole(text: str, least: int, most: int) -> int:
    """The whole number that a user wrote. Raises Outside."""
    if not (text.isascii() and text.isdigit()) or len(text) > 12:
        raise Outside(f"{text!r} is not a whole number from {least} to {most}")
    if not least <= int(text) <= most:
        raise Outside(f"{text!r} is outside {least} to {most}")
    return int(text)


def _setting(env: Mapping[str, str], name: str, most: float) -> float:
    try:
        return number(env.get(name) or "0", 0, most)
    except Outside as error:
        raise BadSetting(f"environment variable {name}: {error}") from None


class Demo:
    """One container of the image."""

    def __init__(self, env: Mapping[str, str], ctx: AppContext) -> None:
        self.ctx = ctx
        self.version = env.get("VERSION") or ctx.labels.get("version", "unknown")
        self.latency_s = _setting(env, "LATENCY_MS", MAX_DELAY_S * 1000) / 1000
        self.error_rate = _setting(env, "ERROR_RATE", 1)
        self.ready_at = time.monotonic() + _setting(env, "READY_DELAY_S", 3600)
        self.answer = f"Host: {ctx.pod_name}, Version: {self.version}\n".encode()
        self.served: Counter[int] = Counter()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        port = port_of(request)
        if port == METRICS_PORT:
            return self.metrics()
        if port == PROBE_PORT:
            return self.probe(request.path)
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        if self.error_rate and random.random() < self.error_rate:
            answer: web.StreamResponse = web.Response(status=500, text="injected by ERROR_RATE\n")
        else:
            answer = await self.route(request)
        self.served[answer.status] += 1
        return answer

    async def route(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path == "/":
            return web.Response(body=self.answer, content_type="text/plain")
        first, _, rest = path[1:].partition("/")
        if first == "echo":
            return await self.echo(request)
        if first in ("live", "ready") and not rest:
            return self.probe(path)
        if path == "/metrics":
            return self.metrics()
        tool = {"status": self.status, "delay": self.delay, "bytes": self.bytes, "stream": self.stream}.get(first)
        if tool is not None:
            try:
                return await tool(request, rest)
            except Outside as error:
                return web.Response(status=400, text=f"{path}: {error}\n")
        # Rules rewrite and prefix paths: any other path answers as `/` does.
        return web.Response(body=self.answer, content_type="text/plain")

    def probe(self, path: str) -> web.Response:
        if path == "/ready" and time.monotonic() < self.ready_at:
            return web.Response(status=503, text="not ready yet\n")
        known = path in ("/", "/live", "/ready")
        return web.Response(status=200 if known else 404, text="ok\n" if known else "not found\n")

    async def echo(self, request: web.BaseRequest) -> web.Response:
        await go_on(request)
        digest, size = hashlib.sha256(), 0
        async for piece in request.content.iter_any():
            digest.update(piece)
            size += len(piece)
        seen = {
            "method": request.method,
            "path": request.raw_path,
            "headers": [[k.decode("latin-1"), v.decode("latin-1")] for k, v in request.raw_headers],
            "body": {"size": size, "sha256": digest.hexdigest()},
            "pod": self.ctx.pod_name,
            "node": self.ctx.node_name,
            "version": self.version,
            "source": request.remote,
        }
        return web.Response(body=orjson.dumps(seen), content_type="application/json")

    async def status(self, request: web.BaseRequest, rest: str) -> web.StreamResponse:
        code = whole(rest, 200, 599)
        text = "" if code in (204, 304) else f"{code} from {self.ctx.pod_name}, Version: {self.version}\n"
        return web.Response(status=code, text=text)

    async def delay(self, request: web.BaseRequest, rest: str) -> web.StreamResponse:
        await asyncio.sleep(number(rest, 0, MAX_DELAY_S))
        return web.Response(body=self.answer, content_type="text/plain")

    async def bytes(self, request: web.BaseRequest, rest: str) -> web.StreamResponse:
        left = whole(rest, 0, MAX_BYTES)
        answer = web.StreamResponse(headers={"content-type": "application/octet-stream"})
        answer.content_length = left
        await answer.prepare(request)
        try:
            while left > 0 and request.method != "HEAD":
                await answer.write(_PIECE[:left])
                left -= len(_PIECE)
        except ConnectionError:
            pass  # the client has left; that is its right
        return answer

    async def stream(self, request: web.BaseRequest, rest: str) -> web.StreamResponse:
        chunks = whole(request.query.get("chunks", "10"), 0, MAX_CHUNKS)
        pause_s = number(request.query.get("interval_ms", "100"), 0, MAX_DELAY_S * 1000) / 1000
        answer = web.StreamResponse(headers={"content-type": "text/plain"})
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        try:
            for sent in range(chunks):
                if sent:
                    await asyncio.sleep(pause_s)
                await answer.write(b"chunk %d of %d from %s\n" % (sent + 1, chunks, self.ctx.pod_name.encode()))
        except ConnectionError:
            pass
        return answer

    def metrics(self) -> web.Response:
        app, version = _label(self.ctx.labels.get("app", self.ctx.container_name)), _label(self.version)
        lines = [
            "# HELP http_requests_total Requests answered by this pod.",
            "# TYPE http_requests_total counter",
        ]
        for code, count in sorted(self.served.items()):
            lines.append(f'http_requests_total{{app="{app}",version="{version}",code="{code}"}} {count}')
        return web.Response(
            body=("\n".join(lines) + "\n").encode(),
            headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"},
        )


def _label(value: str) -> str:
    """A label's value as the Prometheus text format writes it."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def build(env: Mapping[str, str], ctx: AppContext) -> Servable:
    """The handler of one container. Raises BadSetting."""
    return Demo(env, ctx).handle
