"""Service accounts: every namespace has one that pods run as unless they say otherwise."""

from mesh.api.config import ServiceAccount
from mesh.api.core import Namespace
from mesh.api.meta import ObjectMeta
from mesh.controllers.actions import Create, Key
from mesh.controllers.facts import terminating
from mesh.controllers.runtime import DONE, Context, Controller, Result

DEFAULT = "default"


class AccountsController(Controller):
    """Namespace -> ServiceAccount `default`; whoever deletes it gets it back."""

    name = "serviceaccount-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.caches.namespaces.on_change(self._namespace_changed)
        self.caches.informers[ServiceAccount].on_change(self._account_changed)

    def _namespace_changed(self, old: Namespace | None, new: Namespace | None) -> None:
        if new is not None and old is None:
            self.enqueue(("", new.name))

    def _account_changed(self, old: ServiceAccount | None, new: ServiceAccount | None) -> None:
        if new is None and old is not None and old.name == DEFAULT:
            self.enqueue(("", old.namespace))

    async def reconcile(self, key: Key) -> Result:
        namespace = self.caches.namespaces.get(key[1])
        if namespace is None or terminating(namespace):
            return DONE
        if self.caches.informers[ServiceAccount].get(DEFAULT, namespace.name) is None:
            account = ServiceAccount(metadata=ObjectMeta(name=DEFAULT, namespace=namespace.name))
            await self.perform(Create(obj=account))
        return DONE
