"""Which services does a pod belong to?

By selector; by address where a service selects nothing. A selector is looked up under one of its labels, so a question
costs what the pod has in labels, not what the mesh has in services.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from mesh.translate.views import Backend, PodView, ServiceView

Label = tuple[str, str]


class Membership:
    """The selectors of some services. Never changed; answers are remembered by labels."""

    __slots__ = ("_by_any", "_by_label", "_kin", "_known", "unselecting")

    def __init__(self, services: Iterable[ServiceView]) -> None:
        self._by_label: dict[tuple[str, Label], list[ServiceView]] = defaultdict(list)
        self._by_any: dict[tuple[str, Label], list[ServiceView]] = defaultdict(list)
        self._kin: dict[tuple[str, frozenset[Label]], tuple[ServiceView, ...]] = {}
        self._known: dict[tuple[str, frozenset[Label]], tuple[ServiceView, ...]] = {}
        self.unselecting: list[ServiceView] = []
        """Services without a selector."""
        for service in services:
            if service.selector:
                self._by_label[service.namespace, min(service.selector.items())].append(service)
                for label in service.selector.items():
                    self._by_any[service.namespace, label].append(service)
            else:
                self.unselecting.append(service)

    def of(self, pod: PodView, backends: Mapping[str, tuple[Backend, ...]]) -> tuple[ServiceView, ...]:
        """A pod's services, by host."""
        selecting = self._selecting(pod)
        listing = [
            service
            for service in self.unselecting
            if service.namespace == pod.namespace
            and any(backend.address == pod.ip for backend in backends.get(service.host, ()))
        ]
        if not listing:
            return selecting
        return tuple(sorted((*selecting, *listing), key=lambda service: service.host))

    def kin(self, pod: PodView) -> tuple[ServiceView, ...]:
        """Services that select the pod, or might when a selector moves: they share a label with it. By host."""
        labels = pod.labels.items()
        key = (pod.namespace, frozenset(labels))
        found = self._kin.get(key)
        if found is None:
            sharing = {s.host: s for label in labels for s in self._by_any.get((pod.namespace, label), ())}
            found = self._kin[key] = tuple(sharing[host] for host in sorted(sharing))
        return found

    def _selecting(self, pod: PodView) -> tuple[ServiceView, ...]:
        labels = pod.labels.items()
        key = (pod.namespace, frozenset(labels))
        found = self._known.get(key)
        if found is None:
            candidates = (s for label in labels for s in self._by_label.get((pod.namespace, label), ()))
            fitting = (service for service in candidates if service.selector.items() <= labels)
            found = self._known[key] = tuple(sorted(fitting, key=lambda service: service.host))
        return found
