"""Where do a service's connections come in, and which endpoint does each go to?"""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from mesh.api.services import EndpointSlice, Service

AFFINITY_S = 10800
MAX_AFFINITIES = 65536
MAX_TRIES = 3
Target = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Binding:
    """One address to listen on, and the service port behind it."""

    address: str
    port: int
    service: tuple[str, str]
    port_name: str


@dataclass(frozen=True, slots=True)
class Backends:
    """Where connections to a service port go. affinity_s: 0 for none, else how long a client keeps its endpoint."""

    targets: tuple[Target, ...]
    affinity_s: int = 0


def bindings(service: Service, node_addresses: Iterable[str]) -> list[Binding]:
    """Every address that the service asks for: its ClusterIP, and its NodePorts on every node."""
    spec, wanted = service.spec, []
    if spec.type == "ExternalName":
        return []
    nodes = tuple(node_addresses)
    for port in spec.ports or ():
        if port.protocol != "TCP":
            continue
        name = port.name or ""
        if spec.cluster_ip and spec.cluster_ip != "None":
            wanted.append(Binding(spec.cluster_ip, port.port, service.key, name))
        if port.node_port:
            wanted += [Binding(node, port.node_port, service.key, name) for node in nodes]
        outside = service.status.load_balancer.ingress or () if service.spec.type == "LoadBalancer" else ()
        wanted += [Binding(entry.ip, port.port, service.key, name) for entry in outside if entry.ip]
    return wanted


def backends(service: Service, slices: Iterable[EndpointSlice]) -> dict[str, Backends]:
    """Port name -> where to, in a fixed order; only ports that have a ready endpoint.

    Where no endpoint is ready but some that are going away still serve, these are used, as kube-proxy does.
    """
    ready: dict[str, set[Target]] = {}
    leaving: dict[str, set[Target]] = {}
    for piece in slices:
        for endpoint in piece.endpoints:
            conditions = endpoint.conditions
            if conditions.ready is not False and not conditions.terminating:
                group = ready
            elif conditions.serving and conditions.terminating:
                group = leaving
            else:
                continue
            for port in piece.ports or ():
                if port.port is not None:
                    targets = group.setdefault(port.name or "", set())
                    targets.update((address, port.port) for address in endpoint.addresses)
    affinity_s = 0
    if service.spec.session_affinity == "ClientIP":
        config = (service.spec.session_affinity_config or {}).get("clientIP") or {}
        affinity_s = int(config.get("timeoutSeconds") or AFFINITY_S)
    return {name: Backends(tuple(sorted(targets)), affinity_s) for name, targets in {**leaving, **ready}.items()}


class Spreader:
    """Chooses an endpoint per connection: at random, as iptables does, or the client's own with affinity."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._kept: dict[tuple[tuple[str, str], str, str], tuple[Target, float]] = {}

    def choose(
        self,
        service: tuple[str, str],
        port_name: str,
        client: str,
        where: Backends | None,
        now: float,
        tried: frozenset[Target] = frozenset(),
    ) -> Target | None:
        """An endpoint, or None when there is none. tried: those that did not take this connection."""
        if where is None or len(tried) >= MAX_TRIES:
            return None
        targets = tuple(target for target in where.targets if target not in tried) if tried else where.targets
        if not targets:
            return None
        if not where.affinity_s:
            return self._rng.choice(targets)
        key = (service, port_name, client)
        kept = self._kept.pop(key, None)
        if kept is not None and kept[0] in targets and now - kept[1] <= where.affinity_s:
            target = kept[0]
        else:
            target = self._rng.choice(targets)
        self._kept[key] = (target, now)
        if len(self._kept) > MAX_AFFINITIES:
            self._kept.pop(next(iter(self._kept)))
        return target
