"""How do the revisions of StatefulSets and DaemonSets get into the store, and back?"""

import logging
from collections import OrderedDict
from collections.abc import Sequence

from mesh.api.core import PodTemplateSpec
from mesh.api.errors import AlreadyExists, NotFound
from mesh.api.selectors import Selector
from mesh.api.workloads import ControllerRevision, DaemonSet, StatefulSet
from mesh.controllers.actions import Create
from mesh.controllers.cache import select
from mesh.controllers.facts import controlled_by, terminating
from mesh.controllers.history_plan import History, Owner, canonical_of, number_of, plan_history, template_of
from mesh.controllers.ownership import plan_claims
from mesh.controllers.runtime import Controller

log = logging.getLogger("mesh.controllers")
REMEMBERED = 512


class Historian:
    """Keeps the revisions of one kind of workload, in the name of its controller. A change of one queues its owner."""

    def __init__(self, controller: Controller, kind: type[StatefulSet] | type[DaemonSet]) -> None:
        self._controller, self._kind = controller, kind
        self._caches = controller.caches
        self._told: OrderedDict[tuple[str | None, int | None], bytes] = OrderedDict()
        self._templates: OrderedDict[str, PodTemplateSpec] = OrderedDict()
        self._written: dict[str, tuple[str, int]] = {}
        """Owner's uid -> name and number of the revision that it wrote last, until the cache shows it."""
        self._caches.revisions.on_change(self._changed)

    def _changed(self, old: ControllerRevision | None, new: ControllerRevision | None) -> None:
        for revision in (old, new):
            owner = revision.metadata.controller if revision is not None else None
            if revision is not None and owner is not None and owner.kind == self._kind.__name__:
                self._controller.enqueue((revision.namespace, owner.name))

    def _canonical(self, obj: Owner | ControllerRevision) -> bytes:
        """Remembered: a template only changes with its owner's generation, and in a revision never."""
        memo = (obj.metadata.uid, obj.metadata.generation)
        found = self._told.get(memo)
        if found is None:
            found = self._told[memo] = canonical_of(obj)
            if len(self._told) > REMEMBERED:
                self._told.popitem(last=False)
        return found

    def template(self, revision: ControllerRevision) -> PodTemplateSpec:
        """The template that a stored revision keeps."""
        uid = revision.metadata.uid or ""
        found = self._templates.get(uid)
        if found is None:
            found = self._templates[uid] = template_of(revision)
            if len(self._templates) > REMEMBERED:
                self._templates.popitem(last=False)
        return found

    async def history(self, owner: Owner, selector: Selector) -> History | None:
        """The history as it is stored; None when something was written first and the owner will be queued for it."""
        owned = self._caches.revisions_by_owner.get(owner.metadata.uid)
        orphans = select(self._caches.orphan_revisions, owner.namespace, selector)
        claims = list(plan_claims(owner, selector, (), orphans))
        for claim in claims:
            await self._controller.perform(claim)
        if claims:
            return None
        if not await self._shown(owner, owned):
            return None  # or a number would be given twice
        history = plan_history(owner, owned, self._canonical)
        if history.write is None:
            return history
        if terminating(owner):
            return None
        try:
            await self._controller.perform(history.write)
        except AlreadyExists:
            if not isinstance(history.write, Create):
                raise
            await self._collided(owner, history.present)
        else:
            self._written[owner.metadata.uid or ""] = (history.present.name, number_of(history))
        return None

    async def _shown(self, owner: Owner, owned: Sequence[ControllerRevision]) -> bool:
        """Whether the cache has what was written last, or that is gone again. If not, its coming queues the owner."""
        uid = owner.metadata.uid or ""
        if uid not in self._written:
            return True
        name, number = self._written[uid]
        if not any(revision.name == name and (revision.revision or 0) >= number for revision in owned):
            try:
                stored = await self._controller.context.client.get(ControllerRevision, name, owner.namespace)
            except NotFound:
                pass
            else:
                if controlled_by(stored, owner):
                    return False
        del self._written[uid]
        return True

    async def _collided(self, owner: Owner, wanted: ControllerRevision) -> None:
        """The name is taken: by our own revision that the cache does not show yet, or by another; then count it."""
        client = self._controller.context.client
        taken = await client.get(ControllerRevision, wanted.name, owner.namespace)
        if controlled_by(taken, owner) and taken.data == wanted.data:
            return
        count = (owner.status.collision_count or 0) + 1
        log.info("revision name is taken owner=%s name=%s collisions=%d", owner.name, wanted.name, count)
        patch = {"status": {"collisionCount": count}}
        await client.patch(type(owner), owner.name, patch, owner.namespace, "status")
