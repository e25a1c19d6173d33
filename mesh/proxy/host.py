"""Which connections are there to one endpoint, and who waits for one?

The connection freed last is used first, and requests wait in line while new ones are opened; how many may be open is
for the thresholds of the cluster to say.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from mesh.balance.health import UNHEALTHY
from mesh.proxy.exchange import CONNECT_FAILED, CONNECT_TIMEOUT, Exchange
from mesh.proxy.upstream import UpstreamConnection
from mesh.runtime.net import source_socket

if TYPE_CHECKING:
    from mesh.proxy.cluster import Cluster
    from mesh.routing.outlier import Monitor
    from mesh.routing.spec import EndpointSpec


class Host:
    """One endpoint of one cluster and the connections to it."""

    __slots__ = (
        "active",
        "address",
        "all",
        "cluster",
        "connecting",
        "idle",
        "key",
        "metrics",
        "monitor",
        "port",
        "removed",
        "spec",
        "waiting",
        "weight",
    )

    def __init__(self, cluster: "Cluster", spec: "EndpointSpec") -> None:
        self.cluster = cluster
        self.spec = spec
        self.weight = spec.weight
        self.address = spec.address
        self.port = spec.port
        self.key = f"{spec.address}:{spec.port}".encode()
        self.active = 0
        """Requests under way to it; balancers look at it."""
        self.idle: list[UpstreamConnection] = []
        self.all: set[UpstreamConnection] = set()
        self.connecting = 0
        self.waiting: deque[Exchange] = deque()
        self.removed = False
        self.monitor: Monitor | None = None
        """What outlier detection remembers of it; None: nothing is watched."""
        self.metrics: dict[Any, Any] = {}
        """Whatever the counting side wants to remember per endpoint."""

    @property
    def health(self) -> str:
        """HEALTHY, DEGRADED, DRAINING or UNHEALTHY: ejected endpoints are in no good health."""
        ejected = self.monitor is not None and self.monitor.ejected_s is not None
        return UNHEALTHY if ejected else self.spec.health

    def enqueue(self, exchange: Exchange) -> bool:
        """Wait for a connection; False when too many wait already. (Ask `idle` first.)"""
        cluster = self.cluster
        if cluster.pending >= cluster.max_pending:
            return False
        cluster.pending += 1
        stats = cluster.stats
        stats.upstream_rq_pending_total += 1
        stats.upstream_rq_pending_active += 1
        self.waiting.append(exchange)
        mine = len(self.all) + self.connecting
        if cluster.connections < cluster.max_connections or mine == 0:
            self._open()
        else:
            stats.upstream_cx_overflow += 1
        return True

    def withdraw(self, exchange: Exchange) -> None:
        """The exchange no longer waits."""
        try:
            self.waiting.remove(exchange)
        except ValueError:
            return
        self.cluster.pending -= 1
        self.cluster.stats.upstream_rq_pending_active -= 1
        self.cluster.stats.upstream_rq_cancelled += 1

    def give_back(self, connection: UpstreamConnection) -> None:
        """A connection is free again: the next in line gets it, else it idles."""
        cluster = self.cluster
        limit = cluster.max_requests_per_connection
        if self.removed or (limit and connection.requests >= limit):
            if limit:
                cluster.stats.upstream_cx_max_requests += 1
            connection.close()
        elif self.waiting:
            self._hand_over(connection)
        else:
            self.idle.append(connection)
            if cluster.idle_timeout_s:
                cluster.watch_idle(connection)

    def forget(self, connection: UpstreamConnection, *, local: bool) -> None:
        """A connection is closed or closing."""
        if connection not in self.all:
            return
        self.all.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)
        cluster = self.cluster
        cluster.connections -= 1
        stats = cluster.stats
        stats.upstream_cx_active -= 1
        stats.upstream_cx_destroy += 1
        if local:
            stats.upstream_cx_destroy_local += 1
        else:
            stats.upstream_cx_destroy_remote += 1
        if connection.exchange is not None:
            stats.upstream_cx_destroy_with_active_rq += 1
        if self.waiting and len(self.waiting) > self.connecting:
            self._open()

    def retire(self) -> None:
        """The endpoint is gone from the configuration: idle connections close now, busy ones when they are done."""
        self.removed = True
        for connection in list(self.idle):
            connection.close()

    def close_idle(self) -> None:
        """Close what nobody uses (an ejected endpoint keeps no pool)."""
        for connection in list(self.idle):
            connection.close()

    def _open(self) -> None:
        self.connecting += 1
        self.cluster.connections += 1
        self.cluster.tasks.start(self._connect(), f"connect {self.address}:{self.port}")

    async def _connect(self) -> None:
        cluster = self.cluster
        stats = cluster.stats
        stats.upstream_cx_total += 1
        stats.upstream_cx_http1_total += 1
        try:
            async with asyncio.timeout(cluster.connect_timeout_s):
                connection = await self._dial()
        except TimeoutError:
            stats.upstream_cx_connect_timeout += 1
            self._failed(CONNECT_TIMEOUT, "")
        except OSError as error:
            why = "Connection refused" if isinstance(error, ConnectionRefusedError) else error.strerror or str(error)
            self._failed(CONNECT_FAILED, f"delayed_connect_error:_{why.replace(' ', '_')}")
        except asyncio.CancelledError:
            self.connecting -= 1
            cluster.connections -= 1
            raise
        else:
            self.connecting -= 1
            stats.upstream_cx_active += 1
            self.all.add(connection)
            if connection.transport.is_closing():
                connection.close()
            elif self.waiting:
                self._hand_over(connection)
            else:
                self.give_back(connection)

    async def _dial(self) -> UpstreamConnection:
        loop = asyncio.get_running_loop()
        sock = source_socket(self.cluster.bind_source)
        try:
            await loop.sock_connect(sock, (self.address, self.port))
            _, connection = await loop.create_connection(lambda: UpstreamConnection(self), sock=sock)
        except BaseException:
            sock.close()
            raise
        return connection

    def _failed(self, reason: str, detail: str) -> None:
        """No connection: everybody in line hears it, as they do in Envoy."""
        cluster = self.cluster
        self.connecting -= 1
        cluster.connections -= 1
        cluster.stats.upstream_cx_connect_fail += 1
        waiting = list(self.waiting)
        self.waiting.clear()
        cluster.pending -= len(waiting)
        cluster.stats.upstream_rq_pending_active -= len(waiting)
        cluster.stats.upstream_rq_pending_failure_eject += len(waiting)
        for exchange in waiting:
            exchange.on_reset(reason, detail)

    def _hand_over(self, connection: UpstreamConnection) -> None:
        exchange = self.waiting.popleft()
        self.cluster.pending -= 1
        self.cluster.stats.upstream_rq_pending_active -= 1
        exchange.on_connection(connection)
