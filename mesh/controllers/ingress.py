"""Ingresses: saying where they are served."""

from mesh.api.load_balancers import is_nlb_ingress
from mesh.api.services import Ingress
from mesh.controllers.actions import Key, status_patch
from mesh.controllers.runtime import DONE, Context, Controller, Result


class IngressController(Controller):
    """Ingress -> status.loadBalancer: the gateway's address. Those of class nlb have addresses of their own."""

    name = "ingress-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.caches.ingresses.on_change(self._ingress_changed)

    def _ingress_changed(self, old: Ingress | None, new: Ingress | None) -> None:
        if new is not None:
            self.enqueue(new.key)

    async def reconcile(self, key: Key) -> Result:
        ingress = self.caches.ingresses.get(key[1], key[0])
        if ingress is None or is_nlb_ingress(ingress):
            return DONE
        status = status_patch(ingress, {"loadBalancer": {"ingress": [{"ip": self.settings.gateway_address}]}})
        if status is not None:
            await self.perform(status)
        return DONE
