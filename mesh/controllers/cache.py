"""What do all controllers see, and how do they find it without looking at everything?

One informer a kind, shared by all, and indexes over them that follow each change. An index registers before any
controller does, so a controller that is told of a change finds the indexes up to date.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from mesh.api.batch import Job
from mesh.api.core import Event, Namespace, Node, Pod
from mesh.api.meta import LabelSelector, Object
from mesh.api.scheme import KINDS
from mesh.api.selectors import Selector, from_labels, from_model
from mesh.api.services import Endpoints, EndpointSlice, Ingress, Service
from mesh.api.storage import PersistentVolume, PersistentVolumeClaim
from mesh.api.workloads import ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet
from mesh.client.informer import Informer
from mesh.controllers.actions import Key
from mesh.controllers.volume_users import claim_named, claims_of

T = TypeVar("T", bound=Object)
Label = tuple[str, str, str]
"""(namespace, label, value)"""
NOBODY: Key = ("", "")


class Index(Generic[T]):
    """Objects of one informer under the keys that a function gives each."""

    def __init__(self, informer: Informer[T], keys: Callable[[T], Iterable[Hashable]]) -> None:
        self._keys = keys
        self._found: dict[Hashable, dict[Key, T]] = {}
        informer.on_change(self._changed)

    def _changed(self, old: T | None, new: T | None) -> None:
        after = set(self._keys(new)) if new is not None else set()
        if old is not None:
            for key in self._keys(old):
                if key not in after:
                    self._drop(key, old)
        if new is not None:
            for key in after:
                self._found.setdefault(key, {})[new.key] = new

    def _drop(self, key: Hashable, obj: T) -> None:
        bucket = self._found.get(key)
        if bucket is not None:
            bucket.pop(obj.key, None)
            if not bucket:
                del self._found[key]

    def get(self, key: Hashable) -> list[T]:
        """A fresh list of what is under `key`."""
        return list(self._found.get(key, {}).values())

    def count(self, key: Hashable) -> int:
        """How many there are, without a list."""
        return len(self._found.get(key, ()))


class SelectorIndex(Generic[T]):
    """Which objects select a set of labels? Each is filed under one pair of its selector, so a pod asks few."""

    def __init__(self, informer: Informer[T], selector: Callable[[T], Selector | None]) -> None:
        self._selector = selector
        self._compiled: dict[Key, Selector] = {}
        self._filed: dict[Key, Hashable] = {}
        self._found: dict[Hashable, dict[Key, T]] = {}
        informer.on_change(self._changed)

    def _changed(self, old: T | None, new: T | None) -> None:
        if old is not None and old.key in self._filed:
            self._found.get(self._filed.pop(old.key), {}).pop(old.key, None)
            self._compiled.pop(old.key, None)
        selector = self._selector(new) if new is not None else None
        if new is None or selector is None or selector.empty:
            return
        place = _filing_place(new.namespace, selector)
        self._compiled[new.key], self._filed[new.key] = selector, place
        self._found.setdefault(place, {})[new.key] = new

    def selecting(self, namespace: str, labels: Mapping[str, str] | None) -> list[T]:
        """The objects of that namespace whose selector holds for `labels`."""
        places: list[Hashable] = [(namespace, key, value) for key, value in (labels or {}).items()]
        places.append(namespace)
        found = []
        for place in places:
            for key, obj in self._found.get(place, {}).items():
                if self._compiled[key].matches(labels):
                    found.append(obj)
        return found


def _filing_place(namespace: str, selector: Selector) -> Hashable:
    """The first exact pair of a selector, or the whole namespace for one that has none."""
    for requirement in selector.requirements:
        if requirement.operator == "in" and len(requirement.values) == 1:
            return (namespace, requirement.key, next(iter(requirement.values)))
    return namespace


def _labels(obj: Object) -> Iterable[Label]:
    return [(obj.namespace, key, value) for key, value in obj.metadata.label_map.items()]


def _orphan_labels(obj: Object) -> Iterable[Label]:
    return () if obj.metadata.controller is not None else _labels(obj)


def _controller_uid(obj: Object) -> Iterable[str]:
    owner = obj.metadata.controller
    return () if owner is None else (owner.uid,)


def _owner_uids(obj: Object) -> Iterable[str]:
    return [owner.uid for owner in obj.metadata.owner_references or ()]


def select(index: Index[T], namespace: str, selector: Selector) -> list[T]:
    """Objects that `selector` matches, from the smallest bucket of a label index."""
    buckets = [
        (index.count((namespace, r.key, value)), (namespace, r.key, value))
        for r in selector.requirements
        if r.operator == "in" and len(r.values) == 1
        for value in r.values
    ]
    if not buckets:
        return []
    return [obj for obj in index.get(min(buckets)[1]) if selector.matches(obj.metadata.labels)]


def workload_selector(selector: LabelSelector | None, template_labels: Mapping[str, str] | None) -> Selector:
    """What a workload selects; without a selector, the labels of its own template."""
    return from_model(selector) if selector is not None else from_labels(template_labels)


class Caches:
    """All informers and indexes. make: the informer of a kind; it may be handed in by tests."""

    def __init__(self, make: Callable[[type[Any]], Informer[Any]]) -> None:
        self.informers: dict[type[Object], Informer[Any]] = {
            kind.model: make(kind.model) for kind in KINDS if kind.model is not Event
        }
        self.pods: Informer[Pod] = self.informers[Pod]
        self.nodes: Informer[Node] = self.informers[Node]
        self.namespaces: Informer[Namespace] = self.informers[Namespace]
        self.services: Informer[Service] = self.informers[Service]
        self.endpoints: Informer[Endpoints] = self.informers[Endpoints]
        self.slices: Informer[EndpointSlice] = self.informers[EndpointSlice]
        self.ingresses: Informer[Ingress] = self.informers[Ingress]
        self.deployments: Informer[Deployment] = self.informers[Deployment]
        self.replica_sets: Informer[ReplicaSet] = self.informers[ReplicaSet]
        self.stateful_sets: Informer[StatefulSet] = self.informers[StatefulSet]
        self.daemon_sets: Informer[DaemonSet] = self.informers[DaemonSet]
        self.jobs: Informer[Job] = self.informers[Job]
        self.revisions: Informer[ControllerRevision] = self.informers[ControllerRevision]
        self.claims: Informer[PersistentVolumeClaim] = self.informers[PersistentVolumeClaim]
        self.volumes: Informer[PersistentVolume] = self.informers[PersistentVolume]

        self.pods_by_owner = Index(self.pods, _controller_uid)
        self.pods_by_node = Index(self.pods, lambda pod: [pod.spec.node_name] if pod.spec.node_name else [])
        self.pods_by_label = Index(self.pods, _labels)
        self.pods_by_claim = Index(self.pods, claims_of)
        self.volumes_by_claim = Index(self.volumes, lambda volume: [claim_named(volume)])
        self.orphan_pods = Index(self.pods, _orphan_labels)
        self.sets_by_owner = Index(self.replica_sets, _controller_uid)
        self.orphan_sets = Index(self.replica_sets, _orphan_labels)
        self.revisions_by_owner = Index(self.revisions, _controller_uid)
        self.orphan_revisions = Index(self.revisions, _orphan_labels)
        self.slices_by_service = Index(self.slices, lambda s: [(s.namespace, s.service_name)])
        self.dependents = {cls: Index(informer, _owner_uids) for cls, informer in self.informers.items()}

        self.services_selecting = SelectorIndex(
            self.services, lambda s: from_labels(s.spec.selector) if s.spec.selector else None
        )
        self.sets_selecting = SelectorIndex(
            self.replica_sets, lambda rs: workload_selector(rs.spec.selector, rs.spec.template.metadata.labels)
        )
        self.stateful_sets_selecting = SelectorIndex(
            self.stateful_sets, lambda s: workload_selector(s.spec.selector, s.spec.template.metadata.labels)
        )
        self.deployments_selecting = SelectorIndex(
            self.deployments, lambda d: workload_selector(d.spec.selector, d.spec.template.metadata.labels)
        )

    async def synced(self) -> None:
        """Wait until every informer has its first list."""
        for informer in self.informers.values():
            await informer.synced()

    def volumes_for(self, claim: PersistentVolumeClaim) -> list[PersistentVolume]:
        """Those that the claim may get or has: nobody's, those that name it, and the one that it names."""
        found = {volume.name: volume for key in (NOBODY, claim.key) for volume in self.volumes_by_claim.get(key)}
        named = self.volumes.get(claim.spec.volume_name) if claim.spec.volume_name else None
        if named is not None:
            found[named.name] = named
        return list(found.values())
