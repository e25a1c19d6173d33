"""Which endpoints does a cluster have now, and which connections to them?

A `Cluster` lives as long as its name is configured: counters, balancer position and connections survive a change of
its endpoints. A `Host` is one endpoint with its pool: the connection freed last is used first, and requests wait in
line while new ones are opened. Deciding which host is next belongs to `balance`; how many may be open, to the
thresholds of the cluster.
"""

import asyncio
import random
from collections import deque
from typing import TYPE_CHECKING, Any

from xxhash import xxh64_intdigest

from mesh.balance.health import DEGRADED, HEALTHY, UNHEALTHY
from mesh.balance.make import HASHED
from mesh.balance.pool import Member, Pool
from mesh.balance.subset import SubsetPools
from mesh.proxy.ejection import Ejector
from mesh.proxy.exchange import CONNECT_FAILED, CONNECT_TIMEOUT, Exchange
from mesh.proxy.record import remote_of
from mesh.proxy.upstream import UpstreamConnection
from mesh.routing.hash_policy import HashContext
from mesh.routing.outcome import Outcome
from mesh.routing.outlier import Monitor
from mesh.runtime.net import source_socket
from mesh.runtime.tasks import Tasks

if TYPE_CHECKING:
    from mesh.metrics.scopes import ClusterStats
    from mesh.proxy.server import ProxyServer
    from mesh.proxy.stream import Stream
    from mesh.routing.spec import ClusterSpec, EndpointSpec


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


