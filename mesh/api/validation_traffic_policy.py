"""What is wrong with the parts of a Service that say who may come, and who is asked?"""

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Any

from mesh.api.errors import Cause, forbidden, invalid, not_supported

Json = dict[str, Any]
_POLICIES = ["Cluster", "Local"]
_DISTRIBUTIONS = ["PreferClose", "PreferSameZone"]
_BALANCED = ("loadBalancerSourceRanges", "loadBalancerClass", "allocateLoadBalancerNodePorts", "healthCheckNodePort")


def policy_causes(spec: Json) -> Iterator[Cause]:
    """Traffic policies, source ranges, and what belongs to a load balancer alone."""
    kind, external = spec.get("type"), spec.get("externalTrafficPolicy")
    for field, allowed in (
        ("externalTrafficPolicy", _POLICIES),
        ("internalTrafficPolicy", _POLICIES),
        ("trafficDistribution", _DISTRIBUTIONS),
    ):
        value = spec.get(field)
        if isinstance(value, str) and value and value not in allowed:
            yield not_supported(f"spec.{field}", value, allowed)
    if external and kind not in ("NodePort", "LoadBalancer") and not spec.get("externalIPs"):
        yield invalid("spec.externalTrafficPolicy", external, "may only be set for externally-accessible services")
    for field in _BALANCED:
        if spec.get(field) not in (None, "", [], 0) and kind != "LoadBalancer":
            yield forbidden(f"spec.{field}", "may only be used when `type` is 'LoadBalancer'")
    for index, cidr in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        if isinstance(cidr, str) and not _network(cidr):
            wanted = "must be an IPv4 network such as 127.0.0.0/24, without bits behind its prefix"
            yield invalid(f"spec.loadBalancerSourceRanges[{index}]", cidr, wanted)


def _network(text: str) -> bool:
    try:
        IPv4Network(text.strip())
    except ValueError:
        return False
    return "/" in text
