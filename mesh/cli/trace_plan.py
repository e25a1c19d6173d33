"""Which hops does a connection to an address take, and where does it end?

The ways into services and who may take which are kube-proxy's own (`mesh.node.ways`, `mesh.node.spread`); what the
gateway matches is the translation's own. Nothing here decides anything a second time.
"""

from collections.abc import Iterator

from mesh.api.core import Pod
from mesh.api.load_balancers import NLB, balancer, dark, zones_of
from mesh.api.services import Service, ServicePort
from mesh.cli.trace_facts import Asked, Facts, is_address, named_object
from mesh.cli.trace_hops import L4, L7, Hop, Path, endpoint_at, last_hops
from mesh.cli.trace_reasons import nowhere
from mesh.node.addresses import SIDECAR_PORTS, Plan
from mesh.node.host import meshed
from mesh.node.spread import eligible
from mesh.node.ways import (
    CLUSTER_IP,
    EXTERNAL_IP,
    LOAD_BALANCER,
    NODE_PORT,
    Binding,
    Group,
    Way,
    node_of,
)
from mesh.translate.hosts import resolve, service_host

PEOPLE = "127.0.0.1"


def trace(asked: Asked, facts: Facts, source: str = PEOPLE) -> tuple[Path, ...]:
    """A path for each address that the target stands for. source: the address that the connection comes from."""
    if is_address(asked.host):
        return (_from(asked, asked.host, facts, source),)
    named = facts.named(asked.host)
    name = Hop(None, "name", asked.host, notes=(named.says,) if named.says else ())
    if named.wrong:
        return (Path("", (name,), why=named.wrong),)
    if named.service is not None and named.service.headless and asked.port is None:
        number = _target_port(named.service, facts)
        asked = Asked(asked.text, asked.host, number, asked.path, asked.is_url)
    if named.service is not None and asked.port is None:
        asked = Asked(asked.text, asked.host, _only_port(named.service), asked.path, asked.is_url)
    gateway = facts.gateway if named.addresses == (facts.gateway[0],) else None
    if gateway is not None:
        port = facts.https_port if asked.port == 443 and facts.https_port else gateway[1]
        asked = Asked(asked.text, asked.host, port, asked.path, asked.is_url)
    paths = (_from(asked, address, facts, source) for address in named.addresses)
    return tuple(Path(p.address, (name, *p.hops), p.endpoints, p.why, p.fails_when) for p in paths)


def _only_port(service: Service) -> int | None:
    ports = [port.port for port in service.spec.ports or ()]
    return ports[0] if ports else None


def _target_port(service: Service, facts: Facts) -> int | None:
    found = (port.port for piece in facts.slices_of(service) for port in piece.ports or () if port.port)
    return next(found, None)


def _from(asked: Asked, address: str, facts: Facts, source: str) -> Path:
    here = {binding.port: binding for binding in facts.ways() if binding.address == address}
    port = asked.port if asked.port is not None else _guess(address, list(here), facts)
    spelled = f"{address}:{port}"
    if port in here:
        return _service_path(here[port], facts, source)
    if address == facts.gateway[0] and port in (facts.gateway[1], facts.https_port):
        return gateway_path(asked, spelled, facts)
    if facts.of_nlb(address):
        return _nlb_path(asked, address, port, facts)
    if (address, port) in facts.others:
        return Path(spelled, (Hop(L7, facts.others[(address, port)], "", spelled),))
    pod = facts.pod_at(address)
    if pod is not None:
        return _pod_path(pod, port, facts)
    behind = next((p for p in facts.pods if p.status.pod_ip and Plan().app_of(p.status.pod_ip) == address), None)
    if behind is not None and meshed(behind):
        note = "past its sidecar: no rule, no metrics"
        hop = Hop(L7, "application", named_object(behind), spelled, (note,))
        return Path(spelled, (hop,), (endpoint_at((address, port), facts, behind),))
    return Path(spelled, (), why=_nobody(address, port, list(here), facts))


