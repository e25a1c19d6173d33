"""Endpoints: which pods answer for a Service."""

from mesh.api.core import Pod
from mesh.api.selectors import from_labels
from mesh.api.services import Endpoints, EndpointSlice, Service
from mesh.controllers.actions import Key, Plan
from mesh.controllers.cache import select
from mesh.controllers.endpoints_plan import MANAGED_LABEL, MANAGER, group, plan_endpoints, plan_slices
from mesh.controllers.facts import terminating
from mesh.controllers.runtime import DONE, Context, Controller, Result

# What a large service costs grows with its size, here and in every proxy that learns of it. So it is rewritten less
# often: news that takes an endpoint away soon, news that adds one later.
LOSS_PACE_S_PER_POD, GAIN_PACE_S_PER_POD, LONGEST_PACE_S = 0.0001, 0.001, 0.5


class EndpointsController(Controller):
    """Service and pods -> EndpointSlices and Endpoints. Services without a selector are left alone."""

    name = "endpoint-slice-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._sizes: dict[Key, int] = {}
        self.caches.services.on_change(self._service_changed)
        self.caches.pods.on_change(self._pod_changed)
        self.caches.slices.on_change(self._slice_changed)
        self.caches.endpoints.on_change(self._endpoints_changed)

    def _service_changed(self, old: Service | None, new: Service | None) -> None:
        if new is not None:
            self.enqueue(new.key)
        elif old is not None:
            self._sizes.pop(old.key, None)
            self.enqueue(old.key)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        if old is not None and new is not None and _shown(old) == _shown(new):
            return
        for pod in (old, new):
            if pod is None:
                continue
            for service in self.caches.services_selecting.selecting(pod.namespace, pod.metadata.labels):
                self._soon(service.key, LOSS_PACE_S_PER_POD if _loses(old, new) else GAIN_PACE_S_PER_POD)

    def _soon(self, key: Key, pace_s_per_pod: float) -> None:
        self.enqueue_paced(key, min(LONGEST_PACE_S, self._sizes.get(key, 0) * pace_s_per_pod))

    def _slice_changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        """Somebody else's change of a slice is undone."""
        piece = new or old
        if piece is not None and piece.metadata.label_map.get(MANAGED_LABEL) == MANAGER:
            self._soon((piece.namespace, piece.service_name), GAIN_PACE_S_PER_POD)

    def _endpoints_changed(self, old: Endpoints | None, new: Endpoints | None) -> None:
        endpoints = new or old
        if endpoints is not None:
            self._soon(endpoints.key, GAIN_PACE_S_PER_POD)

    async def reconcile(self, key: Key) -> Result:
        service = self.caches.services.get(key[1], key[0])
        if service is None or not service.spec.selector or service.metadata.deletion_timestamp:
            return DONE
        if service.spec.type == "ExternalName":
            return DONE
        pods = select(self.caches.pods_by_label, service.namespace, from_labels(service.spec.selector))
        self._sizes[key] = len(pods)
        groups = group(service, pods)
        ours = [
            piece
            for piece in self.caches.slices_by_service.get(key)
            if piece.metadata.label_map.get(MANAGED_LABEL) == MANAGER
        ]
        actions = plan_slices(service, groups, ours)
        actions += plan_endpoints(service, groups, self.caches.endpoints.get(service.name, service.namespace))
        return await self.carry_out(Plan(tuple(actions)))


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
        pod.metadata.deletion_timestamp is not None,
        pod.metadata.labels,
        pod.spec.node_name,
    )
