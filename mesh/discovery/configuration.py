"""What is in force, given the objects seen so far?

Synchronous from end to end: objects go in one at a time, `refresh` freezes them, and then every proxy is asked for
(see `proxies`). An object that can not be executed is refused on the way in, and its last good version stays, so a
refresh never fails because of one rule.
"""

from collections.abc import Mapping
from typing import Any

from mesh.api.core import Pod
from mesh.api.meta import Object
from mesh.discovery.checks import Problem, problem_of
from mesh.discovery.compiled import Compiled, endpoint
from mesh.discovery.tables import Endpoints
from mesh.metrics.registry import Workload
from mesh.routing.route_table import RouteTable
from mesh.routing.spec import ClusterSpec
from mesh.translate import gateway, outbound
from mesh.translate.clusters import CLUSTER_ID
from mesh.translate.hosts import DOMAIN
from mesh.translate.memo import Memo
from mesh.translate.routerule import Caller
from mesh.translate.snapshot import Snapshot, World
from mesh.translate.targets import Target, targets
from mesh.translate.views import PodView, ServiceView, pod_view
from mesh.translate.ways_in import WayIn

SPARE = 1000
"""Endpoints of the past that are not worth a clean-up."""


class Configuration:
    """The objects, the snapshot in force, and what all proxies of the process share."""

    def __init__(self, domain: str = DOMAIN) -> None:
        self._world = World(domain)
        self._memo = Memo()
        self._singles = Memo(endpoint)
        self._targets: tuple[Target, ...] = ()
        self._tables: dict[outbound.CallerClass, RouteTable] = {}
        self._gateway: dict[str, RouteTable] = {}
        self._clusters_of: dict[str, Mapping[bytes, ClusterSpec]] = {}
        self._listed: tuple[object, ...] = ()
        self._swept = True
        self.compiled = Compiled()
        self.inbound = Compiled()
        """What stands behind inbound ports. Few, and alike in every pod, so nothing is ever dropped."""
        self.snapshot: Snapshot = self._world.snapshot()
        self.kinship: object = object()
        """The same object while no pod can have come to belong to other services, whatever else changed."""
        self.clusters: Mapping[bytes, ClusterSpec] = {}
        """Every outbound cluster, as most callers see it; the same object until one of them changes."""
        self.endpoints: Mapping[bytes, Endpoints] = {}
        """The addresses of each; the same object until one of them changes."""

    def put(self, obj: Object) -> Problem | None:
        """Take in an object, or say why not; then the version before it, if any, stays in force."""
        problem = problem_of(obj, self.compiled)
        if problem is None:
            self._world.put(obj)
        return problem

    def remove(self, obj: Object) -> None:
        self._world.remove(obj)

    def refresh(self) -> bool:
        """Put the objects seen so far in force; False when that changes nothing.

        Raises Refused, and leaves everything as it was, where the whole can not be executed.
        """
        snapshot = self._world.snapshot()
        if snapshot is self.snapshot:
            return False
        same_routes = snapshot.routes_like(self.snapshot)
        wanted = self._targets if same_routes else targets(snapshot, self._memo)
        clusters = self.clusters if same_routes else _keep(self.clusters, self._compiled_clusters(snapshot, wanted))
        endpoints = _keep(self.endpoints, self._compiled_endpoints(snapshot, wanted))
        listed = tuple(snapshot.backends.get(service.host) for service in snapshot.membership.unselecting)
        # Nothing can fail from here on.
        if snapshot.services is not self.snapshot.services or not identical(listed, self._listed):
            self.kinship, self._listed = object(), listed
        if not same_routes:
            self._tables, self._gateway, self._targets, self._swept = {}, {}, wanted, False
            self._clusters_of = {}
        self.clusters, self.endpoints, self.snapshot = clusters, endpoints, snapshot
        return True

    def _compiled_clusters(self, snapshot: Snapshot, wanted: tuple[Target, ...]) -> dict[bytes, ClusterSpec]:
        messages = outbound.clusters(wanted, snapshot, self._memo)
        return {message.name.encode(): self.compiled.cluster(message) for message in messages}

    def _compiled_endpoints(self, snapshot: Snapshot, wanted: tuple[Target, ...]) -> dict[bytes, Endpoints]:
        found = outbound.endpoints(wanted, snapshot, self._memo, self._singles)
        return {target.name.encode(): specs for target, specs in found.items()}

    def sweep(self) -> None:
        """Forget what no proxy uses any more. Call it when every proxy has been asked for its tables."""
        live = sum(map(len, self.snapshot.backends.values()))
        if len(self._singles) > 2 * live + SPARE:
            self._singles = Memo(endpoint)
        if not self._swept:
            # Only a refresh of the routes asks for everything; after another one this would forget what is needed.
            self._swept = True
            self._memo.sweep()
            self.compiled.sweep()

    def pod(self, pod: Pod) -> PodView:
        """The latest known state of a pod, while it has its address."""
        known = self.snapshot.pods.get(pod.status.pod_ip or "")
        return known if known is not None and (known.namespace, known.name) == pod.key else pod_view(pod)

    def services_of(self, pod: PodView) -> tuple[ServiceView, ...]:
        """The services that a pod belongs to."""
        return self.snapshot.instances(pod)

    def caller(self, pod: PodView) -> Caller:
        """How rules see a pod."""
        return Caller(pod.namespace, frozenset(service.host for service in self.services_of(pod)), pod.labels)

    def outbound_table(self, caller: Caller) -> RouteTable:
        """What a pod may call. Pods that no rule tells apart share one table."""
        kind = outbound.caller_class(self.snapshot, caller)
        table = self._tables.get(kind)
        if table is None:
            virtual_hosts = outbound.virtual_hosts(self.snapshot, caller, self._memo)
            table = self._tables[kind] = self.compiled.table(outbound.ROUTES, virtual_hosts)
        return table

    def clusters_of(self, namespace: str) -> Mapping[bytes, ClusterSpec]:
        """The outbound clusters as callers of a namespace see them: `clusters`, unless it has rules of its own."""
        found = self._clusters_of.get(namespace)
        if found is None:
            others = outbound.differing(self._targets, self.snapshot, namespace)
            messages = outbound.clusters(others, self.snapshot, self._memo, namespace)
            own = {message.name.encode(): self.compiled.cluster(message) for message in messages}
            found = self._clusters_of[namespace] = {**self.clusters, **own} if own else self.clusters
        return found

    def gateway_table(self, way: WayIn) -> RouteTable:
        """What people may call who come in this way."""
        table = self._gateway.get(way.routes)
        if table is None:
            message = gateway.route_configuration(self.snapshot, way)
            table = self._gateway[way.routes] = self.compiled.table(way.routes, message.virtual_hosts, ignore_port=True)
        return table

    @staticmethod
    def workload(pod: PodView) -> Workload:
        """How metrics call a pod."""
        return Workload(
            workload=pod.workload,
            namespace=pod.namespace,
            app=pod.app or "unknown",
            version=pod.version or "unknown",
            canonical_service=pod.canonical_name,
            canonical_revision=pod.canonical_revision,
            cluster=CLUSTER_ID,
        )


def identical(some: tuple[object, ...], others: tuple[object, ...]) -> bool:
    """Whether these are the very same objects."""
    return len(some) == len(others) and all(a is b for a, b in zip(some, others, strict=True))


def _keep(old: Mapping[bytes, Any], new: Mapping[bytes, Any]) -> Mapping[bytes, Any]:
    """The old mapping when the new one holds the very same values."""
    if len(old) == len(new) and all(new.get(name) is value for name, value in old.items()):
        return old
    return new