def _guess(address: str, ports: list[int], facts: Facts) -> int:
    """The port of an address without one: the gateway's, the only one a service has, else HTTP's."""
    if address == facts.gateway[0]:
        return facts.gateway[1]
    pod = facts.pod_at(address)
    declared = [p.container_port for c in pod.spec.containers for p in c.ports or ()] if pod is not None else []
    known = ports or declared
    return known[0] if known and 80 not in known else 80


def _nobody(address: str, port: int, ports: list[int], facts: Facts) -> str:
    if ports:
        return f"no service has port {port} at {address}; there is {', '.join(map(str, sorted(ports)))}"
    node = next((node for node in facts.nodes if node.address == address), None)
    if node is not None:
        return f"no service has node port {port}: {node.name} has none open"
    owner = next((s for s in facts.services if s.spec.cluster_ip == address), None)
    if owner is not None:
        return f"service {named_object(owner)} has no TCP port"
    if address == facts.gateway[0]:
        return f"nothing of the mesh listens at port {port}; the gateway is at {facts.gateway[1]}"
    return "nothing in the mesh has this address"


def _service_path(binding: Binding, facts: Facts, source: str) -> Path:
    """From one address of a service to its endpoints, at layer 4."""
    service = facts.service(*binding.service)
    assert service is not None, "ways come from services"
    way = facts.ways()[binding]
    port = next(p for p in service.spec.ports or () if (p.name or "") == binding.port_name)
    spelled = f"{binding.address}:{binding.port}"
    groups = eligible(way, source, node_of(source, facts.nodes))
    hops = list(_front(service, port, binding, way, groups, facts))
    if (told := facts.refused.get((binding.address, binding.port))) is not None:
        return Path(spelled, tuple(hops), why=told)
    if not groups:
        return Path(spelled, tuple(hops), why=nowhere(service, port, way, facts, source, binding))
    targets = sorted({target for group in groups for target in group.targets})
    endpoints = tuple(endpoint_at(target, facts) for target in targets)
    if way.kind == CLUSTER_IP or groups[0].node:
        hops.append(_cluster_hop(service, port, way, len(targets), facts))
    return Path(spelled, (*hops, *last_hops(endpoints, facts)), endpoints, fails_when=_fails(way, groups, len(targets)))


def _front(
    service: Service, port: ServicePort, binding: Binding, way: Way, groups: tuple[Group, ...], facts: Facts
) -> Iterator[Hop]:
    """What stands before the cluster IP."""
    name, spelled = named_object(service), f"{binding.address}:{binding.port}"
    if way.kind in (LOAD_BALANCER, EXTERNAL_IP):
        yield Hop(L4, way.kind, name, spelled, tuple(_balancer_notes(service, way)))
    if way.kind == CLUSTER_IP:
        if not groups:
            yield Hop(L4, CLUSTER_IP, name, spelled)
        return
    through = [group for group in groups if group.node]
    policy = service.spec.external_traffic_policy or "Cluster"
    if through:
        rule = "own endpoints alone" if policy == "Local" else "any endpoint"
        sources = {group.source for group in through}
        seen = (
            f"they see {' or '.join(sorted(s for s in sources if s))}"
            if None not in sources
            else "they see the client's address"
        )
        what = NODE_PORT if port.node_port else "node"
        names = " or ".join(group.node for group in through)
        one = next((node.address for node in facts.nodes if [node.name] == [g.node for g in through]), "")
        address = spelled if way.kind == NODE_PORT else f"{one}:{port.node_port}" if port.node_port else one
        yield Hop(L4, what, names, address, (f"externalTrafficPolicy {policy}: {rule}", seen))
    elif way.kind == NODE_PORT:
        yield Hop(L4, NODE_PORT, "", spelled, (f"externalTrafficPolicy {policy}",))


def _balancer_notes(service: Service, way: Way) -> Iterator[str]:
    kind = balancer(service)
    if way.zone and kind is not None:
        targets = "pods" if kind.to_pods else "nodes"
        yield f"zone {way.zone}, targets: " + (
            f"{targets} of every zone" if kind.cross_zone else f"{targets} of that zone"
        )
    if way.ranges:
        yield f"admits {', '.join(way.ranges)}"
    if kind is not None and kind.to_pods:
        yield "straight to pods"


