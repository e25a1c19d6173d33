"""Which addresses and ports does a Service get, and which must it give back?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mesh.api.services import Service, ServicePort
from mesh.controllers.actions import Patch, pinned

WITH_NODE_PORTS = frozenset({"NodePort", "LoadBalancer"})


@dataclass(slots=True)
class Pool:
    """What is taken. Addresses and ports are handed out in turn, so that one is not used again at once.

    reserved: addresses kept for a service by key.  first, last: the range of node ports, last included.
    """

    prefix: str
    first: int
    last: int
    reserved: Mapping[tuple[str, str], str] = field(default_factory=dict)
    _addresses: dict[str, tuple[str, str]] = field(default_factory=dict)
    _ports: dict[tuple[int, str], tuple[str, str]] = field(default_factory=dict)
    _next_host: int = 256
    _next_port: int = 0

    def hold(self, service: Service) -> None:
        """What a stored service has is taken; the first to have it keeps it."""
        for address in _addresses(service):
            self._addresses.setdefault(address, service.key)
        for port in _ports(service):
            self._ports.setdefault(port, service.key)

    def let_go(self, old: Service, new: Service | None) -> None:
        """Free what `old` had and `new` has not. What was just handed out and is not stored yet stays held."""
        addresses = set(_addresses(new)) if new is not None else set()
        ports = set(_ports(new)) if new is not None else set()
        for address in set(_addresses(old)) - addresses:
            if self._addresses.get(address) == old.key:
                del self._addresses[address]
        for port in set(_ports(old)) - ports:
            if self._ports.get(port) == old.key:
                del self._ports[port]

    def conflict(self, service: Service) -> tuple[str, str] | None:
        """Reason and message where the service says it has what another has; None when all is well."""
        for address in _addresses(service):
            if self._addresses.get(address, service.key) != service.key:
                holder = _named(self._addresses[address])
                return "ClusterIPAlreadyAllocated", f"clusterIP {address} is already allocated to {holder}"
        for port in service.spec.ports or ():
            owner = self._ports.get((port.node_port or 0, port.protocol), service.key)
            if owner != service.key:
                return "PortAlreadyAllocated", f"nodePort {port.node_port} is already allocated to {_named(owner)}"
        return None

    def address(self, key: tuple[str, str]) -> str | None:
        """A free address, held for `key` from now on; None when there is none left."""
        own = self.reserved.get(key)
        if own is not None and self._addresses.get(own, key) == key:
            self._addresses[own] = key
            return own
        kept = set(self.reserved.values())
        for host in _in_turn(256, 65535, self._next_host):
            address = f"{self.prefix}.{host >> 8}.{host & 255}"
            if host & 255 in (0, 255) or address in self._addresses or address in kept:
                continue
            self._next_host = host + 1
            self._addresses[address] = key
            return address
        return None

    def port(self, key: tuple[str, str], protocol: str) -> int | None:
        """A free node port, held for `key` from now on; None when there is none left."""
        for number in _in_turn(self.first, self.last + 1, self._next_port):
            if (number, protocol) not in self._ports:
                self._next_port = number + 1
                self._ports[(number, protocol)] = key
                return number
        return None


def _in_turn(first: int, end: int, start: int) -> Iterator[int]:
    start = start if first <= start < end else first
    yield from range(start, end)
    yield from range(first, start)


def _named(key: tuple[str, str]) -> str:
    return f"{key[0]}/{key[1]}"


def _addresses(service: Service) -> list[str]:
    own = [service.spec.cluster_ip, *(service.spec.cluster_ips or ())]
    return list(dict.fromkeys(address for address in own if address and address != "None"))


def _ports(service: Service) -> list[tuple[int, str]]:
    given = [(port.node_port, port.protocol) for port in service.spec.ports or () if port.node_port]
    check = service.spec.health_check_node_port
    return [*given, (check, "TCP")] if check else given


@dataclass(frozen=True, slots=True)
class Exhausted:
    """Nothing is left to hand out; message is what the event says."""

    message: str


def plan_service(service: Service, pool: Pool) -> Patch | Exhausted | None:
    """Give the service what its type needs and take back what it does not. None when all is as it should be."""
    kind = service.spec.type or "ClusterIP"
    spec: dict[str, Any] = {}
    if kind == "ExternalName":
        if service.spec.cluster_ip or service.spec.cluster_ips:
            spec |= {"clusterIP": None, "clusterIPs": None}
    elif not service.spec.cluster_ip:
        address = pool.address(service.key)
        if address is None:
            return Exhausted(f"no address is left in {pool.prefix}.0.0/16")
        spec |= {"clusterIP": address, "clusterIPs": [address]}
    elif not service.spec.cluster_ips:
        spec |= {"clusterIPs": [service.spec.cluster_ip]}
    ports = _node_ports(service, pool, wanted=kind in WITH_NODE_PORTS)
    if isinstance(ports, Exhausted):
        return ports
    if ports is not None:
        spec["ports"] = ports
    check = _health_check_port(service, pool)
    if isinstance(check, Exhausted):
        return check
    if check != (service.spec.health_check_node_port or None):
        spec["healthCheckNodePort"] = check
    return pinned(service, {"spec": spec}) if spec else None


def _health_check_port(service: Service, pool: Pool) -> int | Exhausted | None:
    """Where load balancers ask nodes for endpoints of their own: with externalTrafficPolicy Local alone."""
    if service.spec.type != "LoadBalancer" or service.spec.external_traffic_policy != "Local":
        return None
    number = service.spec.health_check_node_port or pool.port(service.key, "TCP")
    return number if number is not None else Exhausted(f"no node port is left in {pool.first}-{pool.last}")


def _node_ports(service: Service, pool: Pool, *, wanted: bool) -> list[dict[str, Any]] | Exhausted | None:
    """The ports with node ports filled in or dropped; None when nothing changes."""
    if service.spec.type == "LoadBalancer" and service.spec.allocate_load_balancer_node_ports is False:
        return None
    ports: list[ServicePort] = []
    changed = False
    for port in service.spec.ports or ():
        number = port.node_port
        if wanted and not number:
            number = pool.port(service.key, port.protocol)
            if number is None:
                return Exhausted(f"no node port is left in {pool.first}-{pool.last}")
        elif not wanted and number:
            number = None
        changed |= number != port.node_port
        ports.append(port.model_copy(update={"node_port": number}))
    if not changed:
        return None
    return [port.model_dump(by_alias=True, exclude_none=True) for port in ports]
