"""What does a proxy tell those who ask it about itself?

Envoy's admin pages that tools look at, on one tiny listener: /ready, /server_info, /stats, /stats/prometheus,
/clusters, /listeners, /config_dump. A second listener serves the metrics alone. One request at a time is enough here.
"""

import asyncio
import json
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

from mesh.proxy.http1 import lines
from mesh.proxy.http1.chunked import encode_chunk
from mesh.proxy.http1.status import status_line
from mesh.runtime.net import listen_stream

if TYPE_CHECKING:
    from mesh.proxy.server import ProxyServer

_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
_MAX_HEAD = 16 * 1024

Page = Callable[["ProxyServer", str], tuple[int, str, bytes]]


class AdminListener:
    """One address with pages about a proxy."""

    __slots__ = ("address", "connections", "only_metrics", "proxy", "server")

    def __init__(self, proxy: "ProxyServer", address: tuple[str, int], *, only_metrics: bool) -> None:
        self.proxy = proxy
        self.address = address
        self.only_metrics = only_metrics
        self.server: asyncio.Server | None = None
        self.connections: set[AdminConnection] = set()

    async def bind(self) -> None:
        """Start to answer. Raises BindError."""
        self.server = await listen_stream(lambda: AdminConnection(self), *self.address)
        self.address = (self.address[0], self.server.sockets[0].getsockname()[1])

    def answer(self, target: str) -> tuple[int, str, bytes]:
        """Status, content type and body of a page."""
        path, _, query = target.partition("?")
        page = PAGES.get("/stats/prometheus" if path == "/metrics" else path)
        if self.only_metrics and page is not _prometheus:
            page = None
        if page is None:
            known = "\n".join(sorted(PAGES))
            return 404, "text/plain", f"there is no page {path}; there are:\n{known}\n".encode()
        return page(self.proxy, query)

    def is_metrics(self, target: str) -> bool:
        """Is this the page of series for Prometheus?"""
        path, _, query = target.partition("?")
        return path in ("/stats/prometheus", "/metrics") or (
            path == "/stats" and "format=prometheus" in query and not self.only_metrics
        )

    def close(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None
        for connection in list(self.connections):
            connection.transport.abort()


class AdminConnection(asyncio.Protocol):
    """One client of the pages."""

    __slots__ = ("_buffer", "listener", "transport")

    def __init__(self, listener: AdminListener) -> None:
        self.listener = listener
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.listener.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.listener.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = lines.head_end(self._buffer)
        if end < 0:
            if len(self._buffer) > _MAX_HEAD:
                self.transport.abort()
            return
        head, self._buffer = self._buffer[:end], self._buffer[end:]
        parts = head.split(b"\n", 1)[0].split()
        if len(parts) != 3 or parts[0] not in (b"GET", b"HEAD", b"POST"):
            self._send(400, "text/plain", b"bad request\n", True, b"GET")
            return
        close = b"connection: close" in head.lower() or parts[0] == b"POST" or parts[2] == b"HTTP/1.0"
        target = parts[1].decode("latin-1")
        if parts[0] == b"GET" and self.listener.is_metrics(target):
            self.listener.proxy.tasks.start(self._stream_metrics(close), "metrics page")
            return
        status, kind, body = self.listener.answer(target)
        self._send(status, kind, body, close, parts[0])

    async def _stream_metrics(self, close: bool) -> None:
        """The metrics piece by piece: a large page must not keep requests waiting."""
        transport, proxy = self.transport, self.listener.proxy
        head = f"content-type: {_PROMETHEUS}\r\ncache-control: no-cache, max-age=0\r\ntransfer-encoding: chunked\r\n"
        transport.write(status_line(200) + head.encode() + (b"connection: close\r\n\r\n" if close else b"\r\n"))
        for piece in proxy.metrics.render_chunks(uptime_s=proxy.uptime_s()):
            if transport.is_closing():
                return
            if piece:
                transport.write(encode_chunk(piece))
            await asyncio.sleep(0)
        transport.write(b"0\r\n\r\n")
        if close:
            transport.close()

    def _send(self, status: int, kind: str, body: bytes, close: bool, method: bytes) -> None:
        head = f"content-type: {kind}\r\ncache-control: no-cache, max-age=0\r\ncontent-length: {len(body)}\r\n"
        wire = status_line(status) + head.encode() + (b"connection: close\r\n\r\n" if close else b"\r\n")
        self.transport.write(wire if method == b"HEAD" else wire + body)
        if close:
            self.transport.close()


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, default=_plain).encode() + b"\n"


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