def _cluster_hop(service: Service, port: ServicePort, way: Way, count: int, facts: Facts) -> Hop:
    notes = [f"at random over {count} endpoint{'s' if count != 1 else ''}"]
    if way.affinity_s:
        notes = [f"a client keeps one of {count} endpoints for {way.affinity_s} s (ClientIP)"]
    if way.near == "node":
        notes.append("internalTrafficPolicy Local: those of the client's node")
    elif way.near == "zone":
        notes.append("those of the client's zone first")
    host = service_host(service.name, service.namespace)
    rules = [r.name for r in facts.rules if r.spec.destination and resolve(r.spec.destination, r.namespace) == host]
    if rules:
        notes.append(f"layer 4: RouteRule {', '.join(sorted(rules))} does not apply")
    return Hop(L4, CLUSTER_IP, named_object(service), f"{service.spec.cluster_ip}:{port.port}", tuple(notes))


def _fails(way: Way, groups: tuple[Group, ...], count: int) -> tuple[str, ...]:
    nodes = sorted({group.node for group in groups if group.node})
    found = [f"none of {'these ' if count > 1 else ''}{count} endpoint{'s' if count > 1 else ''} is ready any more"]
    if way.kind != CLUSTER_IP and nodes:
        found.append(f"{' and '.join(nodes)} {'is' if len(nodes) == 1 else 'are'} lost")
    if way.ranges:
        found.append(f"the client is outside {', '.join(way.ranges)}")
    return tuple(found)


def _pod_path(pod: Pod, port: int, facts: Facts) -> Path:
    """Straight to a pod."""
    spelled, target = f"{pod.status.pod_ip}:{port}", (pod.status.pod_ip or "", port)
    declared = sorted({p.container_port for c in pod.spec.containers for p in c.ports or ()})
    aimed = {
        p.port for piece in facts.slices for e in piece.endpoints if target[0] in e.addresses for p in piece.ports or ()
    }
    notes = () if pod.ready else ("not ready: services leave it out",)
    hop = Hop(L4, "pod", named_object(pod), spelled, notes)
    if meshed(pod) and port in SIDECAR_PORTS:
        return Path(
            spelled, (hop, Hop(L7, "sidecar", "its own pages and proxy", spelled)), (endpoint_at(target, facts),)
        )
    if port not in declared and port not in aimed:
        return Path(
            spelled, (hop,), why=f"the pod declares no port {port}; there is {', '.join(map(str, declared)) or 'none'}"
        )
    endpoint = endpoint_at(target, facts, pod)
    _, *inside = last_hops((endpoint,), facts)
    return Path(spelled, (hop, *inside), (endpoint,), fails_when=("the pod ends: the next one has another address",))


def _nlb_path(asked: Asked, address: str, port: int, facts: Facts) -> Path:
    """An address of an Ingress of class nlb: layer 4 in front of the gateway."""
    ingress = facts.of_nlb(address)[0]
    entry = next(e for e in ingress.status.load_balancer.ingress or () if e.ip == address)
    spelled, open_ports = f"{address}:{port}", [p.port for p in entry.ports or ()]
    zone = zones_of(ingress.metadata.annotation_map).get(address)
    notes = (f"Ingress of class {NLB}", *([f"zone {zone}"] if zone else []))
    hop = Hop(L4, LOAD_BALANCER, named_object(ingress), spelled, notes)
    if dark(entry):
        return Path(spelled, (hop,), why="its zone has no node, and cross-zone load balancing is off")
    if port not in open_ports:
        return Path(spelled, (hop,), why=f"no listener at port {port}; there is {', '.join(map(str, open_ports))}")
    inner = gateway_path(asked, spelled, facts)
    return Path(spelled, (hop, *inner.hops), inner.endpoints, inner.why, inner.fails_when)


def gateway_path(asked: Asked, spelled: str, facts: Facts) -> Path:
    """What the gateway does with a request."""
    from mesh.cli.trace_gateway import through  # translation is slow to import, and few traces need it

    return through(asked, spelled, facts)
