"""Ingresses: saying where they are served.

Those of a class that the gateway knows, at its address; those of class `nlb` have addresses that somebody else writes;
those of other classes are left alone.
"""

from mesh.api.ingress_classes import class_of, is_served
from mesh.api.load_balancers import is_nlb_ingress
from mesh.api.services import Ingress, IngressClass
from mesh.client.informer import Informer
from mesh.controllers.actions import Key, status_patch
from mesh.controllers.runtime import DONE, Context, Controller, Result


class IngressController(Controller):
    """Ingress -> status.loadBalancer."""

    name = "ingress-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.caches.ingresses.on_change(self._ingress_changed)
        self._classes: Informer[IngressClass] = self.caches.informers[IngressClass]
        self._classes.on_change(self._class_changed)

    def _ingress_changed(self, old: Ingress | None, new: Ingress | None) -> None:
        if new is not None:
            self.enqueue(new.key)

    def _class_changed(self, old: IngressClass | None, new: IngressClass | None) -> None:
        changed = {cls.name for cls in (old, new) if cls is not None}
        for ingress in self.caches.ingresses.list():
            if class_of(ingress) in changed:
                self.enqueue(ingress.key)

    async def reconcile(self, key: Key) -> Result:
        ingress = self.caches.ingresses.get(key[1], key[0])
        if ingress is None or is_nlb_ingress(ingress):
            return DONE
        ours = [{"ip": self.settings.gateway_address}]
        controllers = {cls.name: cls.spec.controller or "" for cls in self._classes.list()}
        if is_served(class_of(ingress), controllers):
            wanted = ours
        elif [entry.ip for entry in ingress.status.load_balancer.ingress or ()] == [self.settings.gateway_address]:
            wanted = []  # it was ours
        else:
            return DONE
        status = status_patch(ingress, {"loadBalancer": {"ingress": wanted} if wanted else {}})
        if status is not None:
            await self.perform(status)
        return DONE
