"""Given a Service and the pods it selects, what are its EndpointSlices and its Endpoints?

Source: Kubernetes' endpoint slice controller. An endpoint that is listed stays in its slice, so that one pod's change
rewrites one slice.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.api.core import ContainerPort, Pod
from mesh.api.meta import ObjectMeta
from mesh.api.scheme import decode
from mesh.api.services import Endpoint, Endpoints, EndpointSlice, Service, ServicePort
from mesh.controllers.actions import Action, Create, Delete, Patch, pinned
from mesh.controllers.facts import controller_reference, finished, terminating
from mesh.controllers.templates import safe_hash

SERVICE_LABEL = "kubernetes.io/service-name"
MANAGED_LABEL = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
HEADLESS_LABEL = "service.kubernetes.io/headless"
TRUNCATED = "endpoints.kubernetes.io/over-capacity"
SLICE_SIZE = 100
MOST_ADDRESSES = 1000


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """One port of an endpoint, its target resolved to a number. name: "" for the unnamed one."""

    name: str
    port: int
    protocol: str
    app_protocol: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One pod as an endpoint."""

    ip: str
    uid: str
    name: str
    namespace: str
    node: str
    hostname: str
    ready: bool
    serving: bool
    terminating: bool
    zone: str = ""


Ports = tuple[Port, ...]
Zones = Callable[[str], str]
"""Node name -> its zone; empty without one."""


def resolve_ports(service: Service, pod: Pod) -> Ports:
    """The service's ports on that pod; a target named after a port that the pod lacks is left out."""
    found = []
    for port in service.spec.ports or ():
        number = _target(port, pod)
        if number is not None:
            found.append(Port(port.name or "", number, port.protocol, port.app_protocol or ""))
    return tuple(found)


def _target(port: ServicePort, pod: Pod) -> int | None:
    target = port.target_port
    if target is None or target == 0:
        return port.port
    if isinstance(target, int):
        return target
    if target.isdigit():
        return int(target)
    named = (p for container in pod.spec.containers for p in container.ports or ())
    return next((p.container_port for p in named if _fits(p, target, port.protocol)), None)


def _fits(port: ContainerPort, name: str, protocol: str) -> bool:
    return port.name == name and port.protocol == protocol


def fact_of(service: Service, pod: Pod, zones: Zones = lambda node: "") -> Fact | None:
    """The pod as an endpoint of that service; None while it has no address, or after it has ended. zones: of a node."""
    ip = pod.status.pod_ip
    if not ip or finished(pod):
        return None
    going = terminating(pod)
    serving = pod.ready
    hostname = pod.spec.hostname if pod.spec.hostname and pod.spec.subdomain == service.name else None
    return Fact(
        ip=ip,
        uid=pod.metadata.uid or "",
        name=pod.name,
        namespace=pod.namespace,
        node=pod.spec.node_name or "",
        hostname=hostname or "",
        ready=bool(service.spec.publish_not_ready_addresses) or (serving and not going),
        serving=serving,
        terminating=going,
        zone=zones(pod.spec.node_name or ""),
    )


def group(service: Service, pods: Sequence[Pod], zones: Zones = lambda node: "") -> dict[Ports, list[Fact]]:
    """Endpoints by the ports they serve: one group, unless named targets differ between pods."""
    groups: dict[Ports, list[Fact]] = defaultdict(list)
    for pod in pods:
        fact = fact_of(service, pod, zones)
        if fact is not None:
            groups[resolve_ports(service, pod)].append(fact)
    return dict(groups)


def listed(endpoint: Endpoint) -> Fact:
    """An endpoint of a stored slice, in the same terms."""
    target, conditions = endpoint.target_ref, endpoint.conditions
    return Fact(
        ip=endpoint.addresses[0] if endpoint.addresses else "",
        uid=(target.uid if target else None) or "",
        name=(target.name if target else None) or "",
        namespace=(target.namespace if target else None) or "",
        node=endpoint.node_name or "",
        hostname=endpoint.hostname or "",
        ready=bool(conditions.ready),
        serving=bool(conditions.serving),
        terminating=bool(conditions.terminating),
        zone=endpoint.zone or "",
    )


