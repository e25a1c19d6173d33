"""May a volume be made for a claim, how does it look, and when may its data go?

A volume of this mesh is a directory. Its class says of which kind, its claim how large and with which access modes;
what a kind cannot give is refused in an event, never promised.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mesh.api.meta import ObjectMeta
from mesh.api.storage import PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec, StorageClass
from mesh.api.storage_names import (
    DIRECTORY,
    MODES,
    PROVISIONED_BY,
    PROVISIONER,
    PROVISIONER_FINALIZER,
    SELECTED_NODE,
    STORAGE_PROVISIONER,
    VOLUME_PROTECTION,
    directory_name,
)
from mesh.controllers.actions import Create, Draft, Plan, note, pinned
from mesh.controllers.claims_plan import LATE, claim_reference
from mesh.controllers.facts import terminating
from mesh.controllers.volume_match import class_of

Json = dict[str, Any]


def volume_name(claim: PersistentVolumeClaim) -> str:
    """The name of the volume that is made for a claim."""
    return f"pvc-{claim.metadata.uid}"


def is_asked(claim: PersistentVolumeClaim, storage_class: StorageClass | None) -> bool:
    """Is it our turn to make a volume for the claim?"""
    notes = claim.metadata.annotation_map
    if claim.spec.volume_name or terminating(claim) or notes.get(STORAGE_PROVISIONER) != PROVISIONER:
        return False
    late = storage_class is not None and storage_class.volume_binding_mode == LATE
    return not late or SELECTED_NODE in notes


def plan_provision(claim: PersistentVolumeClaim, storage_class: StorageClass | None) -> Plan:
    """The volume for a claim that asks us for one, or why there is none."""
    draft = Draft()
    name = class_of(claim)
    if storage_class is None:
        text = f'storageclass.storage.k8s.io "{name}" not found'
        draft.add(note(claim, "ProvisioningFailed", text, "Warning"))
        return draft.done()
    wrong = refusal(claim, storage_class)
    if wrong is not None:
        text = f'failed to provision volume with StorageClass "{name}": {wrong}'
        draft.add(note(claim, "ProvisioningFailed", text, "Warning"))
        return draft.done()
    volume = volume_for(claim, storage_class)
    who = f"{claim.namespace}/{claim.name}"
    draft.add(
        note(claim, "Provisioning", f'External provisioner is provisioning volume for claim "{who}"'),
        Create(obj=volume),
        note(claim, "ProvisioningSucceeded", f"Successfully provisioned volume {volume.name}"),
    )
    return draft.done()


def refusal(claim: PersistentVolumeClaim, storage_class: StorageClass) -> str | None:
    """What of the claim or its class cannot be had; None when all can."""
    parameters = dict(storage_class.parameters or {})
    kind = parameters.pop("kind", DIRECTORY)
    if kind not in MODES:
        return f'parameter kind "{kind}" does not exist: use one of {", ".join(MODES)}'
    if parameters:
        return f"parameter {min(parameters)} does not exist: there is only kind"
    if storage_class.mount_options:
        return "mount options are not supported by this provisioner"
    if (claim.spec.volume_mode or "Filesystem") != "Filesystem":
        return "there are no block devices here: use volumeMode Filesystem"
    if claim.spec.selector is not None:
        return "claim Selector is not supported"
    extra = claim.spec.model_extra or {}
    for field in ("dataSource", "dataSourceRef"):
        if extra.get(field):
            return f"spec.{field} is not supported: a new volume is always empty"
    missing = [mode for mode in claim.spec.access_modes or () if mode not in MODES[kind]]
    if missing:
        others = sorted(other for other, modes in MODES.items() if set(missing) <= set(modes))
        hint = f"; a class with parameter kind: {' or '.join(others)} gives it" if others else ""
        return (
            f"access mode {missing[0]} cannot be had from a volume of kind {kind}, only {', '.join(MODES[kind])}{hint}"
        )
    return None


def volume_for(claim: PersistentVolumeClaim, storage_class: StorageClass) -> PersistentVolume:
    """The volume that such a claim gets."""
    name = volume_name(claim)
    requests = (claim.spec.resources or {}).get("requests") or {}
    kind = (storage_class.parameters or {}).get("kind", DIRECTORY)
    return PersistentVolume(
        metadata=ObjectMeta(
            name=name,
            annotations={PROVISIONED_BY: PROVISIONER},
            finalizers=[VOLUME_PROTECTION, PROVISIONER_FINALIZER],
        ),
        spec=PersistentVolumeSpec(
            capacity={"storage": requests.get("storage", "0")},
            access_modes=list(claim.spec.access_modes or ()),
            persistent_volume_reclaim_policy=storage_class.reclaim_policy or "Delete",
            storage_class_name=storage_class.name,
            claim_ref=claim_reference(claim),
            volume_mode="Filesystem",
            node_affinity=within_topologies(storage_class),
            csi={"driver": PROVISIONER, "volumeHandle": name, "volumeAttributes": {"kind": kind}},
        ),
    )


def within_topologies(storage_class: StorageClass) -> Json | None:
    """The node affinity that a class's allowed topologies come to."""
    if not storage_class.allowed_topologies:
        return None
    terms = [
        {
            "matchExpressions": [
                {"key": e.get("key"), "operator": "In", "values": e.get("values") or []}
                for e in topology.get("matchLabelExpressions") or ()
            ]
        }
        for topology in storage_class.allowed_topologies
    ]
    return {"required": {"nodeSelectorTerms": terms}}


@dataclass(frozen=True, slots=True)
class Farewell:
    """What a volume that is going needs of its provisioner. directory: to be removed first, None for nothing."""

    directory: str | None
    plan: Plan


def plan_farewell(volume: PersistentVolume, others: Sequence[PersistentVolume], attached: Sequence[str]) -> Farewell:
    """Remove the data of a volume that is being deleted, as its policy says, and let it go.

    others: all volumes; data that one of them stands for as well stays.  attached: nodes that still hold it.
    """
    finalizers = list(volume.metadata.finalizers or ())
    waits = VOLUME_PROTECTION in finalizers or PROVISIONER_FINALIZER not in finalizers
    if not terminating(volume) or waits or attached:
        return Farewell(None, Plan())
    finalizers.remove(PROVISIONER_FINALIZER)
    plan = Plan((pinned(volume, {"metadata": {"finalizers": finalizers or None}}),))
    name = directory_name(volume.spec.csi)
    shared = any(o.metadata.uid != volume.metadata.uid and directory_name(o.spec.csi) == name for o in others)
    if volume.spec.persistent_volume_reclaim_policy != "Delete" or shared:
        name = None
    return Farewell(name, plan)