def _ready(proxy: "ProxyServer", query: str) -> tuple[int, str, bytes]:
    return (503, "text/plain", b"DRAINING\n") if proxy.draining else (200, "text/plain", b"LIVE\n")


def _server_info(proxy: "ProxyServer", query: str) -> tuple[int, str, bytes]:
    info = {
        "version": f"loopmesh/{version('loopmesh')}",
        "state": "DRAINING" if proxy.draining else "LIVE",
        "uptime_current_epoch": f"{int(proxy.uptime_s())}s",
        "uptime_all_epochs": f"{int(proxy.uptime_s())}s",
        "node": {"id": proxy.identity.name, "cluster": proxy.identity.workload.app},
    }
    return 200, "application/json", _json(info)


def _stats(proxy: "ProxyServer", query: str) -> tuple[int, str, bytes]:
    _wake_all(proxy)
    rows = sorted(proxy.metrics.stats(uptime_s=proxy.uptime_s()))
    if "format=prometheus" in query:
        return _prometheus(proxy, query)
    if "format=json" in query:
        return 200, "application/json", _json({"stats": [{"name": name, "value": value} for name, value in rows]})
    return 200, "text/plain", "".join(f"{name}: {value}\n" for name, value in rows).encode()


def _prometheus(proxy: "ProxyServer", query: str) -> tuple[int, str, bytes]:
    """Whole; listeners send the same in pieces."""
    return 200, _PROMETHEUS, proxy.metrics.render(uptime_s=proxy.uptime_s())


def _clusters(proxy: "ProxyServer", query: str) -> tuple[int, str, bytes]:
    _wake_all(proxy)
    if "format=json" in query:
        return 200, "application/json", _json({"cluster_statuses": [_status(c) for c in proxy.clusters.values()]})
    text: list[str] = []
    for name, cluster in sorted(proxy.clusters.items()):
        shown = name.decode("latin-1")
        text.append(f"{shown}::observability_name::{shown}\n")
        for limit in ("max_connections", "max_pending", "max_requests", "max_retries"):
            label = "max_pending_requests" if limit == "max_pending" else limit
            text.append(f"{shown}::default_priority::{label}::{getattr(cluster, limit)}\n")
        for host in cluster.hosts:
            at = f"{shown}::{host.key.decode()}"
            text.append(f"{at}::cx_active::{len(host.all)}\n{at}::rq_active::{host.active}\n")
            text.append(f"{at}::hostname::{host.spec.hostname}\n{at}::health_flags::{_health(host)}\n")
            text.append(f"{at}::weight::{host.weight}\n{at}::priority::{host.spec.priority}\n")
    return 200, "text/plain", "".join(text).encode()


def _health(host: Any) -> str:
    flags = "" if host.spec.health == "HEALTHY" else "/failed_eds_health"
    if host.monitor is not None and host.monitor.ejected_s is not None:
        flags += "/failed_outlier_check"
    return flags or "healthy"


def _status(cluster: Any) -> dict[str, Any]:
    return {
        "name": cluster.name.decode("latin-1"),
        "host_statuses": [
            {
                "address": {"socket_address": {"address": host.address, "port_value": host.port}},
                "weight": host.weight,
                "health_status": {"eds_health_status": host.spec.health},
                "stats": [{"name": "cx_active", "value": len(host.all)}, {"name": "rq_active", "value": host.active}],
            }
            for host in cluster.hosts
        ],
    }


def _listeners(proxy: "ProxyServer", query: str) -> tuple[int, str, bytes]:
    rows = [(listener.spec.name, f"{listener.address}:{listener.port}") for listener in proxy.listeners.values()]
    if "format=json" in query:
        return 200, "application/json", _json({"listener_statuses": [{"name": n, "local_address": a} for n, a in rows]})
    return 200, "text/plain", "".join(f"{name}::{address}\n" for name, address in rows).encode()


def _config_dump(proxy: "ProxyServer", query: str) -> tuple[int, str, bytes]:
    described = dict(proxy.describe()) if proxy.describe is not None else {}
    return 200, "application/json", _json(described)


def _wake_all(proxy: "ProxyServer") -> None:
    """Bring every configured cluster to life, so that pages show those that no request has used yet."""
    for name in proxy.tables.clusters:
        proxy.cluster(name)


PAGES: dict[str, Page] = {
    "/ready": _ready,
    "/server_info": _server_info,
    "/stats": _stats,
    "/stats/prometheus": _prometheus,
    "/clusters": _clusters,
    "/listeners": _listeners,
    "/config_dump": _config_dump,
}
