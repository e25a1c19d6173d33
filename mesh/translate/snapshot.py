"""What does the API hold, arranged for translation?

`World` takes objects one at a time and keeps their views; `World.snapshot()` freezes it. A view that did not change
stays the same object from snapshot to snapshot, so whoever derived something from it can keep that too. Cost of a
change: the views it touches, and a shallow copy of the indexes.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from mesh.api.config import Secret
from mesh.api.core import Pod
from mesh.api.destination import DestinationRule
from mesh.api.meta import Object
from mesh.api.services import EndpointSlice, Ingress, IngressClass, Service
from mesh.api.traffic import RouteRule
from mesh.translate.aliases import aliases
from mesh.translate.destination import Destinations, DestinationView, destination_view
from mesh.translate.hosts import DOMAIN, service_host
from mesh.translate.membership import Membership
from mesh.translate.views import (
    Backend,
    IngressView,
    PodView,
    RuleView,
    SecretView,
    ServiceView,
    SliceView,
    ingress_view,
    pod_view,
    rule_view,
    secret_view,
    service_view,
    slice_view,
)

Key = tuple[str, str]
MOST_NAMELESS = 100
"""Pods without a hostname that sidecars know by name, of one headless service: their names change with every pod, and
the routes of all sidecars with them."""
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One state of the world. Every mapping and tuple is in a stable order; nobody changes them."""

    domain: str
    services: Mapping[str, ServiceView]
    """By host, ascending."""
    backends: Mapping[str, tuple[Backend, ...]]
    """By host; every address, ready or not."""
    hostnames: Mapping[str, tuple[str, ...]]
    """By host of a headless service: the names of its single pods."""
    rules: Mapping[str, tuple[RuleView, ...]]
    """By resolved destination host, in the order in which they are tried."""
    sourced: tuple[RuleView, ...]
    """Those of the rules that name a source."""
    ingresses: tuple[IngressView, ...]
    pods: Mapping[str, PodView]
    """By address."""
    membership: Membership
    destinations: Destinations
    aliases: Mapping[str, tuple[ServiceView, ...]]
    """By host: the services of type ExternalName that stand for it."""
    classes: Mapping[str, str]
    """The controller of each IngressClass."""
    secrets: Mapping[Key, SecretView]
    """The certificates that the process has been told of."""

    def routes_like(self, other: "Snapshot") -> bool:
        """Whether routes and clusters are the same as in the other snapshot: only addresses or pods changed."""
        return (
            self.services is other.services
            and self.rules is other.rules
            and self.ingresses is other.ingresses
            and self.hostnames is other.hostnames
            and self.destinations is other.destinations
            and self.classes is other.classes
            and self.secrets is other.secrets
        )

    def service(self, name: str, namespace: str) -> ServiceView | None:
        return self.services.get(service_host(name, namespace, self.domain))

    def ready(self, host: str) -> tuple[Backend, ...]:
        """The addresses that take traffic."""
        service = self.services.get(host)
        backends = self.backends.get(host, ())
        if service is not None and service.publish_not_ready:
            return backends
        return tuple(backend for backend in backends if backend.ready)

    def balancing(self, host: str, caller_namespace: str = "") -> DestinationView | None:
        """How a caller's requests to a host are spread; None: nobody says."""
        if not self.destinations.rules:
            return None
        service = self.services.get(host)
        namespace = service.namespace if service else host.split(".")[1] if "." in host else ""
        return self.destinations.of(host, namespace, caller_namespace)

    def instances(self, pod: PodView) -> tuple[ServiceView, ...]:
        """The services that a pod belongs to."""
        return self.membership.of(pod, self.backends)

    def kin(self, pod: PodView) -> tuple[ServiceView, ...]:
        """The services that select a pod, or might tomorrow: see `Membership.kin`."""
        return self.membership.kin(pod)


