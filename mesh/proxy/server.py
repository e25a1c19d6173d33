"""What is one proxy, from its first socket to its last?

A `ProxyServer` holds listeners, clusters and counters of one sidecar or gateway. Configuration comes as immutable
`Tables` that replace one another whole: what is equal stays as it is, requests under way keep what they began with,
and an address that cannot be bound leaves everything as it was. Clusters come to life when a request first needs them,
because a node runs hundreds of proxies that know hundreds of clusters each.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mesh.metrics.registry import ProxyMetrics, Workload
from mesh.proxy.access_log import LogSink, lines_of
from mesh.proxy.admin import AdminListener
from mesh.proxy.cluster import Cluster
from mesh.proxy.listener import HttpListener, LogLine
from mesh.proxy.sender import Sender
from mesh.proxy.tcp import TcpListener
from mesh.routing.spec import AccessLogSpec, ClusterSpec, EndpointSpec, ListenerSpec
from mesh.runtime.clock import Clock, SystemClock
from mesh.runtime.tasks import Tasks
from mesh.runtime.tls import BadCertificate

_FAREWELL_S = 0.25
"""How long resting connections of a draining proxy may still bring a request."""
_POLL_S = 0.02
"""How often a draining proxy looks whether its last request has ended."""

Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this proxy is: a name for logs and admin pages, and its workload for the metrics."""

    name: str = "proxy"
    workload: Workload = field(default_factory=Workload)
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Everything that a proxy executes. Listeners carry their compiled routes."""

    listeners: tuple[ListenerSpec, ...] = ()
    clusters: Mapping[bytes, ClusterSpec] = field(default_factory=dict)
    endpoints: Mapping[bytes, tuple[EndpointSpec, ...]] = field(default_factory=dict)


def _kind(spec: ListenerSpec) -> tuple[bool, bool]:
    """A listener of another kind takes the place of this one, instead of its content."""
    return spec.http is None, spec.tls is None


class ProxyServer:
    """One proxy. `start`, any number of `apply`, `drain`, `close`."""

    __slots__ = (
        "_log_sinks",
        "_pages",
        "access_log",
        "bind_source",
        "clock",
        "clusters",
        "describe",
        "draining",
        "identity",
        "listeners",
        "metrics",
        "peers",
        "rng",
        "sender",
        "started_s",
        "tables",
        "tasks",
    )

    def __init__(
        self,
        *,
        identity: Identity | None = None,
        metrics: ProxyMetrics | None = None,
        rng: random.Random | None = None,
        clock: Clock | None = None,
        bind_source: str | None = None,
        access_log: Callable[[bytes], None] | None = None,
        peers: Callable[[str], Workload | None] | None = None,
        admin: Address | None = None,
        prometheus: Address | None = None,
        describe: Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:
        self.identity = identity or Identity()
        self.metrics = metrics or ProxyMetrics(self.identity.workload)
        self.rng = rng or random.Random()
        self.clock: Clock = clock or SystemClock()
        self.bind_source = bind_source
        """Address from which connections to endpoints leave; None: the system chooses."""
        self.access_log = access_log
        """Takes a line of Envoy's default format for each request of listeners that have no log of their own."""
        self.peers = peers
        self.describe = describe
        """The configuration in force as plain data, for /config_dump."""
        self.tasks = Tasks(self.identity.name)
        self.tables = Tables()
        self.clusters: dict[bytes, Cluster] = {}
        self.listeners: dict[Address, HttpListener | TcpListener] = {}
        self.sender: Sender
        self.draining = False
        self.started_s = 0.0
        self._log_sinks: dict[str, LogSink] = {}
        self._pages: list[AdminListener] = []
        if admin is not None:
            self._pages.append(AdminListener(self, admin, only_metrics=False))
        if prometheus is not None:
            self._pages.append(AdminListener(self, prometheus, only_metrics=True))

    # --- life -----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bind the admin pages. Raises BindError."""
        self.started_s = self.clock.now()
        self.sender = Sender(asyncio.get_running_loop())
        bound: list[AdminListener] = []
        try:
            for page in self._pages:
                await page.bind()
                bound.append(page)
        except OSError:
            for page in bound:
                page.close()
            raise

    async def apply(self, tables: Tables) -> None:
        """Put `tables` in force between two requests.

        Raises BindError where it cannot listen, and BadCertificate; then nothing changes.
        """
        wanted = {(spec.address, spec.port): spec for spec in tables.listeners}
        fresh: dict[Address, HttpListener | TcpListener] = {}
        old_clusters = self.tables
        try:
            for address, spec in wanted.items():
                present = self.listeners.get(address)
                if present is None or _kind(spec) != _kind(present.spec):
                    if present is not None:
                        present.stop_accepting()
                    listener = HttpListener(self, spec) if spec.http is not None else TcpListener(self, spec)
                    await listener.bind()
                    fresh[address] = listener
                elif isinstance(present, HttpListener):
                    present.recertify(spec)
        except (OSError, BadCertificate):
            for listener in fresh.values():
                listener.abort()
            raise
        self.tables = tables
        self._change_clusters(old_clusters, tables)
        for address, present in list(self.listeners.items()):
            if address in fresh or address not in wanted:
                present.drain()
                present.close_idle()
                del self.listeners[address]
            else:
                present.configure(wanted[address])
        self.listeners.update(fresh)

    async def drain(self, timeout_s: float = 5.0) -> None:
        """Accept nobody new, finish what is under way (not longer than `timeout_s`), then close what is idle.

        A kept connection that rests may have its next request on the way: closed at once, it would lose that one. So
        it stays for a moment, in which its next answer says `connection: close`.
        """
        self.draining = True
        for listener in self.listeners.values():
            listener.drain()
        deadline = self.clock.now() + timeout_s
        farewell = min(deadline, self.clock.now() + _FAREWELL_S)
        while self.clock.now() < farewell and any(one.connections for one in self.listeners.values()):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)
        # Polled, because the end of a request tells nobody: it is the hot path.
        while self.clock.now() < deadline and any(listener.busy for listener in self.listeners.values()):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)
        for listener in self.listeners.values():
            listener.close_idle()

    async def close(self) -> None:
        """End everything now. Safe to call twice."""
        for listener in self.listeners.values():
            listener.abort()
        self.listeners.clear()
        for cluster in self.clusters.values():
            cluster.abort()
        self.clusters.clear()
        for page in self._pages:
            page.close()
        await self.tasks.close()
        for sink in self._log_sinks.values():
            sink.close()
        self._log_sinks.clear()
        await asyncio.sleep(0)

    # --- what listeners and streams ask ----------------------------------------------------------------------

    def cluster(self, name: bytes | None) -> Cluster | None:
        """The cluster called `name`, brought to life at its first use; None: unknown."""
        if name is None:
            return None
        found = self.clusters.get(name)
        if found is None:
            spec = self.tables.clusters.get(name)
            if spec is None:
                return None
            stats = self.metrics.cluster(spec.stat_name or name.decode("latin-1"))
            found = self.clusters[name] = Cluster(spec, stats, self)
            found.update(self.tables.endpoints.get(name, ()))
        return found

    def logs_for(self, specs: tuple[AccessLogSpec, ...]) -> tuple[LogLine, ...]:
        """Functions that write one finished request each."""
        return lines_of(specs, self.access_log, self._log_sinks)

    def uptime_s(self) -> float:
        return self.clock.now() - self.started_s

    def _change_clusters(self, old: Tables, new: Tables) -> None:
        for name, cluster in list(self.clusters.items()):
            spec = new.clusters.get(name)
            if spec is None:
                cluster.close()
                del self.clusters[name]
                continue
            changed = spec is not cluster.spec and spec != cluster.spec
            endpoints = new.endpoints.get(name, ())
            known = old.endpoints.get(name, ())
            if changed:
                cluster.configure(spec)
            if changed or (endpoints is not known and endpoints != known):
                cluster.update(endpoints)
