"""Given a volume and the claim that it names, what is its phase, and what becomes of it when the claim is gone?

Source: Kubernetes' persistent volume controller. Retain keeps a volume as it is until somebody clears its claimRef;
Delete removes the object, and its provisioner the data behind it.
"""

from dataclasses import dataclass

from mesh.api.storage import PersistentVolume, PersistentVolumeClaim
from mesh.api.storage_names import (
    BOUND_BY_CONTROLLER,
    MODES,
    PROVISIONED_BY,
    PROVISIONER,
    PROVISIONER_FINALIZER,
    VOLUME_PROTECTION,
    directory_kind,
    directory_name,
)
from mesh.controllers.actions import Action, Delete, Draft, Plan, note, pinned, status_patch
from mesh.controllers.facts import terminating
from mesh.controllers.volume_match import bound_to


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """claim: the one of the name that claimRef says, whatever its uid; None when the API has none."""

    volume: PersistentVolume
    claim: PersistentVolumeClaim | None = None


def plan_volume(seen: Observed) -> Plan:
    """The next writes for a volume."""
    volume, draft = seen.volume, Draft()
    finalizers = list(volume.metadata.finalizers or ())
    phase, reason, message = judge(seen)
    if terminating(volume):
        if phase != "Bound" and VOLUME_PROTECTION in finalizers:
            finalizers.remove(VOLUME_PROTECTION)
            draft.add(pinned(volume, {"metadata": {"finalizers": finalizers or None}}))
        return draft.done()
    missing = [name for name in _finalizers(volume) if name not in finalizers]
    if missing:
        draft.add(pinned(volume, {"metadata": {"finalizers": [*finalizers, *missing]}}))
        return draft.done()
    if _given_back(seen):
        ours = BOUND_BY_CONTROLLER in volume.metadata.annotation_map
        cleared = None if ours else {"uid": None, "resourceVersion": None}
        draft.add(
            pinned(volume, {"metadata": {"annotations": {BOUND_BY_CONTROLLER: None}}, "spec": {"claimRef": cleared}})
        )
        return draft.done()
    status = {"phase": phase, "reason": reason, "message": message}
    draft.add(status_patch(volume, status))
    if phase == "Released":
        draft.add(_reclaim(volume))
    elif phase == "Failed" and volume.status.message != message:
        draft.add(note(volume, reason or "", message or "", "Warning"))
    return draft.done()


def judge(seen: Observed) -> tuple[str, str | None, str | None]:
    """Phase, reason and message of its status."""
    volume, claim = seen.volume, seen.claim
    ref = volume.spec.claim_ref
    wrong = _unusable(volume)
    if wrong is not None:
        return "Failed", "VolumeInvalid", wrong
    if not ref or not ref.get("uid"):
        return "Available", None, None
    elsewhere = claim is not None and claim.spec.volume_name not in (None, "", volume.name)
    if claim is not None and bound_to(volume, claim) and not (elsewhere and _made(volume)):
        # While only the volume's half is written the other half is on its way.
        return "Bound", None, None
    policy = volume.spec.persistent_volume_reclaim_policy or "Retain"
    ours = (volume.spec.csi or {}).get("driver") == PROVISIONER
    if policy == "Recycle":
        return "Failed", "VolumeFailedRecycle", "Recycle is not carried out here: use Delete, or Retain"
    if policy == "Delete" and not ours:
        text = f'error getting deleter volume plugin for volume "{volume.name}": no deletable volume plugin matched'
        return "Failed", "VolumeFailedDelete", text
    return "Released", None, None


def _unusable(volume: PersistentVolume) -> str | None:
    """What is wrong with a volume of our own kind that somebody wrote by hand."""
    csi = volume.spec.csi or {}
    if csi.get("driver") != PROVISIONER:
        return None
    if directory_name(csi) is None:
        return f"spec.csi.volumeHandle {csi.get('volumeHandle')!r} is no plain name of letters, digits, '-' and '.'"
    kind = directory_kind(csi)
    if kind not in MODES:
        return f"spec.csi.volumeAttributes.kind {kind!r} does not exist: use one of {', '.join(MODES)}"
    return None


def _finalizers(volume: PersistentVolume) -> list[str]:
    """What must stay in the way of its removal: pods that use it, and data that goes first."""
    ours = (volume.spec.csi or {}).get("driver") == PROVISIONER
    return [VOLUME_PROTECTION, PROVISIONER_FINALIZER] if ours else [VOLUME_PROTECTION]


def _given_back(seen: Observed) -> bool:
    """It was set aside for a claim that took another one. One that was made for the claim is of no other use."""
    volume, claim = seen.volume, seen.claim
    if claim is None or not bound_to(volume, claim) or claim.spec.volume_name in (None, "", volume.name):
        return False
    return not _made(volume)


def _made(volume: PersistentVolume) -> bool:
    return PROVISIONED_BY in volume.metadata.annotation_map


def _reclaim(volume: PersistentVolume) -> Action | None:
    if (volume.spec.persistent_volume_reclaim_policy or "Retain") != "Delete":
        return None
    return Delete(cls=PersistentVolume, key=volume.key, uid=volume.metadata.uid)
