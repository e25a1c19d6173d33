"""What becomes of dependents when their owner goes?

Background: the owner is gone, its dependents follow.  Foreground: the owner waits for the dependents that block it.
Orphan: dependents lose the reference and stay.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from mesh.api.meta import Object
from mesh.controllers.actions import Action, Delete, Patch, pinned
from mesh.controllers.facts import terminating

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"


def plan_absent(dependents: Sequence[Object], absent: AbstractSet[str]) -> list[Action]:
    """Delete what has no owner left; take dangling references from what still has one. absent: uids of gone owners."""
    actions: list[Action] = []
    for obj in dependents:
        owners = [ref.uid for ref in obj.metadata.owner_references or ()]
        if all(uid in absent for uid in owners):
            if not terminating(obj):
                actions.append(_delete(obj, "Background"))
        elif any(uid in absent for uid in owners):
            actions.append(without_owners(obj, absent))
    return actions


def plan_leaving(owner: Object, dependents: Sequence[Object]) -> list[Action]:
    """What an owner that is marked and waits for us needs next; nothing when it does not wait for us."""
    finalizers = owner.metadata.finalizers or []
    if not terminating(owner):
        return []
    if ORPHAN in finalizers:
        released = [without_owners(obj, {owner.metadata.uid or ""}) for obj in dependents]
        return [*released, _without_finalizer(owner, ORPHAN)]
    if FOREGROUND not in finalizers:
        return []
    blocking = [obj for obj in dependents if _blocks(obj, owner)]
    if not blocking:
        return [_without_finalizer(owner, FOREGROUND)]
    return [_delete(obj, "Foreground") for obj in blocking if not terminating(obj)]


def _blocks(obj: Object, owner: Object) -> bool:
    references = obj.metadata.owner_references or ()
    return any(ref.uid == owner.metadata.uid and ref.block_owner_deletion for ref in references)


def _delete(obj: Object, propagation: str) -> Delete:
    finalizers = obj.metadata.finalizers or ()
    own = {ORPHAN: "Orphan", FOREGROUND: "Foreground"}
    propagation = next((own[f] for f in finalizers if f in own), propagation)
    return Delete(cls=type(obj), key=obj.key, uid=obj.metadata.uid, propagation=propagation)


def without_owners(obj: Object, uids: AbstractSet[str]) -> Patch:
    """Take the references to those owners away."""
    kept = [ref for ref in obj.metadata.owner_references or () if ref.uid not in uids]
    dumped = [ref.model_dump(by_alias=True, exclude_none=True) for ref in kept]
    return pinned(obj, {"metadata": {"ownerReferences": dumped or None}})


def _without_finalizer(obj: Object, finalizer: str) -> Patch:
    kept = [name for name in obj.metadata.finalizers or () if name != finalizer]
    return pinned(obj, {"metadata": {"finalizers": kept or None}})
