"""Which tables does one proxy get?

A proxy's state remembers what its last tables were made of, and hands out the very same tables until one of these
parts changes; so "did anything change for this proxy?" costs a few comparisons.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from mesh.api.core import Pod
from mesh.discovery.compiled import Compiled
from mesh.discovery.configuration import Configuration, identical
from mesh.discovery.tables import Endpoints, Layered, MakeTables
from mesh.routing.compile import compile_endpoints
from mesh.routing.route_table import RouteTable
from mesh.routing.spec import ClusterSpec, ListenerSpec
from mesh.translate import gateway, outbound
from mesh.translate.clusters import cluster, load_assignment
from mesh.translate.destination import ROOT
from mesh.translate.resources import Resources
from mesh.translate.routerule import Caller
from mesh.translate.sidecar import inbound, inbound_ports, sidecar
from mesh.translate.snapshot import Snapshot
from mesh.translate.targets import Target
from mesh.translate.ways_in import WayIn, ways_in


class ProxyState(Protocol):
    """Makes the tables of one proxy."""

    def tables(self) -> Any:
        """The tables for the configuration in force; the same object as last time when nothing changed."""
        ...

    def resources(self) -> Resources:
        """The same before compilation, made anew: for people to look at."""
        ...

    def without(self, address: str, port: int) -> WayIn | None:
        """Leave out a listener that cannot be bound, and say which it was; None: this proxy needs it."""
        ...

    def retry(self) -> bool:
        """Try what was left out again; False when there is nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Own:
    """What belongs to one proxy alone, compiled."""

    listeners: tuple[ListenerSpec, ...]
    clusters: Mapping[bytes, ClusterSpec]
    endpoints: Mapping[bytes, Endpoints]


class _State:
    """Keeps the last tables and the parts they were made of."""

    def __init__(self, configuration: Configuration, make_tables: MakeTables) -> None:
        self.configuration = configuration
        self._make_tables = make_tables
        self._parts: tuple[object, ...] = ()
        self._listeners: tuple[ListenerSpec, ...] = ()
        self._tables: Any = None

    def without(self, address: str, port: int) -> WayIn | None:
        return None

    def retry(self) -> bool:
        return False

    def assemble(self, own: Own, routes: Mapping[str, RouteTable], namespace: str) -> Any:
        """routes: the tables that listeners wait for, by name."""
        configuration = self.configuration
        clusters = configuration.clusters_of(namespace)
        parts = (clusters, configuration.endpoints, own, *routes.values())
        if not identical(parts, self._parts):
            if not identical(parts[2:], self._parts[2:]):
                self._listeners = tuple(deliver(configuration.compiled, each, routes) for each in own.listeners)
            self._tables = self._make_tables(
                listeners=self._listeners,
                clusters=Layered(own.clusters, clusters),
                endpoints=Layered(own.endpoints, configuration.endpoints),
            )
            self._parts = parts
        return self._tables


class SidecarState(_State):
    """The sidecar of one pod. app_ip: where the application listens."""

    def __init__(self, configuration: Configuration, make_tables: MakeTables, pod: Pod, app_ip: str) -> None:
        super().__init__(configuration, make_tables)
        self._pod, self._app_ip, self._ip = pod, app_ip, pod.status.pod_ip or ""
        self._caller = Caller(pod.namespace, frozenset(), {})
        self._inbound: tuple[object, ...] = ()
        self._seen: tuple[object, object] = (None, None)
        self._own = Own((), {}, {})

    def tables(self) -> Any:
        configuration = self.configuration
        known, kinship = configuration.snapshot.pods.get(self._ip), configuration.kinship
        if known is not self._seen[0] or kinship is not self._seen[1]:
            self._look_again()
            self._seen = (known, kinship)
        table = configuration.outbound_table(self._caller)
        return self.assemble(self._own, {outbound.ROUTES: table}, self._pod.namespace)

    def _look_again(self) -> None:
        """The pod, or what it belongs to, is another one: see what that means for its ports and its callees."""
        pod = self.configuration.pod(self._pod)
        self._caller = self.configuration.caller(pod)
        ports = inbound_ports(self.configuration.snapshot, pod)
        if self._inbound != (pod.ip, ports):
            self._own = compile_own(self.configuration, inbound(pod, self._app_ip, ports))
            self._inbound = (pod.ip, ports)

    def resources(self) -> Resources:
        return sidecar(self.configuration.snapshot, self.configuration.pod(self._pod), self._app_ip)


class GatewayState(_State):
    """The gateway: at one address for people (https_port: 0: no TLS there), and at those of load balancers.

    Only the plain address for people must be there. Another one that cannot be bound is left out until `retry`.
    """

    def __init__(
        self, configuration: Configuration, make_tables: MakeTables, address: str, port: int, https_port: int = 0
    ) -> None:
        super().__init__(configuration, make_tables)
        self._at = (address, port, https_port)
        self._blocked: set[tuple[str, int]] = set()
        self._snapshot: Snapshot | None = None
        self._ways: tuple[WayIn, ...] = ()
        self._missing: tuple[Target, ...] | None = None
        self._own = Own((), {}, {})

    def tables(self) -> Any:
        snapshot = self.configuration.snapshot
        if self._snapshot is None or not snapshot.routes_like(self._snapshot):
            self._look_again(snapshot)
        self._snapshot = snapshot
        routes = {way.routes: self.configuration.gateway_table(way) for way in gateway.by_routes(self._ways)}
        return self.assemble(self._own, routes, ROOT)

    def _look_again(self, snapshot: Snapshot) -> None:
        ways = tuple(way for way in ways_in(snapshot, *self._at) if (way.address, way.port) not in self._blocked)
        missing = gateway.missing(snapshot, ways)
        if ways != self._ways or missing != self._missing:
            resources = Resources(
                listeners=tuple(gateway.listener(way) for way in ways),
                clusters=tuple(cluster(target, None) for target in missing),
                endpoints=tuple(load_assignment(target) for target in missing),
            )
            self._own = compile_own(self.configuration, resources)
            self._ways, self._missing = ways, missing

    def without(self, address: str, port: int) -> WayIn | None:
        """Leave out a way in that cannot be bound, and say which it was; None: it is the one that must be there."""
        way = next((way for way in self._ways if (way.address, way.port) == (address, port)), None)
        if way is None or (address, port) == self._at[:2]:
            return None
        self._blocked.add((address, port))
        self._snapshot = None
        return way

    def retry(self) -> bool:
        """Try what was left out again; False when there is nothing."""
        some = bool(self._blocked)
        self._blocked.clear()
        self._snapshot = None
        return some

    def resources(self) -> Resources:
        address, port, https_port = self._at
        return gateway.gateway(self.configuration.snapshot, address, port, https_port=https_port)


def compile_own(configuration: Configuration, resources: Resources) -> Own:
    """The part of a proxy that it shares with nobody."""
    alike = configuration.inbound
    tables = {message.name: alike.table(message.name, message.virtual_hosts) for message in resources.routes}
    return Own(
        listeners=tuple(deliver(alike, alike.listener(message), tables) for message in resources.listeners),
        clusters={message.name.encode(): alike.cluster(message) for message in resources.clusters},
        endpoints={message.cluster_name.encode(): compile_endpoints(message) for message in resources.endpoints},
    )


def deliver(compiled: Compiled, listener: ListenerSpec, routes: Mapping[str, RouteTable]) -> ListenerSpec:
    """The listener with the table that it waits for, when that is among these."""
    http = listener.http
    table = routes.get(http.rds) if http is not None and http.rds is not None else None
    return listener if http is None or table is None else replace(listener, http=compiled.with_routes(http, table))
