"""Which endpoints does a cluster have now, and which connections to them?

A `Cluster` lives as long as its name is configured: counters, balancer position and connections survive a change of
its endpoints, each of which is a `Host` with a pool of connections. Deciding which host is next belongs to `balance`.
"""

import asyncio
import random
from typing import TYPE_CHECKING

from xxhash import xxh64_intdigest

from mesh.balance.health import DEGRADED, HEALTHY
from mesh.balance.make import HASHED
from mesh.balance.pool import Member, Pool
from mesh.balance.subset import SubsetPools
from mesh.proxy.choosing import hash_of
from mesh.proxy.ejection import Ejector
from mesh.proxy.host import Host
from mesh.proxy.upstream import UpstreamConnection
from mesh.routing.outcome import Outcome
from mesh.routing.outlier import Monitor
from mesh.runtime.tasks import Tasks

if TYPE_CHECKING:
    from mesh.metrics.scopes import ClusterStats
    from mesh.proxy.server import ProxyServer
    from mesh.proxy.stream import Stream
    from mesh.routing.spec import ClusterSpec, EndpointSpec


class Cluster:
    """One cluster as it runs."""

    __slots__ = (
        "_by_key",
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
        self._by_key: dict[bytes, Host] | None = None
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
        self.hosts, self._by_key = tuple(hosts), None
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

    def host(self, key: bytes) -> Host | None:
        """The endpoint at an address (`ip:port`)."""
        if self._by_key is None:
            self._by_key = {host.key: host for host in reversed(self.hosts)}
        return self._by_key.get(key)

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
    return Member(
        host,
        host.health,
        spec.priority,
        spec.locality,
        spec.locality_weight,
        spec.hash_key,
    )