def listed_ports(piece: EndpointSlice) -> Ports:
    """The ports of a stored slice."""
    return tuple(Port(p.name or "", p.port or 0, p.protocol, p.app_protocol or "") for p in piece.ports or ())


def plan_slices(
    service: Service, groups: Mapping[Ports, Sequence[Fact]], slices: Sequence[EndpointSlice]
) -> list[Action]:
    """Make the service's slices say what `groups` says, with few writes. slices: those it manages already."""
    by_ports: dict[Ports, list[EndpointSlice]] = defaultdict(list)
    for piece in sorted(slices, key=lambda s: s.name):
        by_ports[listed_ports(piece)].append(piece)
    wanted = dict(groups) or {(): []}
    actions: list[Action] = []
    for ports, facts in wanted.items():
        actions += _plan_group(service, ports, facts, by_ports.pop(ports, []), {s.name for s in slices})
    for left in by_ports.values():
        actions += [Delete(cls=EndpointSlice, key=piece.key, uid=piece.metadata.uid) for piece in left]
    return actions


def _plan_group(
    service: Service, ports: Ports, facts: Sequence[Fact], slices: list[EndpointSlice], taken: set[str]
) -> list[Action]:
    waiting = {fact.uid or fact.ip: fact for fact in facts}
    contents: list[tuple[EndpointSlice, list[Fact], list[Fact]]] = []
    for piece in slices:
        before = [listed(endpoint) for endpoint in piece.endpoints]
        after = [new for old in before if (new := waiting.pop(old.uid or old.ip, None)) is not None]
        contents.append((piece, before, after))
    rest = sorted(waiting.values(), key=lambda fact: fact.name)
    for _, _, after in contents:
        room = max(0, SLICE_SIZE - len(after))
        after.extend(rest[:room])
        rest = rest[room:]
    actions: list[Action] = []
    kept = len(contents)
    for piece, before, after in contents:
        if not after and (kept > 1 or facts):
            kept -= 1
            actions.append(Delete(cls=EndpointSlice, key=piece.key, uid=piece.metadata.uid))
        elif before != after or _labels(service).items() - piece.metadata.label_map.items():
            actions.append(_rewrite(service, piece, after))
    fresh = [rest[start : start + SLICE_SIZE] for start in range(0, len(rest), SLICE_SIZE)]
    if not contents and not fresh:
        fresh = [[]]
    return actions + [Create(obj=_new_slice(service, ports, part, taken)) for part in fresh]


def _labels(service: Service) -> dict[str, str]:
    labels = {SERVICE_LABEL: service.name, MANAGED_LABEL: MANAGER}
    return {**labels, HEADLESS_LABEL: ""} if service.headless else labels


def _rewrite(service: Service, piece: EndpointSlice, facts: Sequence[Fact]) -> Patch:
    patch: dict[str, Any] = {"endpoints": [endpoint_json(fact) for fact in facts]}
    missing = {k: v for k, v in _labels(service).items() if piece.metadata.label_map.get(k) != v}
    if missing:
        patch["metadata"] = {"labels": missing}
    return pinned(piece, patch)


def _new_slice(service: Service, ports: Ports, facts: Sequence[Fact], taken: set[str]) -> EndpointSlice:
    """Its name follows from the service, the ports and a number, so that a lagging cache never makes it twice."""
    number, name = 0, ""
    while not name or name in taken:
        digest = safe_hash(f"{service.metadata.uid}{ports}{number}".encode())
        name, number = f"{service.name}-{digest[:5]}", number + 1
    taken.add(name)
    metadata = ObjectMeta(
        name=name,
        generate_name=f"{service.name}-",
        namespace=service.namespace,
        labels=_labels(service),
        owner_references=[controller_reference(service)],
    )
    endpoints = [decode_endpoint(fact) for fact in facts]
    body = {"ports": [port_json(port) for port in ports]}
    piece = decode(EndpointSlice, body)
    return piece.model_copy(update={"metadata": metadata, "address_type": "IPv4", "endpoints": endpoints})


