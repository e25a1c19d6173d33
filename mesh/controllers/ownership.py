"""Which objects does a workload take for its own, and which does it let go?"""

from collections.abc import Iterable
from typing import TypeVar

from mesh.api.core import Pod
from mesh.api.meta import Object, OwnerReference
from mesh.api.selectors import Selector
from mesh.api.workloads import ControllerRevision, ReplicaSet
from mesh.controllers.actions import Patch, pinned
from mesh.controllers.facts import controller_reference, terminating

T = TypeVar("T", ReplicaSet, Pod, ControllerRevision)


def plan_claims(owner: Object, selector: Selector, owned: Iterable[T], orphans: Iterable[T]) -> list[Patch]:
    """Adopt orphans that the owner selects; let go of what it owns but does not select any more.

    orphans: objects without a manager that match the selector.  Nothing changes while the owner is going away.
    """
    if terminating(owner) or selector.empty:
        return []
    claims = [_adopt(obj, owner) for obj in orphans if not terminating(obj)]
    return claims + [_release(obj, owner) for obj in owned if not selector.matches(obj.metadata.labels)]


def _adopt(obj: T, owner: Object) -> Patch:
    """Only this very version: somebody else may adopt it at the same moment."""
    return _with_owners(obj, [*(obj.metadata.owner_references or ()), controller_reference(owner)])


def _release(obj: T, owner: Object) -> Patch:
    return _with_owners(obj, [ref for ref in obj.metadata.owner_references or () if ref.uid != owner.metadata.uid])


def _with_owners(obj: T, references: list[OwnerReference]) -> Patch:
    dumped = [reference.model_dump(by_alias=True, exclude_none=True) for reference in references]
    return pinned(obj, {"metadata": {"ownerReferences": dumped or None}})
