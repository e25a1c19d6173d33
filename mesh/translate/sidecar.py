"""What does the sidecar of one pod run?

Outbound: one HTTP proxy on port 15001 with the table of `outbound`. Inbound: a listener on the pod's own address for
each port that a container or a service names, passing on to the application behind it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mesh.translate import outbound
from mesh.translate.clusters import ServiceName, inbound_assignment, inbound_cluster
from mesh.translate.findings import PORT_TAKEN, Finding
from mesh.translate.hosts import inbound_name
from mesh.translate.listeners import INBOUND, OUTBOUND, Listener, http_listener, inbound_routes, tcp_listener
from mesh.translate.memo import Memo
from mesh.translate.resources import Resources
from mesh.translate.routerule import caller_of
from mesh.translate.snapshot import Snapshot
from mesh.translate.targets import targets
from mesh.translate.views import PodView, PortView, ServiceView, names_http

OUTBOUND_PORT = 15001
RESERVED = {15000: "the admin page", OUTBOUND_PORT: "outbound traffic", 15090: "metrics"}


@dataclass(frozen=True, slots=True, order=True)
class InboundPort:
    """A port on which the application listens. http: some service says that it speaks HTTP."""

    number: int
    http: bool
    services: tuple[ServiceName, ...] = ()
    """The services that lead to it."""


def sidecar(snapshot: Snapshot, pod: PodView, app_ip: str, memo: Memo | None = None) -> Resources:
    """Everything for one pod. app_ip: where its application listens, behind the pod's address."""
    memo = Memo() if memo is None else memo
    wanted = targets(snapshot, memo)
    ports = inbound_ports(snapshot, pod)
    own = inbound(pod, app_ip, ports)
    hosts = outbound.virtual_hosts(snapshot, caller_of(snapshot, pod), memo)
    return Resources(
        listeners=own.listeners,
        routes=(outbound.route_configuration(hosts), *own.routes),
        clusters=(*outbound.clusters(wanted, snapshot, memo, pod.namespace), *own.clusters),
        endpoints=(*outbound.load_assignments(wanted, snapshot, memo), *own.endpoints),
        findings=own.findings,
    )


def inbound_ports(snapshot: Snapshot, pod: PodView) -> tuple[InboundPort, ...]:
    """The ports of a pod: its containers' own, and what its services aim at. HTTP wins where they disagree.

    A port that no service of the pod aims at speaks HTTP when its name says so, or when a service says so that may
    select the pod once its selector moves. So a pod that waits for its turn, or had it, listens in the same way before
    and after, and no connection is cut at the change.
    """
    named = dict(pod.ports)
    found: dict[int, list[tuple[ServiceView, PortView]]] = {number: [] for _, number in pod.ports}
    for service, port, number in _aims(snapshot.instances(pod), named):
        found.setdefault(number, []).append((service, port))
    likely = {number for name, number in pod.ports if names_http(name)}
    likely |= {number for _, port, number in _aims(snapshot.kin(pod), named) if port.http}
    return tuple(
        InboundPort(
            number,
            any(port.http for _, port in leading) if leading else number in likely,
            tuple(dict.fromkeys(ServiceName(s.host, s.name, s.namespace) for s, _ in leading)),
        )
        for number, leading in sorted(found.items())
    )


def _aims(services: Iterable[ServiceView], named: Mapping[str, int]) -> Iterator[tuple[ServiceView, PortView, int]]:
    """(service, port, the number it means in a pod with these named ports), where it means one."""
    for service in services:
        for port in service.ports:
            number = port.target if isinstance(port.target, int) else named.get(port.target)
            if number is not None:
                yield service, port, number


def inbound(pod: PodView, app_ip: str, ports: tuple[InboundPort, ...]) -> Resources:
    """The listeners of a pod and what stands behind them; the outbound listener's routes are not among them."""
    open_ports = [port for port in ports if port.number not in RESERVED]
    return Resources(
        listeners=(_outbound_listener(pod), *(_inbound_listener(pod, port) for port in open_ports)),
        routes=tuple(_routes(port.number) for port in open_ports if port.http),
        clusters=tuple(_cluster(port.number, port.services) for port in open_ports),
        endpoints=tuple(inbound_assignment(port.number, app_ip) for port in open_ports),
        findings=tuple(_taken(pod, port.number) for port in ports if port.number in RESERVED),
    )


# What stands behind a port says nothing of the pod: thousands of pods share a few messages, which nobody changes.


@lru_cache(maxsize=256)
def _routes(number: int) -> Any:
    return inbound_routes(number)


@lru_cache(maxsize=256)
def _cluster(number: int, services: tuple[ServiceName, ...]) -> Any:
    return inbound_cluster(number, services)


def _outbound_listener(pod: PodView) -> Listener:
    return http_listener(
        f"outbound_{pod.ip}_{OUTBOUND_PORT}",
        pod.ip,
        OUTBOUND_PORT,
        routes=outbound.ROUTES,
        stat_prefix="outbound",
        server_name="envoy",
        direction=OUTBOUND,
    )


def _inbound_listener(pod: PodView, port: InboundPort) -> Listener:
    name = f"inbound_{pod.ip}_{port.number}"
    if not port.http:
        return tcp_listener(name, pod.ip, port.number, inbound_name(port.number), direction=INBOUND)
    return http_listener(
        name,
        pod.ip,
        port.number,
        routes=inbound_name(port.number),
        stat_prefix=f"inbound_{port.number}",
        server_name="istio-envoy",
        direction=INBOUND,
    )


def _taken(pod: PodView, number: int) -> Finding:
    code, level = PORT_TAKEN
    return Finding(
        "Pod",
        pod.namespace,
        pod.name,
        "spec.containers",
        code,
        level,
        f"port {number} is taken by the sidecar ({RESERVED[number]}); let the application listen on another port",
    )
