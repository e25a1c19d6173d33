"""A small world for the data plane: scripted origins and one proxy between them and the test, all on real sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from mesh.proxy.server import ProxyServer, Tables
from mesh.routing.compile import compile_bootstrap

Handler = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_FILTERS = "type.googleapis.com/envoy.extensions.filters."


async def ok(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers 200 with the body `ok`."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


@dataclass
class Origin:
    """An endpoint that runs `handler` for each request head and remembers the heads."""

    handler: Handler = ok
    heads: list[bytes] = field(default_factory=list)
    opened: int = 0
    peers: list[str] = field(default_factory=list)
    port: int = 0
    server: asyncio.Server | None = None
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def start(self) -> "Origin":
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=1 << 20)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        self.writers.append(writer)
        self.peers.append(writer.get_extra_info("peername")[0])
        with contextlib.suppress(asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                await self.handler(head, reader, writer)
                await writer.drain()
        writer.close()

    def stop(self) -> None:
        if self.server is not None:
            self.server.close()
        for writer in self.writers:
            writer.transport.abort()


@dataclass
class World:
    """What a test holds: origins by name and the running proxy."""

    origins: dict[str, Origin] = field(default_factory=dict)
    proxies: list[ProxyServer] = field(default_factory=list)
    clients: "list[Client]" = field(default_factory=list)

    async def origin(self, name: str, handler: Handler = ok) -> Origin:
        found = self.origins[name] = await Origin(handler).start()
        return found

    def tables(
        self,
        routes: list[dict[str, Any]],
        clusters: dict[str, list[int]],
        *,
        hcm: dict[str, Any] | None = None,
        cluster: dict[str, Any] | None = None,
        filters: list[dict[str, Any]] | None = None,
        port: int = 0,
        direction: str = "UNSPECIFIED",
    ) -> Tables:
        """Compiled tables: one listener, these routes under every host, clusters as name -> ports."""
        router = {"name": "router", "typed_config": {"@type": _FILTERS + "http.router.v3.Router"}}
        manager = {
            "@type": _FILTERS + "network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "test",
            "stream_idle_timeout": "0s",
            "route_config": {"name": "r", "virtual_hosts": [{"name": "v", "domains": ["*"], "routes": routes}]},
            "http_filters": [*(filters or []), router],
            **(hcm or {}),
        }
        document = {
            "static_resources": {
                "listeners": [
                    {
                        "name": "listener",
                        "traffic_direction": direction,
                        "address": _address("127.0.0.1", port),
                        "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}],
                    }
                ],
                "clusters": [
                    {
                        "name": each,
                        "type": "STATIC",
                        "connect_timeout": "1s",
                        "load_assignment": {
                            "cluster_name": each,
                            "endpoints": [
                                {"lb_endpoints": [{"endpoint": {"address": _address("127.0.0.1", p)}} for p in ports]}
                            ],
                        },
                        **(cluster or {}),
                    }
                    for each, ports in clusters.items()
                ],
            }
        }
        config = compile_bootstrap(document)
        return Tables(listeners=config.listeners, clusters=config.clusters, endpoints=config.endpoints)

    async def proxy(self, tables: Tables, **settings: Any) -> ProxyServer:
        server = ProxyServer(**settings)
        self.proxies.append(server)
        await server.start()
        await server.apply(tables)
        return server

    async def simple(self, handler: Handler = ok, **settings: Any) -> tuple[Origin, ProxyServer]:
        """One origin behind one route to everything."""
        origin = await self.origin("up", handler)
        return origin, await self.proxy(self.tables([to("up")], {"up": [origin.port]}, **settings))

    async def connect(self, proxy: ProxyServer) -> "Client":
        """A client of the proxy's first listener."""
        client = Client(*await asyncio.open_connection("127.0.0.1", port_of(proxy), limit=1 << 20))
        self.clients.append(client)
        return client

    async def close(self) -> None:
        for client in self.clients:
            client.close()
        for proxy in self.proxies:
            await proxy.close()
        for origin in self.origins.values():
            origin.stop()
        await asyncio.sleep(0)


def to(cluster: str, prefix: str = "/", **action: Any) -> dict[str, Any]:
    """A route from a prefix to a cluster."""
    return {"match": {"prefix": prefix}, "route": {"cluster": cluster, **action}}


def _address(ip: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": ip, "port_value": port}}


def port_of(proxy: ProxyServer) -> int:
    return next(iter(proxy.listeners.values())).port


class Client:
    """A raw client connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, text: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send bytes, read one answer: status, headers, body (content-length or chunked)."""
        self.writer.write(text)
        return await self.answer()

    async def get(self, path: str = "/", *lines: str) -> tuple[int, dict[str, str], bytes]:
        extra = "".join(line + "\r\n" for line in lines)
        return await self.ask(f"GET {path} HTTP/1.1\r\nhost: h\r\n{extra}\r\n".encode())

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(5):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            start, *lines = head[:-4].split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = b""
            if fields.get("transfer-encoding") == "chunked":
                while size := int(await self.reader.readline(), 16):
                    body += (await self.reader.readexactly(size + 2))[:-2]
                await self.reader.readline()
            elif "content-length" in fields:
                body = await self.reader.readexactly(int(fields["content-length"]))
            return int(start.split()[1]), fields, body

    async def rest(self) -> bytes:
        """Everything until the connection closes."""
        async with asyncio.timeout(5):
            return await self.reader.read()

    def close(self) -> None:
        self.writer.close()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    try:
        yield made
    finally:
        await made.close()
        await asyncio.sleep(0.01)
