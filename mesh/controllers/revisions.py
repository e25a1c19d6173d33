"""What do a Deployment's ReplicaSets remember about its history?

The number of each revision, why it was made, and the sizes that were wanted: all in annotations, as Kubernetes has it.
"""

from collections.abc import Sequence

from mesh.api.workloads import Deployment, ReplicaSet
from mesh.controllers.actions import Patch, pinned
from mesh.controllers.facts import creation_order, terminating
from mesh.controllers.rollout import Bounds

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
_NOT_COPIED = {
    "kubectl.kubernetes.io/last-applied-configuration",
    "deprecated.deployment.rollback.to",
    REVISION,
    HISTORY,
    DESIRED,
    MAXIMUM,
}
NO_LIMIT = 2**31 - 1


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def revision(obj: Deployment | ReplicaSet) -> int:
    """Its revision; 0 when it has none yet."""
    return _number(obj.metadata.annotation_map.get(REVISION)) or 0


def marks(limit: Bounds) -> dict[str, str]:
    """The annotations that say for which sizes a ReplicaSet was sized."""
    return {DESIRED: str(limit.replicas), MAXIMUM: str(limit.most)}


def recorded(rs: ReplicaSet) -> tuple[int | None, int | None]:
    """What `marks` wrote: desired and maximum; None where it is missing."""
    annotations = rs.metadata.annotation_map
    return _number(annotations.get(DESIRED)), _number(annotations.get(MAXIMUM))


def annotations_for(deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> dict[str, str]:
    """What the new set must carry: the Deployment's own annotations (so its change cause) and its revision."""
    wanted = {k: v for k, v in deployment.metadata.annotation_map.items() if k not in _NOT_COPIED}
    number = max((revision(rs) for rs in old), default=0) + 1
    before = revision(new) if new is not None else 0
    if before < number:
        wanted[REVISION] = str(number)
        if new is not None and before:
            past = new.metadata.annotation_map.get(HISTORY)
            wanted[HISTORY] = f"{past},{before}" if past else str(before)
    return wanted


def revisions_patch(deployment: Deployment, new: ReplicaSet, old: Sequence[ReplicaSet]) -> Patch | None:
    """Bring the new set's annotations and minReadySeconds up to date."""
    have = new.metadata.annotation_map
    changed = {k: v for k, v in annotations_for(deployment, new, old).items() if have.get(k) != v}
    patch: dict[str, object] = {"metadata": {"annotations": changed}} if changed else {}
    wanted = deployment.spec.min_ready_seconds or 0
    if wanted != (new.spec.min_ready_seconds or 0):
        patch["spec"] = {"minReadySeconds": wanted}
    return pinned(new, patch) if patch else None


def revision_patch(deployment: Deployment, new: ReplicaSet) -> Patch | None:
    """The Deployment carries the revision of its new set."""
    number = new.metadata.annotation_map.get(REVISION)
    if number is None or deployment.metadata.annotation_map.get(REVISION) == number:
        return None
    return Patch(cls=Deployment, key=deployment.key, patch={"metadata": {"annotations": {REVISION: number}}})


def obsolete(deployment: Deployment, old: Sequence[ReplicaSet]) -> list[ReplicaSet]:
    """Old sets beyond revisionHistoryLimit, lowest revision first; only those without pods."""
    limit = deployment.spec.revision_history_limit
    limit = 10 if limit is None else limit
    if limit >= NO_LIMIT:
        return []
    alive = sorted((rs for rs in old if not terminating(rs)), key=lambda rs: (revision(rs), creation_order(rs)))
    surplus = alive[: max(0, len(alive) - limit)]
    return [
        rs
        for rs in surplus
        if rs.spec.replicas == 0
        and rs.status.replicas == 0
        and (rs.metadata.generation or 0) <= (rs.status.observed_generation or 0)
    ]
