"""Garbage: removing what belonged to objects that are gone."""

import logging
from functools import partial

from mesh.api.errors import NotFound
from mesh.api.meta import Object, OwnerReference
from mesh.api.scheme import BY_GVK
from mesh.controllers.actions import Key, Plan
from mesh.controllers.facts import terminating
from mesh.controllers.garbage_plan import FOREGROUND, ORPHAN, plan_absent, plan_leaving
from mesh.controllers.runtime import DONE, Context, Controller, Result

log = logging.getLogger("mesh.controllers")
# A dependent may be shown before its owner: that much later the owner is asked for at its source.
UNKNOWN_OWNER_S = 0.2


class GarbageCollector(Controller):
    """Owner uid -> its dependents. Keys are ("", uid)."""

    name = "garbage-collector"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._alive: dict[str, Object] = {}
        for cls, informer in self.caches.informers.items():
            informer.on_change(partial(self._changed, cls))

    def _changed(self, cls: type[Object], old: Object | None, new: Object | None) -> None:
        if new is None:
            if old is not None:
                self._gone(old)
            return
        uid = new.metadata.uid or ""
        self._alive[uid] = new
        if terminating(new) and {FOREGROUND, ORPHAN} & set(new.metadata.finalizers or ()):
            self.enqueue(("", uid))
        for ref in new.metadata.owner_references or ():
            if ref.uid not in self._alive:
                self.enqueue(("", ref.uid), UNKNOWN_OWNER_S)

    def _gone(self, old: Object) -> None:
        uid = old.metadata.uid or ""
        self._alive.pop(uid, None)
        if any(index.count(uid) for index in self.caches.dependents.values()):
            self.enqueue(("", uid))
        for ref in old.metadata.owner_references or ():
            owner = self._alive.get(ref.uid)
            if owner is not None and terminating(owner):
                self.enqueue(("", ref.uid))

    async def reconcile(self, key: Key) -> Result:
        uid = key[1]
        dependents = [obj for index in self.caches.dependents.values() for obj in index.get(uid)]
        owner = self._alive.get(uid)
        if owner is not None:
            return await self.carry_out(Plan(tuple(plan_leaving(owner, dependents))))
        if not dependents:
            return DONE
        absent: set[str] = set()
        for obj in dependents:
            for ref in obj.metadata.owner_references or ():
                if ref.uid not in absent and ref.uid not in self._alive and await self._absent(ref, obj.namespace):
                    absent.add(ref.uid)
        return await self.carry_out(Plan(tuple(plan_absent(dependents, absent))))

    async def _absent(self, ref: OwnerReference, namespace: str) -> bool:
        """Ask the API itself: a cache that lags must never make anything disappear."""
        kind = BY_GVK.get((ref.api_version, ref.kind))
        if kind is None:
            return False
        try:
            found = await self.context.client.get(kind.model, ref.name, namespace if kind.namespaced else None)
        except NotFound:
            return True
        return found.metadata.uid != ref.uid
