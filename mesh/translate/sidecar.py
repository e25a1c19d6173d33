"""What does the sidecar of one pod run?

Outbound: one HTTP proxy on port 15001 with the table of `outbound`. Inbound: a listener on the pod's own address for
each port that a container or a service names, passing on to the application behind it.
"""

from dataclasses import dataclass

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
from mesh.translate.views import PodView, PortView, ServiceView

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
    memo = memo or Memo()
    wanted = targets(snapshot, memo)
    ports = inbound_ports(pod, snapshot.instances(pod))
    own = inbound(pod, app_ip, ports)
    hosts = outbound.virtual_hosts(snapshot, caller_of(snapshot, pod), memo)
    return Resources(
        listeners=own.listeners,
        routes=(outbound.route_configuration(hosts), *own.routes),
        clusters=(*outbound.clusters(wanted, snapshot.services, memo), *own.clusters),
        endpoints=(*outbound.endpoints(wanted, snapshot, memo), *own.endpoints),
        findings=own.findings,
    )


def inbound_ports(pod: PodView, services: tuple[ServiceView, ...]) -> tuple[InboundPort, ...]:
    """The ports of a pod: its containers' own, and what its services aim at. HTTP wins where they disagree."""
    named = dict(pod.ports)
    found: dict[int, list[tuple[ServiceView, PortView]]] = {number: [] for _, number in pod.ports}
    for service in services:
        for port in service.ports:
            number = port.target if isinstance(port.target, int) else named.get(port.target)
            if number is not None:
                found.setdefault(number, []).append((service, port))
    return tuple(
        InboundPort(
            number,
            any(port.http for _, port in leading),
            tuple(dict.fromkeys(ServiceName(s.host, s.name, s.namespace) for s, _ in leading)),
        )
        for number, leading in sorted(found.items())
    )


def inbound(pod: PodView, app_ip: str, ports: tuple[InboundPort, ...]) -> Resources:
    """The listeners of a pod and what stands behind them; the outbound listener's routes are not among them."""
    open_ports = [port for port in ports if port.number not in RESERVED]
    return Resources(
        listeners=(_outbound_listener(pod), *(_inbound_listener(pod, port) for port in open_ports)),
        routes=tuple(inbound_routes(port.number) for port in open_ports if port.http),
        clusters=tuple(inbound_cluster(port.number, port.services) for port in open_ports),
        endpoints=tuple(inbound_assignment(port.number, app_ip) for port in open_ports),
        findings=tuple(_taken(pod, port.number) for port in ports if port.number in RESERVED),
    )


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
