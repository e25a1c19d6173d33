"""What does DNS need to know of the cluster?

A `View` is one moment of it: services, the usable endpoints behind them, namespaces. It is built whole from API
objects, never changed, and holds nothing but what a question can ask for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from mesh.api.core import Namespace
from mesh.api.services import EndpointSlice, Ingress, Service

ServiceKey = tuple[str, str]
"""Namespace, name."""
Labels = tuple[str, ...]
BALANCERS = "elb.loopmesh.internal"
"""The zone of load balancers' own names: outside the cluster's, as in a cloud."""


@dataclass(frozen=True, slots=True)
class Port:
    name: str
    protocol: str
    """Lower case, as DNS spells it: tcp, udp."""
    number: int


@dataclass(frozen=True, slots=True)
class EndpointRecord:
    name: str
    """Its label under the service: the pod's hostname, or its address with dashes."""
    address: str
    ports: tuple[Port, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRecord:
    namespace: str
    name: str
    kind: Literal["cluster", "headless", "external"]
    address: str = ""
    """ClusterIP; empty for the other kinds and while none is assigned."""
    target: str = ""
    """External name, lower case, no dot at its end. Empty where it is an address: only names can be pointed to."""
    ports: tuple[Port, ...] = ()
    endpoints: tuple[EndpointRecord, ...] = ()
    """Usable ones, by name."""


def _nothing() -> Mapping[Any, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything that the zone's answers follow from. Values are never changed, so whoever holds one sees a change."""

    services: Mapping[ServiceKey, ServiceRecord] = field(default_factory=_nothing)
    namespaces: Mapping[str, bool] = field(default_factory=_nothing)
    """Each that exists, with True."""
    pointers: Mapping[str, tuple[Labels, ...]] = field(default_factory=_nothing)
    """Address -> names below `svc.ZONE`; what PTR answers."""
    balancers: Mapping[str, tuple[str, ...]] = field(default_factory=_nothing)
    """Name of a load balancer, lower case -> its addresses, one a zone."""
    zone: str = "cluster.local"
    dns_address: str = ""
    """What `ns.dns.ZONE` answers; empty: nothing."""
    serial: int = 1


def view(
    services: Iterable[Service],
    endpoint_slices: Iterable[EndpointSlice],
    namespaces: Iterable[Namespace] = (),
    ingresses: Iterable[Ingress] = (),
    *,
    zone: str = "cluster.local",
    dns_address: str = "",
    serial: int = 1,
) -> View:
    """The cluster as DNS shows it.

    namespaces: those without services; a service's own namespace is known from the service.
    Cost: one walk over everything, about 2 us an endpoint; `feed` does it piece by piece.
    """
    slices: dict[ServiceKey, list[EndpointSlice]] = defaultdict(list)
    for each in endpoint_slices:
        slices[slice_key(each)].append(each)
    services = list(services)
    records = {service_key(service): service_record(service, slices[service_key(service)]) for service in services}
    known = {each.metadata.name or "" for each in namespaces} | {namespace for namespace, _ in records}
    pointers: dict[str, list[Labels]] = defaultdict(list)
    for _, record in sorted(records.items()):
        for address, name in pointers_to(record):
            pointers[address].append(name)
    balancers: dict[str, tuple[str, ...]] = {}
    owners: list[Service | Ingress] = [*services, *ingresses]
    for owner in owners:
        balancers |= balancer_names(owner)
    return View(
        services=MappingProxyType(records),
        namespaces=MappingProxyType({name.lower(): True for name in known if name}),
        pointers=MappingProxyType({address: tuple(names) for address, names in pointers.items()}),
        balancers=MappingProxyType(balancers),
        zone=zone,
        dns_address=dns_address,
        serial=serial,
    )


def service_key(service: Service) -> ServiceKey:
    return service.metadata.namespace or "default", service.metadata.name or ""


def slice_key(each: EndpointSlice) -> ServiceKey:
    """The service that a slice belongs to."""
    return each.metadata.namespace or "default", each.service_name


def service_record(service: Service, slices: Iterable[EndpointSlice]) -> ServiceRecord:
    """One service with its usable endpoints. slices: those of this service."""
    namespace, name = service_key(service)
    spec = service.spec
    if spec.type == "ExternalName":
        return ServiceRecord(namespace=namespace, name=name, kind="external", target=_target(spec.external_name or ""))
    return ServiceRecord(
        namespace=namespace,
        name=name,
        kind="headless" if service.headless else "cluster",
        address="" if service.headless else spec.cluster_ip or "",
        ports=tuple(Port(port.name or "", port.protocol.lower(), port.port) for port in spec.ports or ()),
        endpoints=_endpoints(slices, everyone=bool(spec.publish_not_ready_addresses)),
    )


def _target(name: str) -> str:
    """A name that a CNAME can carry, or nothing."""
    name = name.lower().rstrip(".")
    fits = len(name) <= 253 and all(0 < len(label) <= 63 and label.isascii() for label in name.split("."))
    return name if fits and not is_address(name) else ""


def is_address(text: str) -> bool:
    """Whether a text is an IPv4 address."""
    parts = text.split(".")
    return len(parts) == 4 and all(part.isascii() and part.isdigit() and int(part) <= 255 for part in parts)


def _endpoints(slices: Iterable[EndpointSlice], *, everyone: bool) -> tuple[EndpointRecord, ...]:
    """The endpoints that may be told: ready ones, or all of them where the service publishes those too."""
    ports: dict[tuple[str, str], list[Port]] = {}
    for each in sorted(slices, key=lambda one: one.metadata.name or ""):
        if each.address_type != "IPv4":
            continue
        offered = [
            Port(port.name or "", port.protocol.lower(), port.port)
            for port in each.ports or ()
            if port.port is not None
        ]
        for endpoint in each.endpoints:
            # No condition means ready: so the API defines it.
            if not everyone and endpoint.conditions.ready is False:
                continue
            for address in endpoint.addresses:
                # An endpoint may stand in several slices, with other ports in each.
                have = ports.setdefault(((endpoint.hostname or address.replace(".", "-")).lower(), address), [])
                have += [port for port in offered if port not in have]
    return tuple(EndpointRecord(name, address, tuple(have)) for (name, address), have in sorted(ports.items()))


def pointers_to(record: ServiceRecord) -> list[tuple[str, Labels]]:
    """A ClusterIP points to its service, a pod to its name below a headless service."""
    if record.kind == "cluster":
        return [(record.address, (record.name, record.namespace))] if record.address else []
    return [(each.address, (each.name, record.name, record.namespace)) for each in record.endpoints]


def balancer_names(owner: Service | Ingress) -> dict[str, tuple[str, ...]]:
    """What the status says of load balancers with a name of their own: each name with its addresses, in order."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for entry in (owner.status.load_balancer.ingress if owner.status else None) or ():
        name = (entry.hostname or "").lower().rstrip(".")
        if entry.ip and is_address(entry.ip) and name.endswith(f".{BALANCERS}"):
            found[name][entry.ip] = None
    return {name: tuple(addresses) for name, addresses in found.items()}
