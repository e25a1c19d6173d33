"""What does DNS need to know of the cluster?

A `View` is one moment of it: services, the usable endpoints behind them, namespaces. It is built whole from API
objects, never changed, and holds nothing but what a question can ask for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from mesh.api.core import Namespace
from mesh.api.services import EndpointSlice, Service

ServiceKey = tuple[str, str]
"""Namespace, name."""


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
    """External name, lower case, no dot at its end."""
    ports: tuple[Port, ...] = ()
    endpoints: tuple[EndpointRecord, ...] = ()
    """Usable ones, by name."""


def _nothing() -> Mapping[ServiceKey, ServiceRecord]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything that the zone's answers follow from."""

    services: Mapping[ServiceKey, ServiceRecord] = field(default_factory=_nothing)
    namespaces: frozenset[str] = frozenset()
    pointers: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Address -> names below `svc.ZONE`, as labels; what PTR answers."""
    zone: str = "cluster.local"
    dns_address: str = ""
    """What `ns.dns.ZONE` answers; empty: nothing."""
    serial: int = 1


def view(
    services: Iterable[Service],
    endpoint_slices: Iterable[EndpointSlice],
    namespaces: Iterable[Namespace] = (),
    *,
    zone: str = "cluster.local",
    dns_address: str = "",
    serial: int = 1,
) -> View:
    """The cluster as DNS shows it.

    namespaces: those without services; a service's own namespace is known from the service.
    Cost: one walk over everything, about 2 us an endpoint.
    """
    slices: dict[ServiceKey, list[EndpointSlice]] = defaultdict(list)
    for each in endpoint_slices:
        if each.address_type == "IPv4":
            slices[(each.metadata.namespace or "default", each.service_name)].append(each)
    records = {}
    for service in services:
        record = _service(service, slices)
        records[(record.namespace, record.name)] = record
    known = {each.metadata.name or "" for each in namespaces} | {namespace for namespace, _ in records}
    return View(
        services=MappingProxyType(records),
        namespaces=frozenset(name.lower() for name in known if name),
        pointers=MappingProxyType(_pointers(records)),
        zone=zone,
        dns_address=dns_address,
        serial=serial,
    )


def _service(service: Service, slices: Mapping[ServiceKey, list[EndpointSlice]]) -> ServiceRecord:
    namespace, name = service.metadata.namespace or "default", service.metadata.name or ""
    spec = service.spec
    if spec.type == "ExternalName":
        target = (spec.external_name or "").lower().rstrip(".")
        return ServiceRecord(namespace=namespace, name=name, kind="external", target=target)
    return ServiceRecord(
        namespace=namespace,
        name=name,
        kind="headless" if service.headless else "cluster",
        address="" if service.headless else spec.cluster_ip or "",
        ports=tuple(Port(port.name or "", port.protocol.lower(), port.port) for port in spec.ports or ()),
        endpoints=_endpoints(slices.get((namespace, name), ()), everyone=bool(spec.publish_not_ready_addresses)),
    )


def _endpoints(slices: Iterable[EndpointSlice], *, everyone: bool) -> tuple[EndpointRecord, ...]:
    """The endpoints that may be told: ready ones, or all of them where the service publishes those too."""
    ports: dict[tuple[str, str], list[Port]] = {}
    for each in slices:
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


def _pointers(records: Mapping[ServiceKey, ServiceRecord]) -> dict[str, tuple[tuple[str, ...], ...]]:
    """A ClusterIP points to its service, a pod to its name below each headless service."""
    pointers: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for (namespace, name), record in sorted(records.items()):
        if record.kind == "cluster" and record.address:
            pointers[record.address].append((name, namespace))
        elif record.kind == "headless":
            for endpoint in record.endpoints:
                pointers[endpoint.address].append((endpoint.name, name, namespace))
    return {address: tuple(names) for address, names in pointers.items()}
