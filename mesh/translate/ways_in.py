"""Where do people come in, and to which Ingresses does that lead?

One address for people serves the Ingresses of every class that the gateway knows; Ingresses of class `nlb` have
addresses of their own, which stand in their status. Each address has a plain way in, and a TLS one where some
certificate is there. An Ingress of a class that somebody else provides is left alone.
"""

from dataclasses import dataclass

from mesh.api.ingress_classes import is_served
from mesh.api.load_balancers import NLB
from mesh.translate.snapshot import Snapshot
from mesh.translate.views import IngressView, SecretView

ROUTES = "ingress"
HTTP_PORT, HTTPS_PORT = 80, 443
"""Ports of a network load balancer."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Shown to clients that ask for one of these names; without names, to everybody else."""

    names: tuple[str, ...]
    secret: SecretView


@dataclass(frozen=True, slots=True, kw_only=True)
class WayIn:
    """One listener. certificates: none for plain HTTP. https_port: where redirecting Ingresses send plain requests."""

    address: str
    port: int
    routes: str
    ingresses: tuple[IngressView, ...]
    certificates: tuple[Certificate, ...] = ()
    https_port: int | None = None


def for_people(snapshot: Snapshot) -> tuple[IngressView, ...]:
    """The Ingresses that are served at the address for people, oldest first."""
    return tuple(each for each in snapshot.ingresses if is_served(each.class_name, snapshot.classes))


def served(snapshot: Snapshot) -> tuple[IngressView, ...]:
    """Every Ingress that is served somewhere, oldest first."""
    return tuple(
        each for each in snapshot.ingresses if each.class_name == NLB or is_served(each.class_name, snapshot.classes)
    )


def ways_in(snapshot: Snapshot, address: str, port: int, https_port: int = 0) -> tuple[WayIn, ...]:
    """Every listener of the gateway: those for people, then the others by address. https_port: 0: no TLS for people."""
    found = _pair(snapshot, address, (port, https_port), ROUTES, for_people(snapshot))
    own: dict[tuple[str, tuple[int, ...]], list[IngressView]] = {}
    for ingress in snapshot.ingresses:
        if ingress.class_name == NLB:
            for place in ingress.addresses:
                own.setdefault(place, []).append(ingress)
    for (ip, ports), ingresses in sorted(own.items()):
        name = f"{ROUTES}|{','.join(each.key_text for each in ingresses)}"
        both = (HTTP_PORT if HTTP_PORT in ports else 0, HTTPS_PORT if HTTPS_PORT in ports else 0)
        found += _pair(snapshot, ip, both, name, tuple(ingresses))
    return tuple(found)


def _pair(
    snapshot: Snapshot, address: str, ports: tuple[int, int], routes: str, ingresses: tuple[IngressView, ...]
) -> list[WayIn]:
    """The plain way in and the one with TLS; a port of 0: none. Both have the same routes, unless some redirect."""
    port, https_port = ports
    certificates = certificates_of(snapshot, ingresses) if https_port else ()
    redirects = bool(port and certificates) and any(each.redirects for each in ingresses)
    found = []
    if port:
        there = https_port if redirects else None
        found.append(WayIn(address=address, port=port, routes=routes, ingresses=ingresses, https_port=there))
    if certificates:
        name = f"{routes}|tls" if redirects else routes
        found.append(
            WayIn(address=address, port=https_port, routes=name, ingresses=ingresses, certificates=certificates)
        )
    return found


def certificates_of(snapshot: Snapshot, ingresses: tuple[IngressView, ...]) -> tuple[Certificate, ...]:
    """The certificates of some Ingresses; a name belongs to the oldest that has a certificate for it."""
    taken: set[str] = set()
    found = []
    for ingress in ingresses:
        for entry in ingress.spec.tls or ():
            secret = snapshot.secrets.get((ingress.namespace, entry.secret_name or ""))
            if secret is None:
                continue
            wanted = dict.fromkeys(host.lower() for host in entry.hosts or ("",))
            names = tuple(name for name in wanted if name not in taken)
            taken.update(names)
            if names:
                found.append(Certificate(names if names != ("",) else (), secret))
    return tuple(found)


def secured(ingress: IngressView, host: str, certificates: tuple[Certificate, ...]) -> bool:
    """Whether requests for a host of this Ingress can come in by TLS."""
    wanted = [name.lower() for entry in ingress.spec.tls or () for name in entry.hosts or ("",)]
    names = [name for each in certificates for name in each.names or ("",)]
    return any(_covers(name, host) for name in wanted) and any(_covers(name, host) for name in names)


def _covers(name: str, host: str) -> bool:
    """Whether a name of a certificate stands for a host; empty: for every one."""
    return name in ("", host) or (name.startswith("*.") and host.endswith(name[1:]) and host != name[1:])