def decode_endpoint(fact: Fact) -> Endpoint:
    """A fact as the model has it."""
    return Endpoint.model_validate(endpoint_json(fact))


def _target_ref(fact: Fact) -> dict[str, str]:
    return {"kind": "Pod", "namespace": fact.namespace, "name": fact.name, "uid": fact.uid}


def endpoint_json(fact: Fact) -> dict[str, Any]:
    """A fact as a slice lists it."""
    endpoint: dict[str, Any] = {
        "addresses": [fact.ip],
        "conditions": {"ready": fact.ready, "serving": fact.serving, "terminating": fact.terminating},
        "targetRef": _target_ref(fact),
    }
    if fact.node:
        endpoint["nodeName"] = fact.node
    if fact.zone:
        endpoint["zone"] = fact.zone
    if fact.hostname:
        endpoint["hostname"] = fact.hostname
    return endpoint


def port_json(port: Port) -> dict[str, Any]:
    """A port as a slice lists it: always with its name."""
    shown = {"name": port.name, "port": port.port, "protocol": port.protocol}
    return {**shown, "appProtocol": port.app_protocol} if port.app_protocol else shown


def subsets(groups: Mapping[Ports, Sequence[Fact]]) -> list[dict[str, Any]]:
    """The subsets of the older Endpoints object. Terminating pods are not in it; beyond 1000 it is cut."""
    found, left = [], MOST_ADDRESSES
    for ports, facts in sorted(groups.items()):
        staying = sorted((f for f in facts if not f.terminating or f.ready), key=lambda f: f.ip)[:left]
        left -= len(staying)
        subset: dict[str, Any] = {}
        for field, ready in (("addresses", True), ("notReadyAddresses", False)):
            addresses = [_address(fact) for fact in staying if fact.ready is ready]
            if addresses:
                subset[field] = addresses
        if subset:
            if ports:
                subset["ports"] = [_subset_port(port) for port in ports]
            found.append(subset)
    return found


def _address(fact: Fact) -> dict[str, Any]:
    address: dict[str, Any] = {"ip": fact.ip}
    if fact.hostname:
        address["hostname"] = fact.hostname
    if fact.node:
        address["nodeName"] = fact.node
    return {**address, "targetRef": _target_ref(fact)}


def _subset_port(port: Port) -> dict[str, Any]:
    shown = port_json(port)
    return shown if port.name else {key: value for key, value in shown.items() if key != "name"}


def plan_endpoints(service: Service, groups: Mapping[Ports, Sequence[Fact]], have: Endpoints | None) -> list[Action]:
    """Make the Endpoints object of the same name say the same."""
    wanted = subsets(groups)
    over = sum(len(facts) for facts in groups.values()) > MOST_ADDRESSES
    annotations = {TRUNCATED: "truncated"} if over else {}
    if have is None:
        metadata = ObjectMeta(
            name=service.name,
            namespace=service.namespace,
            labels=service.metadata.labels,
            annotations=annotations or None,
            owner_references=[controller_reference(service)],
        )
        endpoints = decode(Endpoints, {"subsets": wanted or None})
        return [Create(obj=endpoints.model_copy(update={"metadata": metadata}))]
    present = [s.model_dump(by_alias=True, exclude_none=True) for s in have.subsets or ()]
    if present == wanted and (TRUNCATED in have.metadata.annotation_map) == over:
        return []
    mark = {TRUNCATED: annotations.get(TRUNCATED)}
    return [pinned(have, {"subsets": wanted or None, "metadata": {"annotations": mark}})]
