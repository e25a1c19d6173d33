"""Namespaces: emptying one that is to go."""

from mesh.api.core import Event, Namespace
from mesh.api.scheme import KINDS
from mesh.controllers.actions import Delete, Key, Patch, Plan
from mesh.controllers.facts import terminating
from mesh.controllers.runtime import DONE, Context, Controller, Result

LOOK_AGAIN_S = 0.2


class NamespaceController(Controller):
    """Terminating namespace -> nothing in it -> gone."""

    name = "namespace-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.caches.namespaces.on_change(self._namespace_changed)

    def _namespace_changed(self, old: Namespace | None, new: Namespace | None) -> None:
        if new is not None and terminating(new):
            self.enqueue(new.key)

    async def reconcile(self, key: Key) -> Result:
        namespace = self.caches.namespaces.get(key[1])
        if namespace is None or not terminating(namespace):
            return DONE
        contents = 0
        for kind in KINDS:
            if not kind.namespaced:
                continue
            # Asked at the source: nothing may be overlooked because a cache lags.
            items = (await self.context.client.list(kind.model, namespace.name)).items
            contents += len(items) if kind.model is not Event else 0
            deletions = [
                Delete(cls=kind.model, key=obj.key, uid=obj.metadata.uid, propagation="Background")
                for obj in items
                if not terminating(obj)
            ]
            await self.carry_out(Plan(tuple(deletions)))
        if contents:
            return Result(LOOK_AGAIN_S)
        empty = Patch(cls=Namespace, key=namespace.key, patch={"spec": {"finalizers": []}}, subresource="finalize")
        await self.perform(empty)
        return DONE
