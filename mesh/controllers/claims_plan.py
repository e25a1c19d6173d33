"""Given a claim and the volumes that there are, what does it get?

Source: Kubernetes' persistent volume controller. A claim is bound in four writes, any of which may be the last one
before a crash: the volume names the claim, the volume is Bound, the claim names the volume, the claim is Bound.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mesh.api.core import Pod
from mesh.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from mesh.api.storage_names import (
    BETA_STORAGE_PROVISIONER,
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    CLAIM_PROTECTION,
    NO_PROVISIONER,
    PROVISIONER,
    SELECTED_NODE,
    STORAGE_PROVISIONER,
)
from mesh.controllers.actions import Action, Draft, Note, Patch, Plan, note, pinned, status_patch
from mesh.controllers.claim_growth import RESIZING, plan_growth
from mesh.controllers.facts import finished, terminating
from mesh.controllers.volume_match import best, bound_to, class_of, mismatch, reserved_for

LATE = "WaitForFirstConsumer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that the decision depends on.

    volumes: at least those that it may get or has.  classes: all of them.  pods: those that use the claim.
    stamp: now, as RFC 3339 text.
    """

    claim: PersistentVolumeClaim
    volumes: Sequence[PersistentVolume] = ()
    classes: Sequence[StorageClass] = ()
    pods: Sequence[Pod] = ()
    stamp: str = ""


def plan_claim(seen: Observed) -> Plan:
    """The next writes for a claim."""
    claim, draft = seen.claim, Draft()
    finalizers = claim.metadata.finalizers or []
    if terminating(claim):
        # A pod without a node does not use anything yet.
        if CLAIM_PROTECTION in finalizers and all(finished(pod) or not pod.spec.node_name for pod in seen.pods):
            kept = [name for name in finalizers if name != CLAIM_PROTECTION]
            draft.add(pinned(claim, {"metadata": {"finalizers": kept or None}}))
        return draft.done()
    if CLAIM_PROTECTION not in finalizers:
        draft.add(pinned(claim, {"metadata": {"finalizers": [*finalizers, CLAIM_PROTECTION]}}))
        return draft.done()
    if BIND_COMPLETED in claim.metadata.annotation_map:
        draft.add(*_keep(seen))
    else:
        draft.add(*_seek(seen))
    return draft.done()


def default_class(classes: Sequence[StorageClass]) -> StorageClass | None:
    """The class of claims that name none: of several default classes the one that was made last."""
    named = [found for found in classes if found.is_default]
    return max(named, key=lambda c: (c.metadata.creation_timestamp or "", c.name), default=None)


def _keep(seen: Observed) -> Sequence[Action | None]:
    """A claim that was bound stays so, unless its volume is gone or somebody else's."""
    claim = seen.claim
    volume = _named(seen)
    if volume is None:
        what = f'"{claim.spec.volume_name}"' if claim.spec.volume_name else "it is not known which"
        return _lost(claim, "ClaimLost", f"Bound claim has lost its PersistentVolume ({what}). "
                     "Data on the volume is lost!")  # fmt: skip
    if volume.spec.claim_ref and not bound_to(volume, claim):
        return _lost(claim, "ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly")
    growth = plan_growth(claim, volume, _class_named(seen, class_of(claim) or ""), seen.stamp)
    return growth or _bind(claim, volume, class_of(claim))


def _lost(claim: PersistentVolumeClaim, reason: str, message: str) -> Sequence[Action | None]:
    if claim.status.phase == "Lost":
        return ()
    return _status(claim, {"phase": "Lost"}), note(claim, reason, message, "Warning")


def _seek(seen: Observed) -> Sequence[Action | None]:
    """A claim without a volume: take the one that it names, one that fits, or have one made."""
    claim = seen.claim
    if claim.spec.volume_name:
        return _take_named(seen)
    class_name = class_of(claim)
    if class_name is None:
        fallback = default_class(seen.classes)
        class_name = fallback.name if fallback is not None else None
    found = best(claim, class_name or "", seen.volumes)
    storage_class = _class_named(seen, class_name or "")
    late = storage_class is not None and storage_class.volume_binding_mode == LATE
    selected = SELECTED_NODE in claim.metadata.annotation_map
    if found is not None and (reserved_for(found, claim) or not late):
        return _bind(claim, found, class_name)
    pending: list[Action | None] = [_pending(claim), _classified(claim, class_name)]
    if not class_name:
        pending.append(note(claim, "FailedBinding", "no persistent volumes available for this claim and no storage "
                             "class is set"))  # fmt: skip
    elif storage_class is None:
        missing = f'storageclass.storage.k8s.io "{class_name}" not found'
        pending.append(note(claim, "ProvisioningFailed", missing, "Warning"))
    elif late and not selected:
        waits = [pod.name for pod in seen.pods if not pod.spec.node_name and not finished(pod)]
        pending.append(_waits_for(claim, waits))
    else:
        pending += _ask_for(claim, storage_class)
    return pending


def _waits_for(claim: PersistentVolumeClaim, pods: Sequence[str]) -> Note:
    if pods:
        return note(claim, "WaitForPodScheduled", f"waiting for pod {','.join(sorted(pods))} to be scheduled")
    return note(claim, LATE, "waiting for first consumer to be created before binding")


