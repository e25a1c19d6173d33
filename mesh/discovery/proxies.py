"""Which tables does one proxy get?

A proxy's state remembers what its last tables were made of, and hands out the very same tables until one of these
parts changes; so "did anything change for this proxy?" costs a few comparisons.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from mesh.api.core import Pod
from mesh.discovery.compiled import Compiled
from mesh.discovery.configuration import Configuration
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
from mesh.translate.targets import Target


class ProxyState(Protocol):
    """Makes the tables of one proxy."""

    def tables(self) -> Any:
        """The tables for the configuration in force; the same object as last time when nothing changed."""
        ...

    def resources(self) -> Resources:
        """The same before compilation, made anew: for people to look at."""
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
        self._parts: tuple[object, ...] = (None, None, None, None)
        self._listeners: tuple[ListenerSpec, ...] = ()
        self._tables: Any = None

    def assemble(self, own: Own, routes: str, table: RouteTable, namespace: str) -> Any:
        configuration = self.configuration
        clusters = configuration.clusters_of(namespace)
        parts = (own, table, clusters, configuration.endpoints)
        if any(a is not b for a, b in zip(self._parts, parts, strict=True)):
            if own is not self._parts[0] or table is not self._parts[1]:
                self._listeners = tuple(
                    deliver(configuration.compiled, each, {routes: table}) for each in own.listeners
                )
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
        return self.assemble(
            self._own, outbound.ROUTES, configuration.outbound_table(self._caller), self._pod.namespace
        )

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
    """The gateway at one address."""

    def __init__(self, configuration: Configuration, make_tables: MakeTables, address: str, port: int) -> None:
        super().__init__(configuration, make_tables)
        self._at = (address, port)
        self._message = gateway.listener(address, port)
        self._missing: tuple[Target, ...] | None = None
        self._own = Own((), {}, {})

    def tables(self) -> Any:
        missing = gateway.missing(self.configuration.snapshot)
        if missing != self._missing:
            resources = Resources(
                listeners=(self._message,),
                clusters=tuple(cluster(target, None) for target in missing),
                endpoints=tuple(load_assignment(target) for target in missing),
            )
            self._own = compile_own(self.configuration, resources)
            self._missing = missing
        return self.assemble(self._own, gateway.ROUTES, self.configuration.gateway_table(), ROOT)

    def resources(self) -> Resources:
        return gateway.gateway(self.configuration.snapshot, *self._at)


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
