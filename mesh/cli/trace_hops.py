"""What is a hop, a path, and the end of one?"""

from collections.abc import Iterator
from dataclasses import dataclass

from mesh.api.core import Pod
from mesh.cli.trace_facts import Facts, named_object
from mesh.node.addresses import Plan
from mesh.node.host import meshed
from mesh.node.ways import Target

L4, L7 = 4, 7


@dataclass(frozen=True, slots=True)
class Hop:
    """One thing that a connection passes. layer: 4 where it looks at addresses, 7 at requests; None for neither."""

    layer: int | None
    what: str
    name: str
    address: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a connection may end."""

    address: str
    port: int
    pod: str = ""
    node: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Path:
    """The way from one address. why: what stops it; empty when it arrives.  fails_when: what would stop it."""

    address: str
    hops: tuple[Hop, ...]
    endpoints: tuple[Endpoint, ...] = ()
    why: str = ""
    fails_when: tuple[str, ...] = ()

    @property
    def reaches(self) -> bool:
        return not self.why


def endpoint_at(target: Target, facts: Facts, pod: Pod | None = None) -> Endpoint:
    address, port = target
    pod = pod or facts.pod_at(address)
    if pod is None:
        return Endpoint(address, port)
    node = facts.node_named(pod.spec.node_name or "")
    return Endpoint(address, port, named_object(pod), pod.spec.node_name or "", node.zone if node else "")


def last_hops(endpoints: tuple[Endpoint, ...], facts: Facts) -> Iterator[Hop]:
    """The pod, and what stands inside it."""
    pods = [facts.pod_at(endpoint.address) for endpoint in endpoints]
    one = len(endpoints) == 1
    first, pod = endpoints[0], pods[0]
    name = (first.pod or "an address outside the mesh's pods") if one else f"one of {len(endpoints)}"
    yield Hop(L4, "pod" if pod is not None else "endpoint", name, f"{first.address}:{first.port}" if one else "")
    known = [pod for pod in pods if pod is not None]
    if not known:
        return
    if all(meshed(pod) for pod in known):
        yield Hop(
            L7, "sidecar", "its own", f"{first.address}:{first.port}" if one else "", ("counts and logs requests",)
        )
        inner = f"{Plan().app_of(first.address)}:{first.port}" if one else ""
        yield Hop(L7, "application", "", inner)
    elif not any(meshed(pod) for pod in known):
        yield Hop(L7, "application", "", f"{first.address}:{first.port}" if one else "", ("no sidecar",))
    else:
        yield Hop(L7, "application", "", "", ("some behind a sidecar, some without",))
