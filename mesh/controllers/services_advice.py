"""Which services lead nowhere, and what is the likely slip? Told some seconds after they were written.

A selector that fits nothing and a target port that no pod has are no errors: the API takes them, and nothing happens.
So somebody has to say it.
"""

from collections.abc import Iterable, Mapping

from mesh.api.core import Pod
from mesh.api.selectors import from_labels
from mesh.api.services import EndpointSlice, Service
from mesh.api.workloads import DaemonSet, Deployment, ReplicaSet, StatefulSet
from mesh.controllers.actions import Key, Note, note
from mesh.controllers.cache import select
from mesh.controllers.endpoints_plan import MANAGED_LABEL, MANAGER, resolve_ports
from mesh.controllers.facts import terminating
from mesh.controllers.runtime import DONE, Context, Controller, Result

LOOK_AFTER_S = 3.0
"""Long enough for the pods of the same `kubectl apply` to be there."""

Labels = Mapping[str, str]


class ServicesAdvice(Controller):
    """Service -> a Warning event, where it selects nothing or names a port that its pods lack."""

    name = "service-advice"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.caches.services.on_change(self._service_changed)
        self.caches.slices.on_change(self._slice_changed)

    def _service_changed(self, old: Service | None, new: Service | None) -> None:
        if new is not None and new.spec.selector and (old is None or _asked(old) != _asked(new)):
            self.enqueue(new.key, LOOK_AFTER_S)

    def _slice_changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        if new is not None and _by_hand(new) and (old is None or old.endpoints != new.endpoints):
            self.enqueue((new.namespace, new.service_name))

    async def reconcile(self, key: Key) -> Result:
        service = self.caches.services.get(key[1], key[0])
        if service is None or terminating(service) or service.spec.type == "ExternalName":
            return DONE
        by_hand = [piece for piece in self.caches.slices_by_service.get(key) if _by_hand(piece)]
        if (far := out_of_reach(service, by_hand)) is not None:
            self.say(far)
        if not service.spec.selector:
            return DONE
        pods = select(self.caches.pods_by_label, service.namespace, from_labels(service.spec.selector))
        found = unnamed_ports(service, pods) if pods else self._nothing(service)
        if found is not None:
            self.say(found)
        return DONE

    def _nothing(self, service: Service) -> Note | None:
        wanted = from_labels(service.spec.selector)
        for cls in (Deployment, ReplicaSet, StatefulSet, DaemonSet):
            for workload in self.caches.informers[cls].list():  # scaled to nothing, or its pods are on their way
                labels = workload.spec.template.metadata.labels
                if workload.metadata.namespace == service.namespace and wanted.matches(labels):
                    return None
        others = (pod for pod in self.caches.pods.list() if pod.metadata.namespace == service.namespace)
        return unselected(service, others)


def _by_hand(piece: EndpointSlice) -> bool:
    """Whether its addresses come from somebody else than pods."""
    return piece.metadata.label_map.get(MANAGED_LABEL) != MANAGER


def out_of_reach(service: Service, slices: Iterable[EndpointSlice]) -> Note | None:
    """The event about endpoints that somebody wrote and that no connection can go to."""
    far = sorted({a for piece in slices for e in piece.endpoints for a in e.addresses if not a.startswith("127.")})
    if not far:
        return None
    shown = ", ".join(far[:3]) + (" and more" if len(far) > 3 else "")
    message = f"endpoints {shown} are outside 127.0.0.0/8, which is all that the mesh reaches; they get no connections"
    return note(service, "EndpointOutOfReach", message, "Warning")


def _asked(service: Service) -> object:
    return service.spec.selector, [(port.name, port.target_port) for port in service.spec.ports or ()]


def unselected(service: Service, others: Iterable[Pod]) -> Note:
    """The event about a selector that fits no pod; others: all pods of the namespace."""
    selector = service.spec.selector or {}
    text = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    message = f"selector {text} fits no pod in namespace {service.namespace}, so connections are refused"
    near = nearest(selector, ((pod.name, pod.metadata.label_map) for pod in others))
    return note(service, "SelectsNothing", f"{message}; {near}" if near else message, "Warning")


def nearest(selector: Labels, pods: Iterable[tuple[str, Labels]]) -> str:
    """Which pod comes closest, and where it differs; empty when none has any of the labels."""
    best, pairs = "", (0, 0)
    for name, labels in sorted(pods, key=lambda pod: pod[0]):
        equal = sum(labels.get(key) == value for key, value in selector.items())
        shared = sum(key in labels for key in selector)
        if (equal, shared) > pairs:
            differs = [
                f"{key}={labels[key]}" if key in labels else f"no label {key}"
                for key, value in sorted(selector.items())
                if labels.get(key) != value
            ]
            best, pairs = f"the nearest is pod {name}, which has {' and '.join(differs)}", (equal, shared)
    return best


def unnamed_ports(service: Service, pods: Iterable[Pod]) -> Note | None:
    """The event about target ports that are named after a port which none of the pods has."""
    found: set[str] = set()
    names: set[str] = set()
    for pod in pods:
        found |= {port.name for port in resolve_ports(service, pod)}
        names |= {port.name for c in pod.spec.containers for port in c.ports or () if port.name}
    lost = [str(port.target_port) for port in service.spec.ports or () if (port.name or "") not in found]
    if not lost:
        return None
    there = f"; they have {', '.join(sorted(names))}" if names else "; their ports have no names"
    return note(
        service, "NoSuchPort", f"targetPort {', '.join(lost)} is no port of the selected pods{there}", "Warning"
    )
