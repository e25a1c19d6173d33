"""What is wrong with a Service?"""

from collections.abc import Iterator
from typing import Any

from mesh.api.errors import Cause, forbidden, invalid, not_supported, required
from mesh.api.validation_meta import label_causes
from mesh.api.validation_names import dns_label, dns_subdomain, ip_address, port_number, port_reference
from mesh.api.validation_pod import duplicate
from mesh.api.validation_traffic_policy import policy_causes

Json = dict[str, Any]
NODE_PORTS = range(30000, 32768)
_TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]
_AFFINITY = ["ClientIP", "None"]
# A cluster also forwards UDP and SCTP. Nothing here does, except the DNS server for its own Service.
_PROTOCOLS = ["TCP"]
_OVER_UDP = ("kube-system", "kube-dns")
_LONGEST_AFFINITY_S = 86400


def service_causes(service: Json) -> list[Cause]:
    """Everything wrong with a Service."""
    spec, meta = service.get("spec"), service.get("metadata") or {}
    protocols = [*_PROTOCOLS, "UDP"] if (meta.get("namespace"), meta.get("name")) == _OVER_UDP else _PROTOCOLS
    return list(_spec(spec, protocols)) if isinstance(spec, dict) else []


def service_update_causes(service: Json, old: Json) -> list[Cause]:
    """An address that was given stays."""
    spec, had = service.get("spec") or {}, old.get("spec") or {}
    if "ExternalName" in (spec.get("type"), had.get("type")):
        return []
    before, after = had.get("clusterIP"), spec.get("clusterIP")
    if before and before != after:
        return [invalid("spec.clusterIP", after or "", f"field is immutable; it is {before}")]
    return []


def _spec(spec: Json, protocols: list[str]) -> Iterator[Cause]:
    kind, address = spec.get("type"), spec.get("clusterIP")
    if isinstance(kind, str) and kind not in _TYPES:
        yield not_supported("spec.type", kind, _TYPES)
    ports = spec.get("ports")
    if isinstance(ports, list) or ports is None:
        if not ports and kind != "ExternalName" and address != "None":
            yield required("spec.ports")
        yield from _ports([port for port in ports or () if isinstance(port, dict)], str(kind), protocols)
    yield from label_causes(spec.get("selector"), "spec.selector")
    if kind == "ExternalName":
        yield from _external_name(spec)
    elif isinstance(address, str) and address not in ("", "None") and (wrong := ip_address(address)):
        yield invalid("spec.clusterIP", address, f"{wrong}, or empty, or 'None' for a headless service")
    if address == "None" and kind in ("NodePort", "LoadBalancer"):
        yield invalid("spec.clusterIP", address, f"may not be 'None' for a service of type {kind}")
    affinity = spec.get("sessionAffinity")
    if isinstance(affinity, str) and affinity not in _AFFINITY:
        yield not_supported("spec.sessionAffinity", affinity, _AFFINITY)
    for index, outside in enumerate(spec.get("externalIPs") or ()):
        if isinstance(outside, str) and (wrong := ip_address(outside)):
            yield invalid(f"spec.externalIPs[{index}]", outside, wrong)
    yield from policy_causes(spec)
    config = spec.get("sessionAffinityConfig")
    client = config.get("clientIP") if isinstance(config, dict) else None
    timeout = client.get("timeoutSeconds") if isinstance(client, dict) else None
    if isinstance(timeout, int) and not 0 < timeout <= _LONGEST_AFFINITY_S:
        yield invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", timeout,
                      f"must be between 1 and {_LONGEST_AFFINITY_S}")  # fmt: skip


def _external_name(spec: Json) -> Iterator[Cause]:
    name = spec.get("externalName")
    if not name:
        yield required("spec.externalName", "an ExternalName service needs a DNS name to point to")
    elif isinstance(name, str) and (wrong := dns_subdomain(name.rstrip("."))):
        yield invalid("spec.externalName", name, wrong)
    if spec.get("clusterIP"):
        yield forbidden("spec.clusterIP", "may not be set for ExternalName services")


def _ports(ports: list[Json], kind: str, protocols: list[str]) -> Iterator[Cause]:
    names: set[str] = set()
    numbers: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        path, name, number = f"spec.ports[{index}]", port.get("name"), port.get("port")
        if not name and len(ports) > 1:
            yield required(f"{path}.name", "each port needs a name when there are several")
        if isinstance(name, str) and name:
            if wrong := dns_label(name):
                yield invalid(f"{path}.name", name, wrong)
            elif name in names:
                yield duplicate(f"{path}.name", name)
            names.add(name)
        if isinstance(number, int):
            if wrong := port_number(number):
                yield invalid(f"{path}.port", number, wrong)
            same = (number, port.get("protocol", "TCP"))
            if same in numbers:
                yield duplicate(path, f"{same[0]}/{same[1]}")
            numbers.add(same)
        if "targetPort" in port and port["targetPort"] != number:
            yield from port_reference(f"{path}.targetPort", port["targetPort"])
        if port.get("protocol") in ("UDP", "SCTP") and port["protocol"] not in protocols:
            yield invalid(f"{path}.protocol", port["protocol"], "is not served here; only TCP is")
        elif port.get("protocol") not in protocols:
            yield not_supported(f"{path}.protocol", port.get("protocol"), protocols)
        node_port = port.get("nodePort")
        if isinstance(node_port, int) and node_port:
            if kind not in ("NodePort", "LoadBalancer"):
                yield forbidden(f"{path}.nodePort", f"may not be used when `type` is '{kind}'")
            elif node_port not in NODE_PORTS:
                span = f"{NODE_PORTS.start}-{NODE_PORTS.stop - 1}"
                yield invalid(f"{path}.nodePort", node_port, f"provided port is not in the valid range {span}")