class Cluster:
    """One cluster as it runs."""

    __slots__ = (
        "_idle_timer",
        "bind_source",
        "connect_timeout_s",
        "connections",
        "ejector",
        "hashed",
        "hosts",
        "idle_timeout_s",
        "keep_case",
        "loop",
        "max_connections",
        "max_pending",
        "max_requests",
        "max_requests_per_connection",
        "max_response_fields",
        "max_retries",
        "name",
        "pending",
        "pool",
        "requests",
        "retries",
        "rng",
        "sender",
        "spec",
        "stats",
        "subsets",
        "tasks",
        "trailers",
    )

    def __init__(self, spec: "ClusterSpec", stats: "ClusterStats", proxy: "ProxyServer") -> None:
        self.name: bytes = spec.name
        self.stats = stats
        self.tasks: Tasks = proxy.tasks
        self.loop = asyncio.get_running_loop()
        self.rng: random.Random = proxy.rng
        self.bind_source = proxy.bind_source
        self.sender = proxy.sender
        self.hosts: tuple[Host, ...] = ()
        self.connections = 0
        self.pending = 0
        self.requests = 0
        self.retries = 0
        self.ejector = Ejector()
        self._idle_timer: asyncio.TimerHandle | None = None
        self.configure(spec)

    def configure(self, spec: "ClusterSpec") -> None:
        """Take over a (new) specification; hosts and connections stay."""
        self.spec = spec
        self.connect_timeout_s = spec.connect_timeout_s
        self.max_connections = spec.max_connections
        self.max_pending = spec.max_pending_requests
        self.max_requests = spec.max_requests
        self.max_retries = spec.max_retries
        self.max_requests_per_connection = spec.max_requests_per_connection
        self.max_response_fields = spec.max_headers_count
        self.idle_timeout_s = spec.idle_timeout_s
        self.keep_case = spec.preserve_case
        self.trailers = spec.enable_trailers
        self.hashed = spec.lb_policy in HASHED
        self.subsets = SubsetPools[Host](spec.lb_policy, spec.lb, self.rng) if spec.lb.subset_keys else None
        self.pool: Pool[Host] = Pool(spec.lb_policy, spec.lb, self.rng)

    def update(self, endpoints: "tuple[EndpointSpec, ...]") -> None:
        """Take over a new set of endpoints: those that stay keep their connections and counters."""
        known = {(host.key, host.spec.priority): host for host in self.hosts}
        hosts: list[Host] = []
        for spec in endpoints:
            host = known.pop((spec.key, spec.priority), None)
            if host is None:
                host = Host(self, spec)
                if self.spec.outlier is not None:
                    host.monitor = Monitor()
            else:
                if host.spec.metadata != spec.metadata:
                    host.metrics.clear()
                host.spec, host.weight = spec, spec.weight
            hosts.append(host)
        for gone in known.values():
            gone.retire()
        if tuple(hosts) != self.hosts or known:
            self.stats.membership_change += 1
        self.hosts = tuple(hosts)
        self.stats.membership_total = len(hosts)
        self.rebalance()

    def rebalance(self) -> None:
        """Tell the balancer who is in which health."""
        members = [_member(host) for host in self.hosts]
        if self.subsets is None:
            self.pool.update(members)
        else:
            self.subsets.update([(member, member.host.spec.labels) for member in members])
            self.pool = self.subsets.everybody
        self.stats.membership_healthy = sum(member.health == HEALTHY for member in members)
        self.stats.membership_degraded = sum(member.health == DEGRADED for member in members)

    def pick(self, stream: "Stream") -> Host | None:
        """The endpoint for a request; None when there is none to use."""
        pool: Pool[Host] | None = self.pool
        if self.subsets is not None:
            pool = self._subset(stream)
        if pool is None:
            return None
        if pool.panic:
            self.stats.lb_healthy_panic += 1
        if self.hashed:
            return pool.pick(hash_of(stream))
        return pool.pick()

    def pick_again(self, stream: "Stream", tried: list[Host], attempts: int) -> Host | None:
        """The endpoint for a retry: one that was not tried, as far as `attempts` further draws find one."""
        value = hash_of(stream) if self.hashed else None
        pool = self.pool if self.subsets is None else self._subset(stream)
        if pool is None:
            return None
        return pool.pick_new(value, tried, attempts) if attempts else pool.pick(value)

    def _subset(self, stream: "Stream") -> Pool[Host] | None:
        """The endpoints that carry the labels which the route (or its weighted cluster) asks for."""
        assert self.subsets is not None
        return self.subsets.pool(stream.route.subset or stream.choice.subset)

    def pick_for_tcp(self, source_ip: str) -> Host | None:
        """The endpoint for a TCP connection."""
        return self.pool.pick(xxh64_intdigest(source_ip.encode()) if source_ip else None)

    def judge(self, host: Host, outcome: Outcome) -> None:
        """Outlier detection hears how an attempt ended."""
        self.ejector.judge(self, host, outcome)

    def watch_idle(self, connection: UpstreamConnection) -> None:
        """Note when a pooled connection began to idle; one timer looks after all of the cluster."""
        loop = self.loop
        connection.idle_since = loop.time()
        if self._idle_timer is None:
            self._idle_timer = loop.call_later(self.idle_timeout_s, self._sweep)

    def _sweep(self) -> None:
        self._idle_timer = None
        loop = asyncio.get_running_loop()
        now = loop.time() + 0.0005
        oldest = 0.0
        for host in self.hosts:
            for connection in list(host.idle):
                if connection.idle_since + self.idle_timeout_s <= now:
                    self.stats.upstream_cx_idle_timeout += 1
                    connection.close()
                elif not oldest or connection.idle_since < oldest:
                    oldest = connection.idle_since
        if oldest:
            self._idle_timer = loop.call_at(oldest + self.idle_timeout_s, self._sweep)

    def close(self) -> None:
        """The cluster is gone: idle connections close now, busy ones after their request."""
        self.ejector.close()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        for host in self.hosts:
            host.retire()

    def abort(self) -> None:
        """Close everything at once."""
        self.close()
        for host in self.hosts:
            for connection in list(host.all):
                connection.abandon()


def _member(host: Host) -> Member[Host]:
    spec = host.spec
    ejected = host.monitor is not None and host.monitor.ejected_s is not None
    return Member(
        host,
        UNHEALTHY if ejected else spec.health,
        spec.priority,
        spec.locality,
        spec.locality_weight,
        spec.hash_key,
    )


def hash_of(stream: "Stream") -> int | None:
    """The request's number for consistent hashing, worked out once; None: any endpoint."""
    if not stream.hashed:
        stream.hashed = True
        policies = stream.route.hash_policy
        if policies is not None:
            connection = stream.connection
            ends = f"{connection.peer[0]}:{connection.peer[1]}{connection.listener.address}:{connection.listener.port}"
            result = policies.value(stream, HashContext(remote_ip=remote_ip(stream), connection=ends.encode()))
            stream.hash_value = result.value
            stream.set_cookies = result.set_cookie
    return stream.hash_value


def remote_ip(stream: "Stream") -> bytes:
    """The downstream remote address as text."""
    remote = remote_of(stream)
    return (remote[0] if remote is not None else stream.peer_ip).encode()