def _take_named(seen: Observed) -> Sequence[Action | None]:
    claim, volume = seen.claim, _named(seen)
    if volume is None:
        text = f'persistentvolume "{claim.spec.volume_name}" not found'
        return _pending(claim), note(claim, "FailedBinding", text, "Warning")
    if volume.spec.claim_ref and not reserved_for(volume, claim):
        text = f'volume "{volume.name}" already bound to a different claim.'
        return _pending(claim), note(claim, "FailedBinding", text, "Warning")
    # Who names a volume and no class takes the volume's.
    class_name = class_of(claim)
    wrong = mismatch(volume, claim, class_of(volume) or "" if class_name is None else class_name)
    if wrong is not None and not bound_to(volume, claim):
        text = f'Cannot bind to requested volume "{volume.name}": {wrong}'
        return _pending(claim), note(claim, "VolumeMismatch", text, "Warning")
    return _bind(claim, volume, class_of(volume))


def _ask_for(claim: PersistentVolumeClaim, storage_class: StorageClass) -> Sequence[Action | None]:
    """Say who is to make a volume; that one does the rest."""
    maker = storage_class.provisioner
    if maker.startswith("kubernetes.io/"):
        text = f"no volume plugin matched name: {maker}"
        if maker == NO_PROVISIONER:
            text = "no persistent volumes available for this claim, and its class has hand-made volumes only"
        return (note(claim, "ProvisioningFailed", text, "Warning"),)
    wanted = {STORAGE_PROVISIONER: maker, BETA_STORAGE_PROVISIONER: maker}
    have = claim.metadata.annotation_map
    missing = {key: value for key, value in wanted.items() if have.get(key) != value}
    told = note(
        claim,
        "ExternalProvisioning",
        f"Waiting for a volume to be created either by the external provisioner '{maker}' or manually by the system "
        "administrator. If volume creation is delayed, please verify that the provisioner is running and correctly "
        "registered.",
    )
    if maker == PROVISIONER:
        return _claim_patch(claim, {"metadata": {"annotations": missing}}) if missing else None, told
    nobody = f'nothing here runs the provisioner "{maker}": storage class "{storage_class.name}" needs {PROVISIONER}'
    marked = _claim_patch(claim, {"metadata": {"annotations": missing}}) if missing else None
    return marked, told, note(claim, "ProvisioningFailed", nobody, "Warning")


def _bind(
    claim: PersistentVolumeClaim, volume: PersistentVolume, class_name: str | None
) -> Sequence[Action | None]:  # fmt: skip
    """The four writes, each only where it is missing."""
    actions: list[Action | None] = []
    if not bound_to(volume, claim):
        ours = not volume.spec.claim_ref
        patch: dict[str, object] = {"spec": {"claimRef": claim_reference(claim)}}
        if ours:
            patch["metadata"] = {"annotations": {BOUND_BY_CONTROLLER: "yes"}}
        actions.append(pinned(volume, patch))
    if volume.status.phase != "Bound":
        actions.append(status_patch(volume, {"phase": "Bound"}))
    notes = {} if BIND_COMPLETED in claim.metadata.annotation_map else {BIND_COMPLETED: "yes"}
    spec: dict[str, object] = {}
    if not claim.spec.volume_name:
        spec["volumeName"] = volume.name
        notes[BOUND_BY_CONTROLLER] = "yes"
    if claim.spec.storage_class_name is None and class_name:
        spec["storageClassName"] = class_name
    if spec or notes:
        actions.append(_claim_patch(claim, {"metadata": {"annotations": notes}, "spec": spec}))
    status = {"phase": "Bound", "accessModes": volume.spec.access_modes, "capacity": volume.spec.capacity}
    actions.append(_status(claim, status))
    return actions


def claim_reference(claim: PersistentVolumeClaim) -> dict[str, object]:
    """What a volume writes down of the claim that has it."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": claim.namespace,
        "name": claim.name,
        "uid": claim.metadata.uid,
    }


def _named(seen: Observed) -> PersistentVolume | None:
    return next((volume for volume in seen.volumes if volume.name == seen.claim.spec.volume_name), None)


def _class_named(seen: Observed, name: str) -> StorageClass | None:
    return next((found for found in seen.classes if found.name == name), None)


def _classified(claim: PersistentVolumeClaim, class_name: str | None) -> Patch | None:
    """A claim that names no class gets the default one written into it."""
    if class_of(claim) is not None or not class_name:
        return None
    return _claim_patch(claim, {"spec": {"storageClassName": class_name}})


def _pending(claim: PersistentVolumeClaim) -> Patch | None:
    return _status(claim, {"phase": "Pending"})


def _status(claim: PersistentVolumeClaim, status: Mapping[str, object]) -> Patch | None:
    """The whole status; of its conditions only those that others wrote are kept."""
    kept = [c.model_dump(by_alias=True, exclude_none=True) for c in claim.status.conditions or () if c.type != RESIZING]
    return status_patch(claim, {**status, "conditions": kept or None})


def _claim_patch(claim: PersistentVolumeClaim, patch: dict[str, dict[str, object]]) -> Patch:
    """A patch of this very claim. Its version may have moved on by an earlier write of the same plan."""
    filled = {key: value for key, value in patch.items() if value and (key != "metadata" or value.get("annotations"))}
    metadata = {**filled.get("metadata", {}), "uid": claim.metadata.uid}
    return Patch(cls=PersistentVolumeClaim, key=claim.key, patch={**filled, "metadata": metadata})
