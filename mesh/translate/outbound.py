"""What may a pod call through its sidecar, and where does that go?

The outbound listener is an HTTP proxy that stands for Istio's capture of all traffic, so one table holds every port of
every service: `name:port` in each spelling, bare names for port 80. Ports that do not speak HTTP get the default route
alone. A host outside the table has no virtual host: 404.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from envoy.config.route.v3 import route_components_pb2 as rc
from envoy.config.route.v3 import route_pb2
from google.protobuf import wrappers_pb2

from mesh.translate.clusters import LbEndpoint, cluster, lb_endpoints, load_assignment
from mesh.translate.destination import DestinationView
from mesh.translate.hosts import short_names, with_port
from mesh.translate.memo import Memo
from mesh.translate.routerule import Caller, applies, default_route, service_routes
from mesh.translate.session import keep
from mesh.translate.snapshot import Snapshot
from mesh.translate.targets import Target
from mesh.translate.views import RuleView, ServiceView

ROUTES = "outbound"
VirtualHost = Any
RouteConfiguration = Any
Cluster = Any
ClusterLoadAssignment = Any


@dataclass(frozen=True, slots=True)
class CallerClass:
    """Callers that get the same outbound routes: same namespace, same rules with a source that fit."""

    namespace: str
    fitting: frozenset[str]


def caller_class(snapshot: Snapshot, caller: Caller) -> CallerClass:
    fitting = (rule.route_name for rule in snapshot.sourced if applies(rule, caller))
    return CallerClass(caller.namespace, frozenset(fitting))


def virtual_hosts(snapshot: Snapshot, caller: Caller, memo: Memo | None = None) -> tuple[VirtualHost, ...]:
    """Every host that a caller knows, services by name and then their pods. Memo keys carry the caller's class."""
    memo = Memo() if memo is None else memo
    kind = caller_class(snapshot, caller)
    hosts: list[VirtualHost] = []
    for service in snapshot.services.values():
        rules = [rule for rule in snapshot.rules.get(service.host, ()) if applies(rule, caller)]
        others = [snapshot.services.get(host) for rule in rules for host in rule.hosts]
        spread = balancings(snapshot, service, rules, kind.namespace)
        key = ("outbound", kind.namespace, tuple(rule.route_name for rule in rules), service.host)
        make = partial(_service_hosts, snapshot, service, caller, rules)
        hosts += memo.get(key, (service, *snapshot.aliases.get(service.host, ()), *rules, *others, *spread), make)
    for service in snapshot.services.values():
        if service.headless:
            names = snapshot.hostnames.get(service.host, ())
            make = partial(_pod_hosts, snapshot, service, caller)
            hosts += memo.get(("pods", kind.namespace, service.host), (service, *names), make)
    distinct: tuple[VirtualHost, ...] = memo.get(("distinct", kind), tuple(hosts), lambda: tuple(_distinct(hosts)))
    return distinct


def balancings(
    snapshot: Snapshot, service: ServiceView, rules: Iterable[RuleView], namespace: str
) -> tuple[DestinationView | None, ...]:
    """What callers of a namespace are told about spreading, by a service and then by all that its rules lead to."""
    if not snapshot.destinations.rules:
        return ()
    hosts = (service.host, *(host for rule in rules for host in rule.entry_hosts))
    return tuple(snapshot.balancing(host, namespace) for host in hosts)


def _service_hosts(
    snapshot: Snapshot, service: ServiceView, caller: Caller, rules: list[RuleView]
) -> tuple[VirtualHost, ...]:
    names = list(short_names(service.name, service.namespace, caller.namespace, snapshot.domain))
    for alias in snapshot.aliases.get(service.host, ()):
        names += short_names(alias.name, alias.namespace, caller.namespace, snapshot.domain)
    if service.ip:
        names.append(service.ip)
    hosts = []
    for port in service.ports:
        if port.http:
            routes = keep(service_routes(snapshot, service, port, caller, rules=rules), service.session)
        else:
            spread = snapshot.balancing(service.host, caller.namespace)
            routes = [default_route(Target(service.host, port.number), spread=(spread,))]
        hosts.append(virtual_host(f"{service.host}:{port.number}", with_port(names, port.number), routes))
    return tuple(hosts)


