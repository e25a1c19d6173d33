"""Which revision of its template does a workload have now, what was it before, and what may be forgotten?

Source: Kubernetes' controller history. Each template that a StatefulSet or DaemonSet ever had is a ControllerRevision;
going back to an old one gives that revision the next number, so the highest number is always the present.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.api.core import PodTemplateSpec
from mesh.api.meta import ObjectMeta
from mesh.api.workloads import ControllerRevision, DaemonSet, StatefulSet
from mesh.controllers.actions import Create, Delete, Patch
from mesh.controllers.facts import controller_reference, creation_order, terminating
from mesh.controllers.templates import canonical, safe_hash

Owner = StatefulSet | DaemonSet
HASH_LABEL = "controller.kubernetes.io/hash"
DEFAULT_LIMIT = 10
_NOT_COPIED = frozenset({"kubectl.kubernetes.io/last-applied-configuration"})


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """present: the revision of the owner's template, as it is or will be stored.

    write: what must be stored first; None when the history is as it should be.
    known: every revision by name, the present one included.
    """

    present: ControllerRevision
    known: dict[str, ControllerRevision]
    write: Create | Patch | None = None


def canonical_of(obj: Owner | ControllerRevision) -> bytes:
    """Bytes that are equal exactly when the templates are."""
    return canonical(template_of(obj) if isinstance(obj, ControllerRevision) else obj.spec.template)


def plan_history(
    owner: Owner,
    revisions: Sequence[ControllerRevision],
    told: Callable[[Owner | ControllerRevision], bytes] = canonical_of,
) -> History:
    """Find the template among the revisions that the owner controls; else make one for it.

    told: `canonical_of`, or what remembers its answers.
    """
    ordered = in_order(revisions)
    wanted = told(owner)
    known = {revision.name: revision for revision in ordered}
    same = [revision for revision in ordered if told(revision) == wanted]
    highest = max((revision.revision for revision in ordered), default=0)
    if not same:
        made = _new(owner, wanted, highest + 1, known.keys())
        return History(present=made, known={**known, made.name: made}, write=Create(obj=made))
    present = same[-1]
    return History(present=present, known=known, write=_renumbered(present, highest))


def number_of(history: History) -> int:
    """The number of the present revision once what must be written is."""
    written = history.write.patch.get("revision") if isinstance(history.write, Patch) else None
    return int(written or history.present.revision or 0)


def in_order(revisions: Sequence[ControllerRevision]) -> list[ControllerRevision]:
    """Lowest number first."""
    return sorted((r for r in revisions if not terminating(r)), key=lambda r: (r.revision, creation_order(r)))


def template_of(revision: ControllerRevision) -> PodTemplateSpec:
    """The template that it keeps; one that somebody else wrote in another form counts as empty."""
    spec = (revision.data or {}).get("spec")
    raw = spec.get("template") if isinstance(spec, dict) else None
    return PodTemplateSpec.model_validate({k: v for k, v in (raw or {}).items() if k != "$patch"})


def data_of(template: PodTemplateSpec) -> dict[str, Any]:
    """The patch that takes an owner back to this template, as `kubectl rollout undo` sends it."""
    dumped = template.model_dump(by_alias=True, exclude_none=True)
    return {"spec": {"template": {"$patch": "replace", **dumped}}}


def _new(owner: Owner, wanted: bytes, number: int, taken: Collection[str]) -> ControllerRevision:
    """A name is the hash of the template; collisionCount, and then our own other revisions, make another of it."""
    salt = owner.status.collision_count or None
    while True:
        code = safe_hash(wanted, salt)
        if f"{owner.name}-{code}" not in taken:
            break
        salt = (salt or 0) + 1
    labels = {**(owner.spec.template.metadata.labels or {}), HASH_LABEL: code}
    if isinstance(owner, DaemonSet):
        labels["controller-revision-hash"] = code
    return ControllerRevision(
        metadata=ObjectMeta(
            name=f"{owner.name}-{code}",
            namespace=owner.namespace,
            labels=labels,
            annotations=_annotations(owner) or None,
            owner_references=[controller_reference(owner)],
        ),
        data=data_of(owner.spec.template),
        revision=number,
    )


def _annotations(owner: Owner) -> dict[str, str]:
    """The owner's own, so its change cause."""
    return {key: value for key, value in owner.metadata.annotation_map.items() if key not in _NOT_COPIED}


def _renumbered(present: ControllerRevision, highest: int) -> Patch | None:
    """An old revision that is the present one again gets the next number; its change cause stays its own."""
    if present.revision == highest:
        return None
    return Patch(cls=ControllerRevision, key=present.key, patch={"revision": highest + 1})


def plan_forgetting(owner: Owner, revisions: Sequence[ControllerRevision], in_use: Collection[str]) -> Iterator[Delete]:
    """Revisions beyond revisionHistoryLimit, oldest first. in_use: names that must stay, and do not count."""
    limit = owner.spec.revision_history_limit
    limit = DEFAULT_LIMIT if limit is None else limit
    spare = [revision for revision in in_order(revisions) if revision.name not in in_use]
    for revision in spare[: max(0, len(spare) - limit)]:
        yield Delete(cls=ControllerRevision, key=revision.key, uid=revision.metadata.uid)
