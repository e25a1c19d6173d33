"""How does a plain TCP connection get to an endpoint?

One client connection, one endpoint, bytes both ways with back-pressure. What a side says before the two are joined is
kept, and no more of it is read until then.
"""

import asyncio
from typing import TYPE_CHECKING, cast

from mesh.metrics.registry import TcpCell, TcpLabels
from mesh.proxy import record
from mesh.runtime.net import listen_stream, source_socket

if TYPE_CHECKING:
    from mesh.proxy.host import Host
    from mesh.proxy.server import ProxyServer
    from mesh.routing.spec import ListenerSpec, TcpSpec

_HIGH_WATER = 256 * 1024


class TcpListener:
    """One bound address whose connections are passed on as they are."""

    __slots__ = ("address", "connections", "loop", "port", "proxy", "server", "spec", "stats", "tcp")

    def __init__(self, proxy: "ProxyServer", spec: "ListenerSpec") -> None:
        assert spec.tcp is not None
        self.proxy = proxy
        self.loop = asyncio.get_running_loop()
        self.spec = spec
        self.tcp: TcpSpec = spec.tcp
        self.address, self.port = spec.address, spec.port
        self.stats = proxy.metrics.listener(f"{spec.address}_{spec.port}")
        self.connections: set[TcpClient] = set()
        self.server: asyncio.Server | None = None

    async def bind(self) -> None:
        """Start to accept. Raises BindError."""
        self.server = await listen_stream(lambda: TcpClient(self), self.address, self.port)
        if self.port == 0:
            self.port = self.server.sockets[0].getsockname()[1]

    def configure(self, spec: "ListenerSpec") -> None:
        if spec.tcp is not None:
            self.tcp = spec.tcp
        self.spec = spec

    @property
    def busy(self) -> int:
        return len(self.connections)

    def stop_accepting(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None

    def drain(self) -> None:
        """Accept nobody new; connections go on until they end (nothing in TCP says goodbye)."""
        self.stop_accepting()

    def close_idle(self) -> None:
        for connection in list(self.connections):
            connection.close()

    def abort(self) -> None:
        self.stop_accepting()
        self.close_idle()


class _Side(asyncio.Protocol):
    """One end of a pair of connections."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self.other: _Side | None = None
        self.moved = 0
        self.ended = False
        self.early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=_HIGH_WATER)

    def data_received(self, data: bytes) -> None:
        self.moved += len(data)
        if self.other is not None:
            self.other.transport.write(data)
            return
        # Pausing in connection_made would have no effect: uvloop starts to read only after it.
        self.early += data
        self.transport.pause_reading()

    def join(self, other: "_Side") -> None:
        """Pass on to `other` from now on, beginning with what was kept."""
        self.other = other
        if self.early:
            other.transport.write(self.early)
            self.early = b""
            self.transport.resume_reading()
        if self.ended and other.ended:
            other.transport.close()
        elif self.ended:
            other.transport.write_eof()

    def eof_received(self) -> bool:
        """Half-close travels through: the other direction goes on, until it has ended as well."""
        self.ended = True
        other = self.other
        if other is None:
            return True
        if other.ended:
            other.transport.close()
            return False
        other.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        if self.other is not None and not self.other.transport.is_closing():
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        other, self.other = self.other, None
        if other is not None:
            other.other = None
            other.transport.close()


class _Endpoint(_Side):
    """The connection to the endpoint."""


class TcpClient(_Side):
    """The connection that a client opened."""

    def __init__(self, listener: TcpListener) -> None:
        super().__init__()
        self.listener = listener
        self.host: Host | None = None
        self.cell: TcpCell | None = None
        self.endpoint: _Endpoint | None = None
        self.peer_ip = ""
        self.task: asyncio.Task[None] | None = None
        self._checked = (0, 0)
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        listener = self.listener
        listener.connections.add(self)
        listener.stats.downstream_cx_total += 1
        listener.stats.downstream_cx_active += 1
        peer = transport.get_extra_info("peername")
        self.peer_ip = peer[0] if peer else ""
        self.task = listener.proxy.tasks.start(self._reach(), "tcp")

    def connection_lost(self, exc: Exception | None) -> None:
        listener = self.listener
        listener.connections.discard(self)
        listener.stats.downstream_cx_active -= 1
        listener.stats.downstream_cx_destroy += 1
        if self._timer is not None:
            self._timer.cancel()
        if self.task is not None:
            self.task.cancel()
        if self.host is not None:
            self.host.active -= 1
            stats = self.host.cluster.stats
            stats.upstream_cx_active -= 1
            stats.upstream_cx_destroy += 1
            if self.cell is not None:
                self.cell.closed += 1
                self.cell.received_bytes += self.moved
                self.cell.sent_bytes += self.endpoint.moved if self.endpoint is not None else 0
        super().connection_lost(exc)

    def close(self) -> None:
        if self.endpoint is not None:
            self.endpoint.transport.close()
        self.transport.close()

    async def _reach(self) -> None:
        listener = self.listener
        tcp = listener.tcp
        name = tcp.weighted.pick(listener.proxy.rng.getrandbits(64)).cluster if tcp.weighted else tcp.cluster
        cluster = listener.proxy.cluster(name)
        for _ in range(tcp.max_connect_attempts):
            host = cluster.pick_for_tcp(self.peer_ip if tcp.hash_source_ip else "") if cluster is not None else None
            if host is None:
                if cluster is not None:
                    cluster.stats.upstream_cx_none_healthy += 1
                break
            endpoint = await self._dial(host)
            if endpoint is not None:
                self._join(host, endpoint)
                return
        self.task = None
        self.transport.close()

    async def _dial(self, host: "Host") -> _Endpoint | None:
        cluster = host.cluster
        cluster.stats.upstream_cx_total += 1
        sock = source_socket(cluster.bind_source)
        try:
            async with asyncio.timeout(cluster.connect_timeout_s):
                loop = asyncio.get_running_loop()
                await loop.sock_connect(sock, (host.address, host.port))
                _, endpoint = await loop.create_connection(_Endpoint, sock=sock)
                return endpoint
        except OSError:  # TimeoutError is one, too
            sock.close()
            cluster.stats.upstream_cx_connect_fail += 1
            return None
        except asyncio.CancelledError:
            sock.close()
            raise

    def _join(self, host: "Host", endpoint: _Endpoint) -> None:
        listener = self.listener
        self.task = None
        self.host, self.endpoint = host, endpoint
        host.active += 1
        host.cluster.stats.upstream_cx_active += 1
        labels = TcpLabels(reporter="source", peer=record.destination_of(host), service=record.service_of(host.cluster))
        self.cell = listener.proxy.metrics.tcp_cell(labels)
        self.cell.opened += 1
        self.join(endpoint)
        endpoint.join(self)
        if listener.tcp.idle_timeout_s:
            self._timer = listener.loop.call_later(listener.tcp.idle_timeout_s, self._look)

    def _look(self) -> None:
        """Close a connection on which nothing moved since the last look."""
        now = (self.moved, self.endpoint.moved if self.endpoint is not None else 0)
        if now == self._checked:
            self._timer = None
            self.close()
            return
        self._checked = now
        self._timer = self.listener.loop.call_later(self.listener.tcp.idle_timeout_s, self._look)
