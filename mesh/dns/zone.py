"""What is the answer to one question?

The zone of the cluster as the Kubernetes DNS specification (1.1.0) has it, decided from a `View`: services,
endpoints of headless services, SRV for named ports, PTR, CNAME for external names; and the names of load balancers.
Nothing here knows the wire: names are tuples of labels, lower case, and `message` turns the answer into a packet. Names
outside these zones are refused; search domains are the client's business. Source: kubernetes/dns specification;
where it is silent, what CoreDNS does with kubeadm's configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from mesh.dns.view import BALANCERS, Labels, Port, ServiceRecord, View, is_address, view

__all__ = ["TTL_S", "Answer", "Labels", "Record", "View", "answer", "holds", "soa", "view"]

Rcode = Literal["NOERROR", "NXDOMAIN", "REFUSED"]
Look = Callable[[str, Any], Any]
"""(mapping of the view, key) -> value or None; what is looked at is noted."""
Basis = tuple[tuple[str, Any, Any], ...]

TTL_S = 5
"""Of every record, and of the absence of one. Source: CoreDNS's default."""
CHAIN_LIMIT = 8
"""External names that point to external names: so many are followed. Source: CoreDNS."""

VERSION = "1.1.0"
CIRCLE = "external names point to each other in a circle"
TOO_LONG = f"more than {CHAIN_LIMIT} external names point to each other"
_REVERSE: Labels = ("in-addr", "arpa")
_BALANCERS = tuple(BALANCERS.split("."))


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record; `data` is its text in a zone file."""

    name: Labels
    type: str
    data: str


@dataclass(frozen=True, slots=True)
class Answer:
    rcode: Rcode = "NOERROR"
    records: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    """The zone's SOA where there is nothing to tell, so that resolvers may remember the absence."""
    additional: tuple[Record, ...] = ()
    remark: str = ""
    """For people: why there is nothing."""
    outside: Labels = ()
    """The name outside the zone at which a chain of CNAMEs arrived."""
    basis: Basis = ()
    """What it follows from: (mapping of the view, key, value found). While these hold, the answer does."""


@dataclass(frozen=True, slots=True)
class _Node:
    """What stands at one name; a node without records is a name that exists for the sake of those below it."""

    records: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()


def answer(view: View, name: Labels, qtype: str) -> Answer:
    """Answer one question of class IN.

    name: labels from left to right, lower case.  qtype: its mnemonic, as `A`; of types that no record here has, any
    text. ANY is such a type: CoreDNS tells nothing to it either.
    """
    basis: list[tuple[str, Any, Any]] = []

    def look(table: str, key: Any) -> Any:
        value = getattr(view, table).get(key)
        basis.append((table, key, value))
        return value

    zone = tuple(view.zone.split("."))
    if name[-len(zone) :] == zone:
        rcode, records, authority, additional, remark, outside = _in_zone(view, look, zone, name, qtype)
        return Answer(rcode, records, authority, additional, remark, outside, tuple(basis))
    if name[-2:] == _REVERSE:
        return _reverse(view, look, zone, name, qtype, basis)
    if name[-len(_BALANCERS) :] == _BALANCERS:
        return _balancer(view, look, name, qtype, basis)
    return Answer("REFUSED")


def holds(view: View, basis: Basis) -> bool:
    """Whether an answer that was decided from an older view follows from this one too."""
    return all(getattr(view, table).get(key) is value for table, key, value in basis)


def soa(view: View, owner: Labels) -> Record:
    """The start of authority of the zone, or of the reverse zone with the same figures."""
    names = f"ns.dns.{view.zone}. hostmaster.{view.zone}."
    return Record(owner, "SOA", f"{names} {view.serial} 7200 1800 86400 {TTL_S}")


_Told = tuple[Rcode, tuple[Record, ...], tuple[Record, ...], tuple[Record, ...], str, Labels]


def _in_zone(view: View, look: Look, zone: Labels, name: Labels, qtype: str) -> _Told:
    told: list[Record] = []
    absence = (soa(view, zone),)
    for _ in range(CHAIN_LIMIT):
        node = _find(view, look, zone, name, qtype)
        if node is None:
            return "NXDOMAIN", tuple(told), absence, (), "", ()
        alias = next((record for record in node.records if record.type == "CNAME"), None)
        if alias is None or qtype == "CNAME":
            records = tuple(record for record in node.records if record.type == qtype)
            return "NOERROR", (*told, *records), () if records else absence, node.additional if records else (), "", ()
        if alias in told:
            return "NOERROR", tuple(told), absence, (), CIRCLE, ()
        told.append(alias)
        name = _labels(alias.data)
        if name[-len(zone) :] != zone:
            return "NOERROR", tuple(told), (), (), "", name
    return "NOERROR", tuple(told), absence, (), TOO_LONG, ()


def _find(view: View, look: Look, zone: Labels, name: Labels, qtype: str) -> _Node | None:
    """The node at a name in the zone. None: no such name."""
    match name[: -len(zone)]:
        case ():
            server = Record(("ns", "dns", *zone), "A", view.dns_address)
            brings = (server,) if view.dns_address and qtype == "NS" else ()
            return _Node((soa(view, zone), Record(name, "NS", f"ns.dns.{view.zone}.")), brings)
        case ("dns-version",):
            return _Node((Record(name, "TXT", f'"{VERSION}"'),))
        case ("dns",) if view.dns_address:
            return _Node()
        case ("ns", "dns") if view.dns_address:
            return _Node((Record(name, "A", view.dns_address),))
        case ("svc",) | ("pod",):
            return _Node()
        case (namespace, "svc" | "pod"):
            return _Node() if look("namespaces", namespace) else None
        case (pod, namespace, "pod"):
            # Any address that is written so, whether a pod has it or not: kubeadm's `pods insecure`.
            address = pod.replace("-", ".")
            there = is_address(address) and look("namespaces", namespace)
            return _Node(_a(name, [address])) if there else None
        case (*front, service_name, namespace, "svc"):
            service = look("services", (namespace, service_name))
            return None if service is None else _of_service(service, tuple(front), name, qtype)
        case _:
            return None


