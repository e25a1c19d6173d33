"""Which ways lead into a service, and which endpoints may a connection take on each?

One way is one address and port that answers: the cluster IP, a port of a node, an address of a load balancer, an
external IP. Each narrows the endpoints by the service's own policies. kube-proxy listens where this says, and
`mesh trace-path` prints it, so that the two never differ.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, ip_address, ip_network
from typing import NamedTuple

from mesh.api.core import Node
from mesh.api.load_balancers import Balancer, balancer, zones_of
from mesh.api.services import EndpointSlice, Service

AFFINITY_S = 10800
ZONE_LABEL = "topology.kubernetes.io/zone"
NOT_BALANCED = "node.kubernetes.io/exclude-from-external-load-balancers"
CLUSTER_IP, NODE_PORT, LOAD_BALANCER, EXTERNAL_IP = "cluster IP", "node port", "load balancer", "external IP"
CLOSE = frozenset({"PreferClose", "PreferSameZone"})
REACHED = "127."
"""Connections go to loopback addresses alone."""
Target = tuple[str, int]


@dataclass(frozen=True, slots=True)
class NodeFact:
    """What matters of a node here. up: it was not lost.  balanced: load balancers may use it.  cidr: its pods'."""

    name: str
    address: str
    zone: str = ""
    up: bool = True
    balanced: bool = True
    cidr: str = ""

    def holds(self, address: str) -> bool:
        """Whether a connection from there comes from this node or one of its pods."""
        return address == self.address or (bool(self.cidr) and within(address, self.cidr))


def node_fact(node: Node) -> NodeFact | None:
    """The node as connections see it; None while it has no address."""
    address = next((a.address for a in node.status.addresses or () if a.type == "InternalIP"), None)
    if address is None:
        return None
    ready = next((c for c in node.status.conditions or () if c.type == "Ready"), None)
    labels = node.metadata.label_map
    return NodeFact(
        name=node.name,
        address=address,
        zone=labels.get(ZONE_LABEL, ""),
        up=ready is None or ready.status != "Unknown",
        balanced=NOT_BALANCED not in labels,
        cidr=node.spec.pod_cidr or "",
    )


def node_of(address: str, nodes: Iterable[NodeFact]) -> NodeFact | None:
    """The node that a client is on; None for people and programs outside."""
    return next((node for node in nodes if node.holds(address)), None)


@lru_cache(maxsize=1024)
def network(text: str) -> IPv4Network | None:
    """`127.0.0.0/24`, also with host bits set; None when it is no IPv4 network."""
    try:
        found = ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    return found if isinstance(found, IPv4Network) else None


def within(address: str, cidr: str) -> bool:
    known = network(cidr)
    return known is not None and ip_address(address) in known


@dataclass(frozen=True, slots=True)
class Binding:
    """One address to listen on, and the service port behind it."""

    address: str
    port: int
    service: tuple[str, str]
    port_name: str


@dataclass(frozen=True, slots=True)
class Group:
    """Endpoints that are chosen from together.

    node: the node through which a connection comes, or whose own these endpoints are.  zone: theirs, where it counts.
    source: the address that endpoints see; None for the client's own.
    """

    targets: tuple[Target, ...]
    node: str = ""
    zone: str = ""
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """Where connections to one binding go: a group first (each as likely as another), an endpoint of it then.

    affinity_s: 0 for none, else how long a client keeps its endpoint.
    near: "node": only the group of the client's own node.  "zone": that of its zone, else the one without a zone.
    ranges: the only networks that clients may come from; empty for all.
    """

    kind: str
    groups: tuple[Group, ...]
    affinity_s: int = 0
    near: str = ""
    ranges: tuple[str, ...] = ()
    zone: str = ""

    def admits(self, client: str) -> bool:
        """Whether loadBalancerSourceRanges let this client in."""
        return not self.ranges or any(within(client, cidr) for cidr in self.ranges)


class Place(NamedTuple):
    """One endpoint's address for one port, and where it is. A service may have thousands."""

    target: Target
    node: str
    zone: str


@dataclass(slots=True)
class Places:
    """The endpoints of one service port, complete before it is asked.

    Where no endpoint in question is ready, those that are going away but still serve are used, as kube-proxy does.
    """

    ready: list[Place] = field(default_factory=list)
    leaving: list[Place] = field(default_factory=list)
    _known: dict[str, dict[str, tuple[Target, ...]]] = field(default_factory=dict)

    def anywhere(self) -> tuple[Target, ...]:
        return self._sorted("", lambda place: "").get("", ())

    def on(self, node: str) -> tuple[Target, ...]:
        return self._sorted("node", lambda place: place.node).get(node, ())

    def zone(self, zone: str) -> tuple[Target, ...]:
        return self._sorted("zone", lambda place: place.zone).get(zone, ())

    def _sorted(self, name: str, key: Callable[[Place], str]) -> dict[str, tuple[Target, ...]]:
        known = self._known.get(name)
        if known is None:
            groups: dict[str, set[Target]] = {}
            for places in (self.leaving, self.ready):
                fresh: dict[str, set[Target]] = {}
                for place in places:
                    fresh.setdefault(key(place), set()).add(place.target)
                groups |= fresh
            known = self._known[name] = {group: tuple(sorted(targets)) for group, targets in groups.items()}
        return known


