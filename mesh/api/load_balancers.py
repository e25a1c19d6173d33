"""What kind of load balancer does a Service or an Ingress ask for, and which addresses does it have?

A plain LoadBalancer has one address and hands connections to any node. A network load balancer (NLB) has an address
in every zone that has a subnet, and each sends to the targets of its own zone alone unless it crosses zones.
Source: the annotations of the AWS Load Balancer Controller.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mesh.api.services import Ingress, LoadBalancerIngress, Service

PREFIX = "service.beta.kubernetes.io/aws-load-balancer-"
ZONES = "loopmesh.io/zones"
"""Annotation that says which address of a network load balancer is in which zone: `a=127.20.0.1,b=127.20.1.1`."""

INGRESS_CLASS = "kubernetes.io/ingress.class"
NLB = "nlb"
NLB_CLASSES = frozenset({NLB, "service.k8s.aws/nlb"})
SUFFIX = "elb.loopmesh.internal"
NO_TARGETS = "NoTargets"
"""Error of an address in a zone without targets: nothing listens there."""

_NLB_TYPES = frozenset({"nlb", "external", "nlb-ip"})
_KEPT_SOURCE = "preserve_client_ip.enabled"
_CROSS = "load_balancing.cross_zone.enabled"


@dataclass(frozen=True, slots=True)
class Balancer:
    """What stands before a service.

    nlb: one address a zone.  cross_zone: each address reaches the targets of all zones.
    to_pods: targets are pods, else the nodes' ports.  keeps_source: targets see the client's own address.
    """

    nlb: bool = False
    cross_zone: bool = True
    to_pods: bool = False
    keeps_source: bool = True


def balancer(service: Service) -> Balancer | None:
    """The balancer that a Service asks for; None when it asks for none, or for one of a class nobody here provides."""
    if service.spec.type != "LoadBalancer":
        return None
    wanted = service.spec.load_balancer_class
    notes = service.metadata.annotation_map
    kind = notes.get(f"{PREFIX}type", "")
    if wanted and wanted not in NLB_CLASSES:
        return None
    if not wanted and kind not in _NLB_TYPES:
        return Balancer()
    to_pods = kind == "nlb-ip" or notes.get(f"{PREFIX}nlb-target-type") == "ip"
    kept = attributes(notes, "target-group-attributes").get(_KEPT_SOURCE, "false" if to_pods else "true")
    return Balancer(nlb=True, cross_zone=crosses_zones(notes), to_pods=to_pods, keeps_source=kept == "true")


def is_nlb_ingress(ingress: Ingress) -> bool:
    """Whether an Ingress asks for addresses of its own, one a zone, in front of the gateway."""
    return (ingress.spec.ingress_class_name or ingress.metadata.annotation_map.get(INGRESS_CLASS)) == NLB


def crosses_zones(annotations: Mapping[str, str]) -> bool:
    """Off unless it is asked for, as with an NLB."""
    if annotations.get(f"{PREFIX}cross-zone-load-balancing-enabled") == "true":
        return True
    return attributes(annotations, "attributes").get(_CROSS) == "true"


def attributes(annotations: Mapping[str, str], name: str) -> dict[str, str]:
    """`key=value,key=value` of one annotation."""
    pairs = (pair.partition("=") for pair in annotations.get(PREFIX + name, "").split(","))
    return {key.strip(): value.strip() for key, _, value in pairs if key.strip()}


def hostname(namespace: str, name: str) -> str:
    """The DNS name of a network load balancer."""
    return f"{name}-{namespace}.{SUFFIX}"


def zones_of(annotations: Mapping[str, str]) -> dict[str, str]:
    """Address -> zone, as the annotation `ZONES` says."""
    pairs = (pair.partition("=") for pair in annotations.get(ZONES, "").split(","))
    return {address: zone for zone, equals, address in pairs if equals}


def zones_text(zones: Sequence[tuple[str, str]]) -> str:
    """The annotation for (zone, address) pairs."""
    return ",".join(f"{zone}={address}" for zone, address in zones)


def dark(entry: LoadBalancerIngress) -> bool:
    """Whether an address is shown although nothing answers there."""
    return any(port.error == NO_TARGETS for port in entry.ports or ())
