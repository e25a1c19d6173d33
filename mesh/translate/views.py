"""What of an object does translation read?

Each view is the small, comparable part of an API object: a change that leaves the view equal (a status, an
annotation, a resourceVersion) changes no configuration.
"""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field

from mesh.api.config import Secret
from mesh.api.core import Pod
from mesh.api.ingress_classes import class_of
from mesh.api.load_balancers import is_nlb_ingress
from mesh.api.meta import Object
from mesh.api.services import EndpointSlice, Ingress, IngressSpec, Service, ServicePort
from mesh.api.traffic import IstioService, RouteRule, RouteRuleSpec
from mesh.translate import session
from mesh.translate.hosts import resolve, service_host
from mesh.translate.session import SessionCookie

TLS_TYPE = "kubernetes.io/tls"
"""The type of Secrets that hold a certificate."""
REDIRECTS = (f"{session.NGINX}ssl-redirect", f"{session.NGINX}force-ssl-redirect")
"""Annotations that send plain requests to TLS."""
_HTTP_PREFIXES = ("http", "http2", "grpc")
_HTTP_PROTOCOLS = ("http", "http2", "grpc", "grpc-web", "kubernetes.io/h2c", "kubernetes.io/ws")
_KNOWN_OTHERWISE = frozenset({25, 53, 2181, 3306, 5432, 5672, 6379, 9042, 9092, 11211, 27017})
"""Mail, DNS, ZooKeeper, MySQL, PostgreSQL, AMQP, Redis, Cassandra, Kafka, memcached and MongoDB. Istio looks at the
first bytes of a port that has no name; here its number says as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortView:
    """One TCP port of a service. http: rules apply to it."""

    name: str
    number: int
    http: bool
    target: int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    namespace: str
    name: str
    host: str
    ip: str
    """The ClusterIP; empty when it has none."""
    headless: bool
    ports: tuple[PortView, ...]
    selector: Mapping[str, str]
    publish_not_ready: bool
    session: SessionCookie | None = None
    """The cookie that keeps clients with a pod; None: nobody asks for it."""
    external_name: str = ""
    """Of a service of type ExternalName: the host that it points to, lower case."""

    def port(self, number: int) -> PortView | None:
        return next((port for port in self.ports if port.number == number), None)

    def port_named(self, name: str) -> PortView | None:
        return next((port for port in self.ports if port.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodView:
    namespace: str
    name: str
    ip: str
    node: str
    labels: Mapping[str, str]
    workload: str
    ports: tuple[tuple[str, int], ...]
    """(name, number) of every TCP container port."""
    stateful: bool = False
    """Whether a StatefulSet keeps its name: a pod of the same name comes after it."""

    @property
    def app(self) -> str:
        return self.labels.get("app", "")

    @property
    def version(self) -> str:
        return self.labels.get("version", "")

    @property
    def canonical_name(self) -> str:
        """What Istio calls the canonical service."""
        return _first(self.labels, "service.istio.io/canonical-name", "app.kubernetes.io/name", "app") or self.workload

    @property
    def canonical_revision(self) -> str:
        """What Istio calls the canonical revision."""
        return (
            _first(self.labels, "service.istio.io/canonical-revision", "app.kubernetes.io/version", "version")
            or "latest"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One address behind a service. ports: number by the service port's name."""

    address: str
    hostname: str
    ready: bool
    ports: Mapping[str, int]
    pod: PodView | None

    @property
    def label(self) -> str:
        """What DNS calls it below a headless service."""
        return self.hostname or self.address.replace(".", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleView:
    namespace: str
    name: str
    host: str
    """The service it is for."""
    entry_hosts: tuple[str, ...]
    """Where each entry of its route sends, in order."""
    mirror_host: str
    """Empty without a mirror."""
    source_host: str
    """Empty when every caller is meant."""
    spec: RouteRuleSpec

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host it sends to."""
        return (*self.entry_hosts, self.mirror_host) if self.mirror_host else self.entry_hosts

    @property
    def order(self) -> tuple[int, str]:
        """Sorts rules as they are tried: precedence down, then the object key byte by byte."""
        return (-self.spec.precedence, f"route-rule/{self.namespace}/{self.name}")

    @property
    def route_name(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressView:
    namespace: str
    name: str
    created: str
    spec: IngressSpec = field(repr=False)
    annotations: Mapping[str, str]
    """Those of the nginx controller."""
    session: SessionCookie | None = None
    """The cookie that keeps clients with a pod; None: nobody asks for it."""
    class_name: str = ""
    """Empty: of no class."""
    addresses: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """(address, ports) of its own load balancer, where something answers."""
    redirects: bool = False
    """Whether plain requests are sent to TLS."""

    @property
    def order(self) -> tuple[str, str, str]:
        """Oldest first, then by name."""
        return (self.created, self.namespace, self.name)

    @property
    def key_text(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretView:
    """A certificate chain and its key, both PEM."""

    namespace: str
    name: str
    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceView:
    """One EndpointSlice: what it says about one service."""

    namespace: str
    service: str
    backends: tuple["SliceBackend", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceBackend:
    address: str
    hostname: str
    ready: bool
    pod: str
    ports: tuple[tuple[str, int], ...]


def is_http(port: ServicePort) -> bool:
    """Whether a service port speaks HTTP: appProtocol decides, else the name's prefix, else the number."""
    if port.app_protocol:
        return port.app_protocol.lower() in _HTTP_PROTOCOLS
    if port.name:
        return names_http(port.name)
    return not {port.port, port.target_port} & _KNOWN_OTHERWISE


def names_http(name: str) -> bool:
    """Whether a port's name says that it speaks HTTP: `http`, `http-web`, `http2`, `grpc-x`."""
    return name.lower().split("-", 1)[0] in _HTTP_PREFIXES


def service_view(service: Service, domain: str) -> ServiceView:
    spec = service.spec
    return ServiceView(
        namespace=service.namespace,
        name=service.name,
        host=service_host(service.name, service.namespace, domain),
        ip="" if spec.cluster_ip in (None, "None") else spec.cluster_ip or "",
        headless=service.headless,
        ports=tuple(
            PortView(
                name=port.name or "", number=port.port, http=is_http(port), target=_or(port.target_port, port.port)
            )
            for port in spec.ports or ()
            if port.protocol == "TCP" and spec.type != "ExternalName"
        ),
        selector=dict(spec.selector or {}),
        publish_not_ready=bool(spec.publish_not_ready_addresses),
        session=session.of_label(service.metadata.label_map),
        external_name=(spec.external_name or "").lower().rstrip(".") if spec.type == "ExternalName" else "",
    )


def pod_view(pod: Pod) -> PodView:
    owner = pod.metadata.controller
    return PodView(
        namespace=pod.namespace,
        name=pod.name,
        ip=pod.status.pod_ip or "",
        node=pod.spec.node_name or "",
        labels=dict(pod.metadata.label_map),
        workload=_workload(pod),
        ports=tuple(
            (port.name or "", port.container_port)
            for container in pod.spec.containers
            for port in container.ports or ()
            if port.protocol == "TCP"
        ),
        stateful=owner is not None and owner.kind == "StatefulSet",
    )


def _workload(pod: Object) -> str:
    """The Deployment behind a pod's ReplicaSet, else its controller, else the pod itself."""
    owner = pod.metadata.controller
    if owner is None:
        return pod.name
    suffix = f"-{pod.metadata.label_map.get('pod-template-hash', '')}"
    if owner.kind == "ReplicaSet" and len(suffix) > 1 and owner.name.endswith(suffix):
        return owner.name.removesuffix(suffix)
    return owner.name


def rule_view(rule: RouteRule, domain: str) -> RuleView:
    spec, source = rule.spec, rule.spec.match.source if rule.spec.match else None

    def host(service: IstioService | None, default: str = "") -> str:
        return resolve(service, rule.namespace, domain) if service else default

    own = host(spec.destination)
    return RuleView(
        namespace=rule.namespace,
        name=rule.name,
        host=own,
        entry_hosts=tuple(host(entry.destination, own) for entry in spec.route or ()),
        mirror_host=host(spec.mirror),
        source_host=host(source),
        spec=spec,
    )


def ingress_view(ingress: Ingress) -> IngressView:
    noted = ingress.metadata.annotation_map
    annotations = {key: noted[key] for key in sorted(noted) if key.startswith(session.NGINX)}
    return IngressView(
        namespace=ingress.namespace,
        name=ingress.name,
        created=ingress.metadata.creation_timestamp or "",
        spec=ingress.spec,
        annotations=annotations,
        session=session.of_annotations(annotations),
        class_name=class_of(ingress),
        addresses=_addresses(ingress) if is_nlb_ingress(ingress) else (),
        redirects=any(annotations.get(name) == "true" for name in REDIRECTS),
    )


def _addresses(ingress: Ingress) -> tuple[tuple[str, tuple[int, ...]], ...]:
    entries = ingress.status.load_balancer.ingress or ()
    found = ((entry.ip, tuple(port.port for port in entry.ports or () if not port.error)) for entry in entries)
    return tuple((ip, ports) for ip, ports in found if ip and ports)


def secret_view(secret: Secret) -> SecretView | None:
    """The certificate in a Secret of the type for it; None: there is none."""
    data = secret.data or {}
    if secret.type != TLS_TYPE or not (data.get("tls.crt") and data.get("tls.key")):
        return None
    try:
        chain, key = (b64decode(data[name], validate=True) for name in ("tls.crt", "tls.key"))
    except ValueError:
        return None
    return SecretView(namespace=secret.namespace, name=secret.name, chain=chain, key=key)


def slice_view(slice_: EndpointSlice) -> SliceView:
    ports = tuple((port.name or "", port.port) for port in slice_.ports or () if port.port and port.protocol == "TCP")
    return SliceView(
        namespace=slice_.namespace,
        service=slice_.service_name,
        backends=tuple(
            SliceBackend(
                address=endpoint.addresses[0],
                hostname=endpoint.hostname or "",
                ready=endpoint.conditions.ready is not False,
                pod=endpoint.target_ref.name or "" if endpoint.target_ref else "",
                ports=ports,
            )
            for endpoint in slice_.endpoints
            if endpoint.addresses and slice_.address_type == "IPv4"
        ),
    )


def _or(value: int | str | None, default: int) -> int | str:
    return default if value is None or value == "" else value


def _first(labels: Mapping[str, str], *keys: str) -> str:
    return next((labels[key] for key in keys if labels.get(key)), "")
