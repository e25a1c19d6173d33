"""Which addresses does a load balancer have, and what is written of them?

Each balancer has a number of its own, and the same one in every zone; the address plan makes addresses of it.
"""

from typing import Any

from mesh.api.load_balancers import (
    NLB_CLASSES,
    NO_TARGETS,
    ZONES,
    balancer,
    crosses_zones,
    hostname,
    zones_text,
)
from mesh.api.services import Ingress, Service
from mesh.controllers.actions import Action, Key, Patch, status_patch

MOST = 254
Json = dict[str, Any]
Zoned = tuple[tuple[str, str], ...]
"""(zone, address) of one balancer; the zone is empty where zones have no names."""


class Numbers:
    """Numbers 1 to 254, a different one for each owner, handed out in turn."""

    def __init__(self) -> None:
        self._owners: dict[int, Key] = {}
        self._next = 1

    def hold(self, number: int, owner: Key) -> None:
        """A stored object has it already."""
        if number not in self._owners and self.of(owner) is None:
            self._owners[number] = owner

    def of(self, owner: Key) -> int | None:
        return next((number for number, one in self._owners.items() if one == owner), None)

    def take(self, owner: Key) -> int | None:
        """The owner's number, given to it now if need be; None when all are in use."""
        have = self.of(owner)
        if have is not None:
            return have
        for step in range(MOST):
            number = (self._next - 1 + step) % MOST + 1
            if number not in self._owners:
                self._owners[number] = owner
                self._next = number % MOST + 1
                return number
        return None

    def let_go(self, owner: Key) -> None:
        number = self.of(owner)
        if number is not None:
            del self._owners[number]


def service_entries(service: Service, zoned: Zoned) -> list[Json]:
    """status.loadBalancer.ingress of a Service: one address, or one a zone with a name for all of them."""
    kind = balancer(service)
    if kind is None:
        return []
    if not kind.nlb:
        return [{"ip": zoned[0][1]}]
    name = hostname(service.namespace, service.name)
    return [{"ip": address, "hostname": name} for _, address in zoned]


def ingress_entries(ingress: Ingress, zoned: Zoned, peopled: frozenset[str]) -> list[Json]:
    """The same of an Ingress. peopled: zones with a node that is up; in the others nothing answers, unless crossed."""
    name, ports = hostname(ingress.namespace, ingress.name), [80, *([443] if ingress.spec.tls else [])]
    everywhere = crosses_zones(ingress.metadata.annotation_map)
    entries = []
    for zone, address in zoned:
        answers = not zone or zone in peopled or (everywhere and bool(peopled))
        error = {} if answers else {"error": NO_TARGETS}
        told = [{"port": port, "protocol": "TCP", **error} for port in ports]
        entries.append({"ip": address, "hostname": name, "ports": told})
    return entries


def plan(obj: Service | Ingress, entries: list[Json], zoned: Zoned, *, nlb: bool) -> list[Action]:
    """Write the addresses, and which zone each is in, where that is not told yet."""
    actions: list[Action] = []
    wanted = zones_text(zoned) if nlb and zoned and zoned[0][0] else None
    if obj.metadata.annotation_map.get(ZONES) != wanted:
        actions.append(Patch(cls=type(obj), key=obj.key, patch={"metadata": {"annotations": {ZONES: wanted}}}))
    status = obj.status.model_dump(by_alias=True, exclude_none=True)
    change = status_patch(obj, {**status, "loadBalancer": {"ingress": entries} if entries else {}})
    return [*actions, change] if change is not None else actions


def unknown_class(service: Service) -> str:
    """What the event says of a class that nobody here provides."""
    known = ", ".join(sorted(NLB_CLASSES))
    return f"nobody here provides loadBalancerClass {service.spec.load_balancer_class!r}; there are {known}, or none"
