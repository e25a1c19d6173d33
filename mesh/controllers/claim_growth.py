"""A bound claim asks for more than its volume has: may it grow, and what is written?

A directory has no size of its own, so growing is bookkeeping, as with a network file system: the volume's capacity,
then the claim's.
"""

from collections.abc import Sequence

from mesh.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from mesh.api.storage_names import PROVISIONER
from mesh.controllers.actions import Action, Patch, note, pinned
from mesh.controllers.volume_match import size, wanted_size

RESIZING = "Resizing"
NO_EXPANSION = (
    "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"
)


def plan_growth(
    claim: PersistentVolumeClaim, volume: PersistentVolume, storage_class: StorageClass | None, stamp: str
) -> Sequence[Action]:
    """The writes of an expansion; none when the volume is large enough."""
    if wanted_size(claim) <= size(volume.spec.capacity):
        return ()
    if storage_class is None or not storage_class.allow_volume_expansion:
        return (note(claim, "VolumeResizeFailed", NO_EXPANSION, "Warning"),)
    if (volume.spec.csi or {}).get("driver") != PROVISIONER:
        text = "waiting for an external controller to expand this PVC: nothing here can expand its volume"
        return (note(claim, "ExternalExpanding", text, "Warning"),)
    wanted = ((claim.spec.resources or {}).get("requests") or {})["storage"]
    resizing = {"type": RESIZING, "status": "True", "lastTransitionTime": stamp}
    return (
        # Pinned and first: who looks at an old state of the volume must not tell the claim anything.
        pinned(volume, {"spec": {"capacity": {"storage": wanted}}}),
        _status(claim, {"conditions": [resizing]}),
        note(claim, "Resizing", f"External resizer is resizing volume {volume.name}"),
        _status(claim, {"capacity": {"storage": wanted}, "conditions": None}),
        note(claim, "VolumeResizeSuccessful", "Resize volume succeeded"),
    )


def _status(claim: PersistentVolumeClaim, status: dict[str, object]) -> Patch:
    return Patch(cls=PersistentVolumeClaim, key=claim.key, patch={"status": status}, subresource="status")