def _of_service(service: ServiceRecord, front: Labels, name: Labels, qtype: str) -> _Node | None:
    """The node at or below a service's name."""
    match front:
        case ():
            return _service_node(service, name, qtype)
        case (protocol,) if protocol.startswith("_"):
            return _Node() if any(f"_{port.protocol}" == protocol for port in _named(service)) else None
        case (port_name, protocol) if len(port_name) > 1 and port_name[0] == "_" and protocol[:1] == "_":
            return _srv_node(
                service, name, name[2:], lambda port: (port.name, port.protocol) == (port_name[1:], protocol[1:])
            )
        case (endpoint_name,):
            addresses = [each.address for each in service.endpoints if each.name == endpoint_name]
            if not addresses:
                return None
            if qtype == "SRV":
                return _srv_node(service, name, name[1:], _every, endpoint_name) or _Node()
            return _Node(_a(name, addresses))
        case _:
            return None


def _service_node(service: ServiceRecord, name: Labels, qtype: str) -> _Node | None:
    if service.kind == "external":
        # An address is no name to point to, and CoreDNS knows no such service.
        return _Node((Record(name, "CNAME", f"{service.target}."),)) if service.target else None
    if service.kind == "headless" and not service.endpoints:
        return None  # with nobody behind it, it does not exist: so the specification has it
    if qtype == "SRV":
        return _srv_node(service, name, name, _every) or _Node()
    if service.kind == "cluster":
        return _Node(_a(name, [service.address] if service.address else []))
    return _Node(_a(name, [each.address for each in service.endpoints]))


def _named(service: ServiceRecord) -> Iterable[Port]:
    """The ports that can be asked for by name; those of headless services are their endpoints' own."""
    if service.kind == "headless":
        return {port for each in service.endpoints for port in each.ports if port.name}
    return [port for port in service.ports if port.name]


def _every(port: Port) -> bool:
    """All ports: asked for SRV, a service tells those without a name too. Source: CoreDNS."""
    return True


def _srv_node(
    service: ServiceRecord, name: Labels, base: Labels, fits: Callable[[Port], bool], endpoint_name: str = ""
) -> _Node | None:
    """SRV of the ports that fit. base: the service's own name.  endpoint_name: of this endpoint alone."""
    if service.kind == "headless" or endpoint_name:
        found = [
            (port.number, (each.name, *base), each.address)
            for each in service.endpoints
            if endpoint_name in ("", each.name)
            for port in each.ports
            if fits(port)
        ]
    else:
        found = [(port.number, base, service.address) for port in service.ports if fits(port)]
    if not found:
        return None
    weight = max(1, 100 // len(found))
    records = dict.fromkeys(Record(name, "SRV", f"0 {weight} {port} {_text(target)}") for port, target, _ in found)
    additional = dict.fromkeys(Record(target, "A", address) for _, target, address in found if address)
    return _Node(tuple(records), tuple(additional))


def _reverse(
    view: View, look: Look, zone: Labels, name: Labels, qtype: str, basis: list[tuple[str, Any, Any]]
) -> Answer:
    """PTR of an address. All of 127/8 is ours; of other addresses only those that some endpoint has."""
    numbers = name[:-2]
    names: tuple[Labels, ...] = look("pointers", ".".join(reversed(numbers))) if len(numbers) == 4 else ()
    if not names and numbers[-1:] != ("127",):
        return Answer("REFUSED", basis=tuple(basis))
    absence = (soa(view, ("127", *_REVERSE)),)
    if not names and len(numbers) == 1 and qtype == "SOA":
        return Answer(records=absence)
    if not names:
        return Answer("NXDOMAIN" if len(numbers) >= 4 else "NOERROR", (), absence, basis=tuple(basis))
    if qtype != "PTR":
        return Answer("NOERROR", (), absence, basis=tuple(basis))
    records = tuple(Record(name, "PTR", _text((*each, "svc", *zone))) for each in names)
    return Answer("NOERROR", records, basis=tuple(basis))


def _balancer(view: View, look: Look, name: Labels, qtype: str, basis: list[tuple[str, Any, Any]]) -> Answer:
    """All addresses of a load balancer, one a zone, whether something answers there or not."""
    absence = (soa(view, _BALANCERS),)
    if name == _BALANCERS:
        return Answer(records=absence) if qtype == "SOA" else Answer(authority=absence)
    addresses = look("balancers", ".".join(name))
    if not addresses:
        return Answer("NXDOMAIN", (), absence, basis=tuple(basis))
    records = _a(name, addresses) if qtype == "A" else ()
    return Answer("NOERROR", records, () if records else absence, basis=tuple(basis))


def _a(name: Labels, addresses: Iterable[str]) -> tuple[Record, ...]:
    return tuple(Record(name, "A", address) for address in dict.fromkeys(addresses))


def _text(name: Labels) -> str:
    return ".".join(name) + "."


def _labels(text: str) -> Labels:
    return tuple(text.rstrip(".").split("."))
