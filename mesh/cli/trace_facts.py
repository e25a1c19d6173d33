"""What does a trace know of the mesh, and which addresses does a name stand for?

Everything comes from API objects, none of it from a socket: a trace says what is decided, `curl` shows it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from urllib.parse import urlsplit

from mesh.api.core import Node, Pod
from mesh.api.load_balancers import is_nlb_ingress
from mesh.api.meta import Object
from mesh.api.services import EndpointSlice, Ingress, Service
from mesh.api.traffic import RouteRule
from mesh.cli.errors import UserError
from mesh.node.ways import Binding, NodeFact, Target, Way, node_fact, ways

ZONE = "svc.cluster.local"
MOST_ALIASES = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """A target as a person writes it. port: None where none is said."""

    text: str
    host: str
    port: int | None
    path: str = "/"
    is_url: bool = False


def parse(text: str) -> Asked:
    """`127.18.0.1:30080`, `http://shop.test/cart`, `my-app`, `my-app.default:80`. Raises UserError."""
    url = text if "://" in text else f"//{text}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise UserError(f"{text}: {error}") from None
    if not host or parts.scheme not in ("", "http", "https"):
        raise UserError(f"{text}: an ADDRESS[:PORT], a URL, a service or a DNS name is wanted")
    if port is None and parts.scheme:
        port = 443 if parts.scheme == "https" else 80
    return Asked(text, host, port, parts.path or "/", bool(parts.scheme))


def is_address(host: str) -> bool:
    try:
        IPv4Address(host)
    except AddressValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Named:
    """What a name stands for. says: how it was found.  wrong: why it stands for nothing."""

    addresses: tuple[str, ...] = ()
    says: str = ""
    wrong: str = ""
    service: Service | None = None


@dataclass(slots=True, kw_only=True)
class Facts:
    """One moment of the mesh.

    more: what else the gateway reads: classes of Ingresses, certificates.
    gateway: where people meet it.  https_port: where they meet it with TLS, 0 for nowhere.
    others: further listeners, by address and port.  refused: service addresses that cannot be bound, and why.
    """

    services: list[Service] = field(default_factory=list)
    slices: list[EndpointSlice] = field(default_factory=list)
    node_objects: list[Node] = field(default_factory=list)
    pods: list[Pod] = field(default_factory=list)
    ingresses: list[Ingress] = field(default_factory=list)
    rules: list[RouteRule] = field(default_factory=list)
    more: list[Object] = field(default_factory=list)
    gateway: Target = ("127.0.0.1", 8080)
    https_port: int = 0
    others: Mapping[Target, str] = field(default_factory=dict)
    refused: Mapping[Target, str] = field(default_factory=dict)
    _ways: dict[Binding, Way] | None = None

    @property
    def nodes(self) -> list[NodeFact]:
        return [fact for node in self.node_objects if (fact := node_fact(node)) is not None]

    def slices_of(self, service: Service) -> list[EndpointSlice]:
        return [one for one in self.slices if one.namespace == service.namespace and one.service_name == service.name]

    def ways(self) -> dict[Binding, Way]:
        """Every way into every service, as kube-proxy has them."""
        if self._ways is None:
            self._ways = {}
            for service in self.services:
                self._ways |= ways(service, self.slices_of(service), self.nodes)
        return self._ways

    def service(self, namespace: str, name: str) -> Service | None:
        return next((s for s in self.services if s.key == (namespace, name)), None)

    def pod_at(self, address: str) -> Pod | None:
        return next((pod for pod in self.pods if pod.status.pod_ip == address), None)

    def node_named(self, name: str) -> NodeFact | None:
        return next((node for node in self.nodes if node.name == name), None)

    def of_nlb(self, address: str) -> list[Ingress]:
        """The Ingresses that are served at an address of their own."""
        found = (one for one in self.ingresses if is_nlb_ingress(one))
        return [one for one in found if any(e.ip == address for e in one.status.load_balancer.ingress or ())]

    def named(self, name: str, steps: int = MOST_ALIASES) -> Named:
        """What DNS, or the search list of a pod in `default`, makes of a name."""
        name = name.lower().rstrip(".")
        balanced = self._balancer(name)
        if balanced:
            return Named(balanced, "name of a load balancer: " + _count(len(balanced), "address", "addresses"))
        labels = name.removesuffix("." + ZONE).removesuffix(".svc").split(".")
        service = self.service(labels[1] if len(labels) == 2 else "default", labels[0]) if len(labels) <= 2 else None
        if service is not None:
            return self._service(service, steps)
        if len(labels) == 3 and (owner := self.service(labels[2], labels[1])) is not None:
            own = tuple(_members(self.slices_of(owner), labels[0]))
            return Named(
                own, f"one pod of the headless service {labels[1]}", "" if own else f"no pod {labels[0]} in it"
            )
        if any(_fits(rule.host, name) for one in self.ingresses for rule in one.spec.rules or ()):
            return Named((self.gateway[0],), "no name in DNS, but an Ingress has this host: send it to the gateway")
        return Named(wrong="no service, pod, load balancer or Ingress has this name")

    def _balancer(self, name: str) -> tuple[str, ...]:
        objects: Iterable[Service | Ingress] = (*self.services, *self.ingresses)
        entries = (entry for one in objects for entry in one.status.load_balancer.ingress or ())
        return tuple(entry.ip for entry in entries if entry.ip and entry.hostname == name)

    def _service(self, service: Service, steps: int) -> Named:
        if service.spec.type == "ExternalName":
            target = (service.spec.external_name or "").rstrip(".")
            if not steps:
                return Named(wrong="the aliases (CNAME) go round in a circle", service=service)
            inner = self.named(target, steps - 1)
            wrong = inner.wrong and (inner.wrong if "circle" in inner.wrong else f"{target} is outside the mesh")
            return Named(inner.addresses, f"alias (CNAME) of {target}", wrong, service)
        if service.headless:
            pods = tuple(_members(self.slices_of(service), "", everyone=bool(service.spec.publish_not_ready_addresses)))
            says = f"headless: {_count(len(pods), 'ready pod', 'ready pods')}, a record each"
            return Named(
                pods, says, "" if pods else "headless, and no pod of it is ready: the name does not exist", service
            )
        if not service.spec.cluster_ip:
            return Named(wrong="the service has no cluster IP yet", service=service)
        return Named((service.spec.cluster_ip,), "the service's cluster IP", service=service)


def _members(slices: Iterable[EndpointSlice], hostname: str, *, everyone: bool = False) -> Iterable[str]:
    found = {
        address
        for piece in slices
        for endpoint in piece.endpoints
        if (everyone or endpoint.conditions.ready is not False)
        for address in endpoint.addresses
        if not hostname or hostname in ((endpoint.hostname or "").lower(), address.replace(".", "-"))
    }
    return sorted(found)


def _fits(rule: str | None, name: str) -> bool:
    host = (rule or "").lower()
    return bool(host) and (host == name or (host.startswith("*.") and name.endswith(host[1:])))


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def named_object(obj: Object) -> str:
    return f"{obj.metadata.namespace or 'default'}/{obj.metadata.name}"
