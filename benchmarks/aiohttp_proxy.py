"""What would a proxy cost that is made of aiohttp's server and client?

The peer that a Python programmer would write: `python -m benchmarks.aiohttp_proxy PROXY V1 V2 ADMIN` (ports).
Same route table, a counter and a histogram of prometheus-client, uvloop as aiohttp recommends it.
"""

from __future__ import annotations

import random
import re
import sys
import time
import uuid
from collections.abc import AsyncIterator

import uvloop
from aiohttp import ClientSession, DummyCookieJar, TCPConnector, web
from multidict import CIMultiDict
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from yarl import URL

from benchmarks.peers import COOKIE

HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
SESSION = web.AppKey("session", ClientSession)


class Proxy:
    def __init__(self, v1: int, v2: int) -> None:
        self.cookie = re.compile(COOKIE)
        self.targets = {"v1": f"http://127.0.0.1:{v1}", "v2": f"http://127.0.0.1:{v2}"}
        self.registry = CollectorRegistry()
        self.requests = Counter("proxy_requests", "Requests.", ["cluster", "code"], registry=self.registry)
        self.seconds = Histogram("proxy_seconds", "Time they took.", ["cluster"], registry=self.registry)

    def choose(self, request: web.Request) -> str:
        if self.cookie.match(request.headers.get("cookie", "")):
            return "v2"
        return "v1" if random.random() < 0.9 else "v2"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        began = time.perf_counter()
        cluster = self.choose(request)
        headers = CIMultiDict((name, value) for name, value in request.headers.items() if name.lower() not in HOP)
        headers["x-request-id"] = str(uuid.uuid4())
        headers["x-forwarded-for"] = request.remote or ""
        async with request.app[SESSION].request(
            request.method,
            URL(self.targets[cluster] + request.raw_path, encoded=True),
            headers=headers,
            data=request.content if request.body_exists else None,
            allow_redirects=False,
        ) as upstream:
            response = web.StreamResponse(status=upstream.status)
            response.headers.extend(
                (name, value) for name, value in upstream.headers.items() if name.lower() not in HOP
            )
            await response.prepare(request)
            async for chunk in upstream.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
        self.requests.labels(cluster, str(upstream.status)).inc()
        self.seconds.labels(cluster).observe(time.perf_counter() - began)
        return response

    async def metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self.registry), content_type="text/plain")


async def session(app: web.Application) -> AsyncIterator[None]:
    connector = TCPConnector(limit=0, keepalive_timeout=3600)
    async with ClientSession(connector=connector, cookie_jar=DummyCookieJar(), auto_decompress=False) as opened:
        app[SESSION] = opened
        yield


async def serve(proxy_port: int, v1: int, v2: int, admin_port: int) -> None:
    proxy = Proxy(v1, v2)
    app = web.Application()
    app.cleanup_ctx.append(session)
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    admin = web.Application()
    admin.router.add_get("/", proxy.metrics)
    for each, port in ((app, proxy_port), (admin, admin_port)):
        runner = web.AppRunner(each, access_log=None, keepalive_timeout=3600)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()


def main() -> None:
    loop = uvloop.new_event_loop()
    loop.run_until_complete(serve(*(int(word) for word in sys.argv[1:5])))
    loop.run_forever()


if __name__ == "__main__":
    main()