class World:
    """The mutable index behind snapshots. Not thread-safe; every method is quick and synchronous."""

    def __init__(self, domain: str = DOMAIN) -> None:
        self.domain = domain
        self._services: dict[Key, ServiceView] = {}
        self._slices: dict[Key, dict[Key, SliceView]] = defaultdict(dict)
        self._slice_owner: dict[Key, Key] = {}
        self._pods: dict[Key, PodView] = {}
        self._by_ip: dict[str, PodView] = {}
        self._users: dict[str, set[Key]] = defaultdict(set)
        """Services by the addresses that their slices list."""
        self._rules: dict[Key, RuleView] = {}
        self._ingresses: dict[Key, IngressView] = {}
        self._backends: dict[Key, tuple[Backend, ...]] = {}
        self._stale: set[Key] = set()
        self._sorted_services: dict[str, ServiceView] | None = None
        self._sorted_rules: dict[str, tuple[RuleView, ...]] | None = None
        self._sorted_ingresses: tuple[IngressView, ...] | None = None
        self._membership = Membership(())
        self._aliases: dict[str, tuple[ServiceView, ...]] = {}
        self._destinations: dict[Key, DestinationView] = {}
        self._indexed_destinations: Destinations | None = Destinations()
        self._hostnames: dict[str, tuple[str, ...]] = {}
        self._classes: dict[str, str] = {}
        self._secrets: dict[Key, SecretView] = {}
        self._snapshot: Snapshot | None = None

    def put(self, obj: Object) -> bool:
        """Take in a new or changed object; True when a view changed. Other kinds are ignored."""
        if isinstance(obj, Service):
            return self._set_service(obj.key, service_view(obj, self.domain))
        if isinstance(obj, EndpointSlice):
            return self._put_slice(obj.key, slice_view(obj))
        if isinstance(obj, Pod):
            return self._put_pod(obj)
        if isinstance(obj, RouteRule):
            return self._set_rule(obj.key, rule_view(obj, self.domain))
        if isinstance(obj, Ingress):
            return self._set_ingress(obj.key, ingress_view(obj))
        if isinstance(obj, DestinationRule):
            return self._set_destination(obj.key, destination_view(obj, self.domain))
        if isinstance(obj, IngressClass):
            return self._set_class(obj.name, obj.spec.controller or "")
        if isinstance(obj, Secret):
            return self._set_secret(obj.key, secret_view(obj))
        return False

    def remove(self, obj: Object) -> bool:
        """Forget an object; True when it was known."""
        if isinstance(obj, Service):
            return self._set_service(obj.key, None)
        if isinstance(obj, EndpointSlice):
            return self._drop_slice(obj.key)
        if isinstance(obj, Pod):
            return self._set_pod(obj.key, None)
        if isinstance(obj, RouteRule):
            return self._set_rule(obj.key, None)
        if isinstance(obj, Ingress):
            return self._set_ingress(obj.key, None)
        if isinstance(obj, DestinationRule):
            return self._set_destination(obj.key, None)
        if isinstance(obj, IngressClass):
            return self._set_class(obj.name, None)
        if isinstance(obj, Secret):
            return self._set_secret(obj.key, None)
        return False

    def snapshot(self) -> Snapshot:
        """The present state; the same object as before when nothing changed."""
        if self._snapshot is None:
            for key in self._stale:
                self._join(key)
            self._stale.clear()
            services, rules = self._services_by_host(), self._rules_by_host()
            if self._indexed_destinations is None:
                self._indexed_destinations = Destinations(self._destinations.values())
            if self._sorted_ingresses is None:
                self._sorted_ingresses = tuple(sorted(self._ingresses.values(), key=lambda ingress: ingress.order))
            self._snapshot = Snapshot(
                domain=self.domain,
                services=services,
                backends={
                    service_host(name, namespace, self.domain): found
                    for (namespace, name), found in self._backends.items()
                },
                hostnames=self._hostnames,
                rules=rules,
                sourced=tuple(rule for group in rules.values() for rule in group if rule.source_host),
                ingresses=self._sorted_ingresses,
                pods=dict(self._by_ip),
                membership=self._membership,
                destinations=self._indexed_destinations,
                aliases=self._aliases,
                classes=self._classes,
                secrets=self._secrets,
            )
        return self._snapshot

    def _services_by_host(self) -> dict[str, ServiceView]:
        if self._sorted_services is None:
            services = sorted(self._services.values(), key=lambda service: service.host)
            self._sorted_services = {service.host: service for service in services}
            self._membership = Membership(services)
            self._aliases = aliases(self._sorted_services)
        return self._sorted_services

    def _rules_by_host(self) -> dict[str, tuple[RuleView, ...]]:
        if self._sorted_rules is None:
            found: dict[str, list[RuleView]] = defaultdict(list)
            for rule in self._rules.values():
                found[rule.host].append(rule)
            self._sorted_rules = {
                host: tuple(sorted(found[host], key=lambda rule: rule.order)) for host in sorted(found)
            }
        return self._sorted_rules

    def _changed(self, index: dict[K, V], key: K, view: V | None) -> bool:
        if index.get(key) == view:
            return False
        if view is None:
            del index[key]
        else:
            index[key] = view
        self._snapshot = None
        return True

    def _set_service(self, key: Key, view: ServiceView | None) -> bool:
        old = self._services.get(key)
        changed = self._changed(self._services, key, view)
        if changed:
            self._sorted_services = None
            if (old is not None and old.headless) != (view is not None and view.headless):
                self._stale.add(key)  # whether its pods have names
        return changed

    def _set_rule(self, key: Key, view: RuleView | None) -> bool:
        changed = self._changed(self._rules, key, view)
        if changed:
            self._sorted_rules = None
        return changed

    def _set_ingress(self, key: Key, view: IngressView | None) -> bool:
        changed = self._changed(self._ingresses, key, view)
        if changed:
            self._sorted_ingresses = None
        return changed

    def _set_destination(self, key: Key, view: DestinationView | None) -> bool:
        changed = self._changed(self._destinations, key, view)
        if changed:
            self._indexed_destinations = None
        return changed

    def _set_class(self, name: str, controller: str | None) -> bool:
        others = dict(self._classes)
        changed = self._changed(others, name, controller)
        if changed:
            self._classes = others
        return changed

    def _set_secret(self, key: Key, view: SecretView | None) -> bool:
        others = dict(self._secrets)
        changed = self._changed(others, key, view)
        if changed:
            self._secrets = others
        return changed

    def _put_pod(self, pod: Pod) -> bool:
        # A finished pod keeps its address in its status, though another one may have it by now.
        gone = pod.status.phase in ("Succeeded", "Failed")
        return self._set_pod(pod.key, None if gone else pod_view(pod))

    def _set_pod(self, key: Key, view: PodView | None) -> bool:
        old = self._pods.get(key)
        if not self._changed(self._pods, key, view):
            return False
        for pod in (old, view):
            if pod is not None and pod.ip:
                self._stale |= self._users.get(pod.ip, set())
        if old is not None and self._by_ip.get(old.ip) == old:
            del self._by_ip[old.ip]
        if view is not None and view.ip:
            self._by_ip[view.ip] = view
        return True

    def _put_slice(self, key: Key, view: SliceView) -> bool:
        service = (view.namespace, view.service)
        if self._slices[service].get(key) == view:
            return False
        self._drop_slice(key)
        self._slices[service][key] = view
        self._slice_owner[key] = service
        for backend in view.backends:
            self._users[backend.address].add(service)
        self._stale.add(service)
        self._snapshot = None
        return True

    def _drop_slice(self, key: Key) -> bool:
        service = self._slice_owner.pop(key, None)
        if service is None:
            return False
        old = self._slices[service].pop(key)
        left = {backend.address for view in self._slices[service].values() for backend in view.backends}
        for address in {backend.address for backend in old.backends} - left:
            self._users[address].discard(service)
            if not self._users[address]:
                del self._users[address]
        self._stale.add(service)
        self._snapshot = None
        return True

    def _join(self, service: Key) -> None:
        """Put slices and pods of one service together, addresses ascending."""
        found: dict[str, Backend] = {}
        for _, view in sorted(self._slices[service].items()):
            for item in view.backends:
                pod = self._pods.get((view.namespace, item.pod)) if item.pod else None
                ports = dict(item.ports)
                known = found.get(item.address)
                if known is not None:
                    ports, ready = {**known.ports, **ports}, known.ready or item.ready
                else:
                    ready = item.ready
                found[item.address] = Backend(
                    address=item.address,
                    hostname=item.hostname,
                    ready=ready,
                    ports=ports,
                    pod=pod or self._by_ip.get(item.address),
                )
        backends = tuple(found[address] for address in sorted(found, key=_by_number))
        if not self._slices[service]:
            del self._slices[service]
            self._backends.pop(service, None)
        elif self._backends.get(service) != backends:
            self._backends[service] = backends
        known_service = self._services.get(service)
        headless = known_service is not None and known_service.headless
        self._name(service_host(service[1], service[0], self.domain), backends if headless else ())

    def _name(self, host: str, backends: tuple[Backend, ...]) -> None:
        """Note the names of a headless service's pods; the mapping stays the same object while none changes."""
        nameless = sum(not backend.hostname for backend in backends)
        names = tuple(sorted({b.label for b in backends if b.hostname or nameless <= MOST_NAMELESS}))
        if names != self._hostnames.get(host, ()):
            others = {known: found for known, found in self._hostnames.items() if known != host}
            self._hostnames = {**others, host: names} if names else others


def _by_number(address: str) -> tuple[list[int], str]:
    try:
        return [int(part) for part in address.split(".")], ""
    except ValueError:
        return [], address


def build(objects: Iterable[Object], domain: str = DOMAIN) -> Snapshot:
    """The snapshot of some objects, at once."""
    world = World(domain)
    for obj in objects:
        world.put(obj)
    return world.snapshot()