def _pod_hosts(snapshot: Snapshot, service: ServiceView, caller: Caller) -> tuple[VirtualHost, ...]:
    """One pod of a headless service each, by the hostname that DNS gives it."""
    hosts = []
    for hostname in snapshot.hostnames.get(service.host, ()):
        short = f"{hostname}.{service.name}"
        names = list(short_names(short, service.namespace, caller.namespace, snapshot.domain))
        for port in service.ports:
            target = Target(service.host, port.number, pod=hostname)
            name = f"{hostname}.{service.host}:{port.number}"
            hosts.append(virtual_host(name, with_port(names, port.number), [default_route(target)]))
    return tuple(hosts)


def virtual_host(name: str, domains: Iterable[str], routes: list[Any]) -> VirtualHost:
    return rc.VirtualHost(name=name, domains=list(domains), routes=routes, include_request_attempt_count=True)


def _distinct(hosts: list[VirtualHost]) -> Iterator[VirtualHost]:
    """Envoy wants every domain once: the first host keeps it (a service before a pod of the same short name)."""
    taken: set[str] = set()
    for host in hosts:
        domains = list(host.domains)
        left = [domain for domain in domains if domain not in taken]
        taken.update(left)
        if len(left) == len(domains):
            yield host
        elif left:
            copy = rc.VirtualHost()
            copy.CopyFrom(host)
            del copy.domains[:]
            copy.domains.extend(left)
            yield copy


def route_configuration(hosts: tuple[VirtualHost, ...]) -> RouteConfiguration:
    return route_pb2.RouteConfiguration(
        name=ROUTES, virtual_hosts=hosts, validate_clusters=wrappers_pb2.BoolValue(value=True)
    )


def clusters(
    wanted: Iterable[Target], snapshot: Snapshot, memo: Memo | None = None, namespace: str = ""
) -> list[Cluster]:
    """The clusters of some targets, in their order, as callers of a namespace see them; without one, as most do."""
    memo = Memo() if memo is None else memo
    found = []
    for target in wanted:
        service = snapshot.services.get(target.host)
        spread = None if target.pod else snapshot.balancing(target.host, namespace)
        make = partial(cluster, target, service, spread)
        found.append(memo.get(("cluster", namespace, target), (service is None, spread), make))
    return found


def differing(wanted: Iterable[Target], snapshot: Snapshot, namespace: str) -> tuple[Target, ...]:
    """The targets whose clusters are others for callers of a namespace, by rules of its own for foreign hosts."""
    if not snapshot.destinations.rules:
        return ()
    return tuple(
        target
        for target in wanted
        if not target.pod and snapshot.balancing(target.host, namespace) is not snapshot.balancing(target.host)
    )


def endpoints(
    wanted: Iterable[Target], snapshot: Snapshot, memo: Memo | None = None, singles: Memo | None = None
) -> dict[Target, tuple[LbEndpoint, ...]]:
    """The addresses of some targets, in their order.

    singles: remembers single endpoints, which are asked for only where the addresses of a service change; so it must
    not be swept as often as `memo`.
    """
    memo = Memo() if memo is None else memo
    singles = Memo() if singles is None else singles
    found = {}
    for target in wanted:
        service, backends = snapshot.services.get(target.host), snapshot.backends.get(target.host)
        found[target] = memo.get(
            ("endpoints", target), (service, backends), partial(_endpoints, snapshot, target, singles)
        )
    return found


def _endpoints(snapshot: Snapshot, target: Target, singles: Memo) -> tuple[LbEndpoint, ...]:
    return lb_endpoints(target, snapshot.services.get(target.host), snapshot.ready(target.host), singles)


def load_assignments(
    wanted: Iterable[Target], snapshot: Snapshot, memo: Memo | None = None
) -> Iterator[ClusterLoadAssignment]:
    """The same as messages."""
    return (load_assignment(target, found) for target, found in endpoints(wanted, snapshot, memo).items())
