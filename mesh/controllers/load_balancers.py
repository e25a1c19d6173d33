"""Load balancers: addresses for Services of that type and for Ingresses of class nlb."""

from mesh.api.core import Node
from mesh.api.load_balancers import ZONES, balancer, is_nlb_ingress
from mesh.api.services import Ingress, LoadBalancerStatus, Service
from mesh.controllers.actions import Key, Patch, Plan, note
from mesh.controllers.facts import terminating
from mesh.controllers.load_balancers_plan import (
    MOST,
    Numbers,
    Zoned,
    ingress_entries,
    plan,
    service_entries,
    unknown_class,
)
from mesh.controllers.runtime import DONE, Context, Controller, Result
from mesh.controllers.tolerance import ready_condition

RETRY_EXHAUSTED_S = 5.0
ZONE_LABEL = "topology.kubernetes.io/zone"
SERVICE, INGRESS = "Service/", "Ingress/"


class LoadBalancerController(Controller):
    """Service, Ingress -> status.loadBalancer. Its keys are (kind/namespace, name): both share one set of numbers."""

    name = "load-balancer-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._numbers = Numbers()
        self.caches.services.on_change(self._service_changed)
        self.caches.ingresses.on_change(self._ingress_changed)
        self.caches.nodes.on_change(self._node_changed)

    def _service_changed(self, old: Service | None, new: Service | None) -> None:
        service = new or old
        if service is None:
            return
        key = (SERVICE + service.namespace, service.name)
        if new is not None and new.spec.type == "LoadBalancer":
            self._hold(key, new.status.load_balancer)
        if any(one is not None and _concerns(one) for one in (old, new)):
            self.enqueue(key)

    def _ingress_changed(self, old: Ingress | None, new: Ingress | None) -> None:
        ingress = new or old
        if ingress is None:
            return
        key = (INGRESS + ingress.namespace, ingress.name)
        if new is not None and is_nlb_ingress(new):
            self._hold(key, new.status.load_balancer)
        if any(one is not None and (is_nlb_ingress(one) or ZONES in one.metadata.annotation_map) for one in (old, new)):
            self.enqueue(key)

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        if _zone(old) != _zone(new):
            for ingress in self.caches.ingresses.list():
                if is_nlb_ingress(ingress):
                    self.enqueue((INGRESS + ingress.namespace, ingress.name))

    def _hold(self, key: Key, status: LoadBalancerStatus) -> None:
        """Keep the number that a stored object's addresses came from."""
        make = self.settings.load_balancer_address
        for entry in status.ingress or ():
            last = (entry.ip or "").rpartition(".")[2]
            if make is not None and last.isdigit() and make(0, int(last)) == entry.ip:
                self._numbers.hold(int(last), key)

    async def reconcile(self, key: Key) -> Result:
        kind, _, namespace = key[0].partition("/")
        if kind == "Service":
            return await self._service(key, self.caches.services.get(key[1], namespace))
        return await self._ingress(key, self.caches.ingresses.get(key[1], namespace))

    async def _service(self, key: Key, service: Service | None) -> Result:
        kind = balancer(service) if service is not None else None
        if kind is None:
            self._numbers.let_go(key)
        if service is None or terminating(service):
            return DONE
        if kind is None:
            if service.spec.type == "LoadBalancer":
                self.say(note(service, "LoadBalancerClassUnknown", unknown_class(service), "Warning"))
            return await self.carry_out(Plan(tuple(plan(service, [], (), nlb=False))))
        zoned = self._addresses(key, service, nlb=kind.nlb)
        if isinstance(zoned, Result):
            return zoned
        return await self.carry_out(Plan(tuple(plan(service, service_entries(service, zoned), zoned, nlb=kind.nlb))))

    async def _ingress(self, key: Key, ingress: Ingress | None) -> Result:
        if ingress is None or not is_nlb_ingress(ingress):
            self._numbers.let_go(key)
            if ingress is not None and ZONES in ingress.metadata.annotation_map:
                gone = {"metadata": {"annotations": {ZONES: None}}}
                await self.perform(Patch(cls=Ingress, key=ingress.key, patch=gone))
            return DONE
        if terminating(ingress):
            return DONE
        zoned = self._addresses(key, ingress, nlb=True)
        if isinstance(zoned, Result):
            return zoned
        peopled = frozenset(zone for node in self.caches.nodes.list() if (zone := _zone(node)) is not None)
        entries = ingress_entries(ingress, zoned, peopled)
        return await self.carry_out(Plan(tuple(plan(ingress, entries, zoned, nlb=True))))

    def _addresses(self, key: Key, obj: Service | Ingress, *, nlb: bool) -> Zoned | Result:
        """(zone, address) for each zone, or the one address of a plain balancer; when to look again without any."""
        make = self.settings.load_balancer_address
        if make is None:
            return DONE
        number = self._numbers.take(key)
        if number is None:
            self.say(note(obj, "AllocationFailed", f"all {MOST} load balancer addresses are in use", "Warning"))
            return Result(RETRY_EXHAUSTED_S)
        zones = self.settings.zones if nlb and self.settings.zones else ("",)
        return tuple((zone, make(index, number)) for index, zone in enumerate(zones))


def _concerns(service: Service) -> bool:
    has = service.status.load_balancer.ingress or ZONES in service.metadata.annotation_map
    return service.spec.type == "LoadBalancer" or bool(has)


def _zone(node: Node | None) -> str | None:
    """The zone of a node that can be a target; None where there is no such node."""
    if node is None:
        return None
    ready = ready_condition(node)
    return None if ready is not None and ready.status == "Unknown" else node.metadata.label_map.get(ZONE_LABEL, "")
