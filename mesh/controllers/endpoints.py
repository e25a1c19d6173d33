"""Endpoints: which pods answer for a Service, shown twice.

Proxies read EndpointSlices; the older Endpoints object, one for all pods, is for people and old programs. What a large
service costs grows with its size, here and in every proxy that learns of it. So it is rewritten less often: news that
takes an endpoint away comes soon, news that adds one later, and the older object last.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

from mesh.api.core import Node, Pod
from mesh.api.selectors import from_labels
from mesh.api.services import Endpoints, EndpointSlice, Service
from mesh.controllers.actions import Action, Key, Plan
from mesh.controllers.cache import select
from mesh.controllers.endpoints_plan import (
    MANAGED_LABEL,
    MANAGER,
    Fact,
    Ports,
    group,
    plan_endpoints,
    plan_slices,
)
from mesh.controllers.facts import terminating
from mesh.controllers.runtime import DONE, Context, Controller, Result

LONGEST_LOSS_PACE_S = 0.25
ZONE_LABEL = "topology.kubernetes.io/zone"


class _OfServices(Controller):
    """Wakes for a Service when it, or what of its pods is shown, changes. Paces are seconds a pod."""

    loss_pace_s, gain_pace_s, longest_pace_s = 0.0001, 0.001, 1.0

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._sizes: dict[Key, int] = {}
        self.caches.services.on_change(self._service_changed)
        self.caches.pods.on_change(self._pod_changed)
        self.caches.nodes.on_change(self._node_changed)

    def _service_changed(self, old: Service | None, new: Service | None) -> None:
        if new is not None:
            self.enqueue(new.key)
        elif old is not None:
            self._sizes.pop(old.key, None)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        if old is not None and new is not None and _shown(old) == _shown(new):
            return
        loses = _loses(old, new)
        for pod in (old, new):
            if pod is None:
                continue
            for service in self.caches.services_selecting.selecting(pod.namespace, pod.metadata.labels):
                if loses:
                    pace_s = self._sizes.get(service.key, 0) * self.loss_pace_s
                    self.enqueue_paced(service.key, min(LONGEST_LOSS_PACE_S, pace_s))
                else:
                    self.soon(service.key)

    def _zone(self, node: str) -> str:
        known = self.caches.nodes.get(node)
        return known.metadata.label_map.get(ZONE_LABEL, "") if known is not None else ""

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        """Endpoints tell the zone of their node."""
        before, after = (one.metadata.label_map.get(ZONE_LABEL, "") if one is not None else "" for one in (old, new))
        if new is not None and before != after:
            for service in self.caches.services.list():
                self.soon(service.key)

    def soon(self, key: Key) -> None:
        """Look at that service, a large one not at once."""
        self.enqueue_paced(key, min(self.longest_pace_s, self._sizes.get(key, 0) * self.gain_pace_s))

    async def reconcile(self, key: Key) -> Result:
        service = self.caches.services.get(key[1], key[0])
        if service is None or not service.spec.selector or terminating(service):
            return DONE
        if service.spec.type == "ExternalName":
            return DONE
        pods = select(self.caches.pods_by_label, service.namespace, from_labels(service.spec.selector))
        self._sizes[key] = len(pods)
        return await self.carry_out(Plan(tuple(self.plan(service, group(service, pods, self._zone)))))

    @abstractmethod
    def plan(self, service: Service, groups: Mapping[Ports, Sequence[Fact]]) -> list[Action]:
        """What is to be written so that it shows `groups`."""


class EndpointSliceController(_OfServices):
    """Service and pods -> EndpointSlices. Services without a selector are left alone."""

    name = "endpoint-slice-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.caches.slices.on_change(self._slice_changed)

    def _slice_changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        """Somebody else's change of a slice is undone."""
        piece = new or old
        if piece is not None and _ours(piece):
            self.soon((piece.namespace, piece.service_name))

    def plan(self, service: Service, groups: Mapping[Ports, Sequence[Fact]]) -> list[Action]:
        slices = [piece for piece in self.caches.slices_by_service.get(service.key) if _ours(piece)]
        return plan_slices(service, groups, slices)


class EndpointsController(_OfServices):
    """Service and pods -> Endpoints."""

    name = "endpoint-controller"
    loss_pace_s, gain_pace_s, longest_pace_s = 0.001, 0.002, 2.0

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.caches.endpoints.on_change(self._endpoints_changed)

    def _endpoints_changed(self, old: Endpoints | None, new: Endpoints | None) -> None:
        endpoints = new or old
        if endpoints is not None:
            self.soon(endpoints.key)

    def plan(self, service: Service, groups: Mapping[Ports, Sequence[Fact]]) -> list[Action]:
        return plan_endpoints(service, groups, self.caches.endpoints.get(service.name, service.namespace))


def _ours(piece: EndpointSlice) -> bool:
    return piece.metadata.label_map.get(MANAGED_LABEL) == MANAGER


def _loses(old: Pod | None, new: Pod | None) -> bool:
    """Does a pod that served stop to serve?"""
    return old is not None and _serves(old) and not (new is not None and _serves(new))


def _serves(pod: Pod) -> bool:
    return pod.ready and not terminating(pod)


def _shown(pod: Pod) -> object:
    """What of a pod an endpoint shows."""
    return (
        pod.metadata.uid,
        pod.status.pod_ip,
        pod.ready,
        pod.status.phase,
        terminating(pod),
        pod.metadata.labels,
        pod.spec.node_name,
    )