def places(slices: Iterable[EndpointSlice], zones: dict[str, str]) -> dict[str, Places]:
    """Port name -> endpoints. zones: node name -> zone, for endpoints that do not tell theirs."""
    found: dict[str, Places] = {}
    for piece in slices:
        if piece.address_type != "IPv4":
            continue
        ports = [(port.name or "", port.port) for port in piece.ports or () if port.port and port.protocol == "TCP"]
        for endpoint in piece.endpoints:
            conditions = endpoint.conditions
            ready = conditions.ready is not False
            if not ready and not (conditions.terminating and conditions.serving is not False):
                continue
            node = endpoint.node_name or ""
            zone = endpoint.zone or zones.get(node, "")
            for name, number in ports:
                group = found.setdefault(name, Places())
                into = group.ready if ready else group.leaving
                into += [Place((a, number), node, zone) for a in endpoint.addresses if a.startswith(REACHED)]
    return found


def ways(service: Service, slices: Iterable[EndpointSlice], nodes: Sequence[NodeFact]) -> dict[Binding, Way]:
    """Every way into the service. One without a target has no groups: there, connections are refused."""
    spec = service.spec
    if spec.type == "ExternalName":
        return {}
    known = places(slices, {node.name: node.zone for node in nodes})
    found: dict[Binding, Way] = {}
    affinity_s = affinity(service)
    for port in spec.ports or ():
        if port.protocol != "TCP":
            continue
        name = port.name or ""
        here = known.get(name) or Places()

        def add(address: str, number: int, way: Way, name: str = name) -> None:
            found.setdefault(Binding(address, number, service.key, name), way)

        if spec.cluster_ip and spec.cluster_ip != "None":
            add(spec.cluster_ip, port.port, _inside(service, here, nodes, affinity_s))
        if port.node_port:
            for node in nodes:
                groups = tuple(_through(service, here, [node]))
                add(node.address, port.node_port, Way(NODE_PORT, groups, affinity_s, zone=node.zone))
        for address, way in _outside(service, here, nodes, affinity_s):
            add(address, port.port, way)
    return found


def affinity(service: Service) -> int:
    """Seconds for which a client keeps its endpoint; 0 without affinity."""
    if service.spec.session_affinity != "ClientIP":
        return 0
    config = (service.spec.session_affinity_config or {}).get("clientIP") or {}
    return int(config.get("timeoutSeconds") or AFFINITY_S)


def _inside(service: Service, here: Places, nodes: Sequence[NodeFact], affinity_s: int) -> Way:
    """The cluster IP. Endpoints see the client's own address there."""
    if service.spec.internal_traffic_policy == "Local":
        own = ((node.name, here.on(node.name)) for node in nodes)
        return Way(CLUSTER_IP, tuple(Group(targets, name) for name, targets in own if targets), affinity_s, "node")
    everywhere = here.anywhere()
    if not everywhere:
        return Way(CLUSTER_IP, ())
    if service.spec.traffic_distribution not in CLOSE:
        return Way(CLUSTER_IP, (Group(everywhere),), affinity_s)
    zones = sorted({place.zone for place in here.ready if place.zone})
    close = [Group(here.zone(zone), zone=zone) for zone in zones]
    return Way(CLUSTER_IP, (*close, Group(everywhere)), affinity_s, "zone")


def _through(service: Service, here: Places, nodes: Iterable[NodeFact]) -> Iterator[Group]:
    """A group for each node that a connection from outside can enter through, by the external traffic policy.

    Cluster: all endpoints, which see the node's address.  Local: the node's own, which see the client's.
    """
    local = service.spec.external_traffic_policy == "Local"
    everywhere = () if local else here.anywhere()
    for node in nodes:
        if not node.up:
            continue
        targets = here.on(node.name) if local else everywhere
        if targets:
            yield Group(targets, node.name, node.zone, None if local else node.address)


def _outside(service: Service, here: Places, nodes: Sequence[NodeFact], affinity_s: int) -> Iterator[tuple[str, Way]]:
    """External IPs and the addresses of a load balancer, with the way from each."""
    for address in service.spec.external_ips or ():
        yield address, Way(EXTERNAL_IP, tuple(_through(service, here, nodes)), affinity_s)
    kind = balancer(service)
    if kind is None:
        return
    zones = zones_of(service.metadata.annotation_map)
    ranges = tuple(service.spec.load_balancer_source_ranges or ())
    for entry in service.status.load_balancer.ingress or ():
        if entry.ip:
            zone = zones.get(entry.ip, "")
            groups = tuple(_balanced(service, here, nodes, kind, zone, entry.ip))
            yield entry.ip, Way(LOAD_BALANCER, groups, affinity_s, ranges=ranges, zone=zone)


def _balanced(
    service: Service, here: Places, nodes: Sequence[NodeFact], kind: Balancer, zone: str, address: str
) -> Iterator[Group]:
    """What one address of a load balancer hands connections to: pods, or nodes that hand them on."""
    anywhere = kind.cross_zone or not zone
    seen = None if kind.keeps_source else address
    if kind.to_pods:
        targets = here.anywhere() if anywhere else here.zone(zone)
        if targets:
            yield Group(targets, source=seen)
        return
    able = [node for node in nodes if node.balanced and (anywhere or node.zone == zone)]
    for group in _through(service, here, able):
        yield Group(group.targets, group.node, group.zone, group.source or seen)


def health_checks(service: Service, slices: Iterable[EndpointSlice], nodes: Sequence[NodeFact]) -> dict[Target, int]:
    """Where a load balancer asks whether a node has endpoints of its own, and how many it has."""
    port = service.spec.health_check_node_port
    if not port or service.spec.type != "LoadBalancer" or service.spec.external_traffic_policy != "Local":
        return {}
    counts: dict[str, set[str]] = {}
    for piece in slices:
        for endpoint in piece.endpoints:
            if endpoint.conditions.ready is not False:
                counts.setdefault(endpoint.node_name or "", set()).update(endpoint.addresses)
    return {(node.address, port): len(counts.get(node.name, ())) for node in nodes if node.up}
