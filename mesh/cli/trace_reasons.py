"""Why is a way into a service closed?"""

from mesh.api.load_balancers import balancer
from mesh.api.selectors import from_labels
from mesh.api.services import Service, ServicePort
from mesh.cli.trace_facts import Facts
from mesh.node.ways import NODE_PORT, REACHED, Binding, Way, node_of, places


def nowhere(service: Service, port: ServicePort, way: Way, facts: Facts, source: str, binding: Binding) -> str:
    """Why a way into a service is closed for this client."""
    if way.groups and not way.admits(source):
        return f"loadBalancerSourceRanges {', '.join(way.ranges)} do not admit {source}"
    zones = {node.name: node.zone for node in facts.nodes}
    here = places(facts.slices_of(service), zones).get(port.name or "")
    if here is None or not (here.ready or here.leaving):
        return no_endpoint(service, port, facts)
    on = ", ".join(sorted({place.node for place in (here.ready or here.leaving) if place.node})) or "no node at all"
    if way.near == "node":
        at = node_of(source, facts.nodes)
        where = f"{source} is on no node" if at is None else f"{at.name} has no endpoint of its own"
        return f"internalTrafficPolicy Local: {where}; endpoints are on {on}"
    node = next((node for node in facts.nodes if node.address == binding.address), None)
    if way.kind == NODE_PORT and node is not None:
        if not node.up:
            return f"{node.name} is lost"
        return f"externalTrafficPolicy Local: {node.name} has no endpoint of its own; they are on {on}"
    return _no_target(service, way, facts, on)


def _no_target(service: Service, way: Way, facts: Facts, on: str) -> str:
    kind = balancer(service)
    narrow = kind is not None and way.zone and not kind.cross_zone
    able = [node for node in facts.nodes if node.up and node.balanced]
    if narrow and kind is not None and kind.to_pods:
        return f"no endpoint is in zone {way.zone}, and cross-zone load balancing is off"
    if narrow and not any(node.zone == way.zone for node in able):
        return f"zone {way.zone} has no node, and cross-zone load balancing is off"
    if not able:
        return "every node is lost or kept out of load balancers"
    return f"externalTrafficPolicy Local: no node in question has an endpoint of its own; they are on {on}"


def no_endpoint(service: Service, port: ServicePort, facts: Facts) -> str:
    listed = {a for piece in facts.slices_of(service) for e in piece.endpoints for a in e.addresses}
    if listed and not any(address.startswith(REACHED) for address in listed):
        return f"its endpoints, such as {min(listed)}, are outside 127.0.0.0/8, which is all that the mesh reaches"
    if not service.spec.selector:
        return "the service has no selector, and nobody wrote endpoints for it"
    text = ",".join(f"{key}={value}" for key, value in sorted(service.spec.selector.items()))
    chosen = from_labels(service.spec.selector)
    pods = [p for p in facts.pods if p.namespace == service.namespace and chosen.matches(p.metadata.labels)]
    if not pods:
        return f"selector {text} fits no pod in namespace {service.namespace}"
    late = [pod.name for pod in pods if not pod.ready]
    if len(late) == len(pods):
        shown = ", ".join(sorted(late)[:3]) + (" and more" if len(late) > 3 else "")
        return f"none of the {len(pods)} pods that {text} selects is ready: {shown}"
    return f"targetPort {port.target_port} is no port of the pods that {text} selects"
