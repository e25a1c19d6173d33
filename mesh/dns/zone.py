"""What is the answer to one question?

The zone of the cluster as the Kubernetes DNS specification (1.1.0) has it, decided from a `View`: services,
endpoints of headless services, SRV for named ports, PTR, CNAME for external names. Nothing here knows the wire:
names are tuples of labels, lower case, and `server` turns the answer into a message. Names outside the zone are
refused; search domains are the client's business. Source: kubernetes/dns specification, CoreDNS where it is silent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from mesh.dns.view import Port, ServiceRecord, View, view

__all__ = ["TTL_S", "Answer", "Labels", "Record", "View", "answer", "soa", "view"]

Labels = tuple[str, ...]
Rcode = Literal["NOERROR", "NXDOMAIN", "REFUSED"]

TTL_S = 5
"""Of every record, and of the absence of one. Source: CoreDNS's default."""
CHAIN_LIMIT = 8
"""External names that point to external names: so many are followed."""

VERSION = "1.1.0"
_REVERSE: Labels = ("in-addr", "arpa")


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


@dataclass(frozen=True, slots=True)
class _Node:
    """What stands at one name; a node without records is a name that exists for the sake of those below it."""

    records: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()


def answer(view: View, name: Labels, qtype: str, turn: int = 0) -> Answer:
    """Answer one question of class IN.

    name: labels from left to right, lower case.  qtype: its mnemonic, `A`, or `ANY`.
    turn: rotates the records of a set, so that clients that take the first spread themselves.
    """
    zone = tuple(view.zone.split("."))
    if name[-len(zone) :] == zone:
        return _in_zone(view, zone, name, qtype, turn)
    if name[-2:] == _REVERSE:
        return _reverse(view, zone, name, qtype)
    return Answer("REFUSED")


def soa(view: View, owner: Labels) -> Record:
    """The start of authority of the zone, or of the reverse zone with the same figures."""
    names = f"ns.dns.{view.zone}. hostmaster.{view.zone}."
    return Record(owner, "SOA", f"{names} {view.serial} 7200 1800 86400 {TTL_S}")


def _in_zone(view: View, zone: Labels, name: Labels, qtype: str, turn: int) -> Answer:
    told: list[Record] = []
    absence = (soa(view, zone),)
    for _ in range(CHAIN_LIMIT):
        node = _find(view, zone, name[: -len(zone)], name)
        if node is None:
            return Answer("NXDOMAIN", tuple(told), absence)
        alias = next((record for record in node.records if record.type == "CNAME"), None)
        if alias is None or qtype in ("CNAME", "ANY"):
            records = [record for record in node.records if qtype in (record.type, "ANY")]
            told += _rotate(records, turn)
            return Answer("NOERROR", tuple(told), () if records else absence, node.additional if records else ())
        told.append(alias)
        name = _labels(alias.data)
        if name[-len(zone) :] != zone:
            return Answer("NOERROR", tuple(told))
    return Answer("NOERROR", tuple(told))


def _find(view: View, zone: Labels, below: Labels, name: Labels) -> _Node | None:
    """The node at a name; `below` are its labels in front of the zone's. None: no such name."""
    match below:
        case ():
            return _Node((soa(view, zone), Record(name, "NS", f"ns.dns.{view.zone}.")))
        case ("dns-version",):
            return _Node((Record(name, "TXT", f'"{VERSION}"'),))
        case ("dns",) if view.dns_address:
            return _Node()
        case ("ns", "dns") if view.dns_address:
            return _Node((Record(name, "A", view.dns_address),))
        case ("svc",):
            return _Node()
        case (namespace, "svc"):
            return _Node() if namespace in view.namespaces else None
        case (*front, service_name, namespace, "svc"):
            service = view.services.get((namespace, service_name))
            return None if service is None else _of_service(service, tuple(front), name)
        case _:
            return None


def _of_service(service: ServiceRecord, front: Labels, name: Labels) -> _Node | None:
    """The node at or below a service's name."""
    match front:
        case ():
            return _service_node(service, name)
        case (protocol,) if protocol.startswith("_"):
            return _Node() if any(f"_{port.protocol}" == protocol for port in _named(service)) else None
        case (port_name, protocol) if port_name.startswith("_") and protocol.startswith("_"):
            return _srv_node(service, port_name[1:], protocol[1:], name)
        case (endpoint_name,):
            addresses = [each.address for each in service.endpoints if each.name == endpoint_name]
            return _Node(_a(name, addresses)) if addresses else None
        case _:
            return None


def _service_node(service: ServiceRecord, name: Labels) -> _Node | None:
    if service.kind == "external":
        return _Node((Record(name, "CNAME", f"{service.target}."),)) if service.target else _Node()
    if service.kind == "cluster":
        return _Node(_a(name, [service.address] if service.address else []))
    # A headless service with nobody behind it does not exist: so the specification has it.
    return _Node(_a(name, [each.address for each in service.endpoints])) if service.endpoints else None


def _named(service: ServiceRecord) -> Iterable[Port]:
    """The ports that can be asked for by name; those of headless services are their endpoints' own."""
    if service.kind == "headless":
        return {port for each in service.endpoints for port in each.ports if port.name}
    return [port for port in service.ports if port.name]


def _srv_node(service: ServiceRecord, port_name: str, protocol: str, name: Labels) -> _Node | None:
    base = name[2:]
    if service.kind == "headless":
        found = [
            (port.number, (each.name, *base), each.address)
            for each in service.endpoints
            for port in each.ports
            if port.name == port_name and port.protocol == protocol
        ]
    else:
        found = [
            (port.number, base, service.address)
            for port in service.ports
            if port.name == port_name and port.protocol == protocol
        ]
    if not found:
        return None
    weight = max(1, 100 // len(found))
    records = tuple(Record(name, "SRV", f"0 {weight} {port} {_text(target)}") for port, target, _ in found)
    additional = dict.fromkeys(Record(target, "A", address) for _, target, address in found if address)
    return _Node(records, tuple(additional))


def _reverse(view: View, zone: Labels, name: Labels, qtype: str) -> Answer:
    """PTR of an address. All of 127/8 is ours; of other addresses only those that some endpoint has."""
    numbers = name[:-2]
    names = view.pointers.get(".".join(reversed(numbers)), ()) if len(numbers) == 4 else ()
    if not names and numbers[-1:] != ("127",):
        return Answer("REFUSED")
    absence = (soa(view, ("127", *_REVERSE)),)
    if not names:
        return Answer("NXDOMAIN" if len(numbers) >= 4 else "NOERROR", (), absence)
    if qtype not in ("PTR", "ANY"):
        return Answer("NOERROR", (), absence)
    return Answer("NOERROR", tuple(Record(name, "PTR", _text((*each, "svc", *zone))) for each in names))


def _a(name: Labels, addresses: Iterable[str]) -> tuple[Record, ...]:
    return tuple(Record(name, "A", address) for address in dict.fromkeys(addresses))


def _rotate(records: list[Record], turn: int) -> list[Record]:
    if len(records) < 2:
        return records
    start = turn % len(records)
    return records[start:] + records[:start]


def _text(name: Labels) -> str:
    return ".".join(name) + "."


def _labels(text: str) -> Labels:
    return tuple(text.rstrip(".").split("."))
