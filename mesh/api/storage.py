"""What are a PersistentVolume, the claim on one, and a StorageClass?

Where a volume's data is stays plain JSON (`csi`, `hostPath`, `local`, `nfs`): those who open it know its form.
Amounts are the text that was written, such as `1Gi`.
"""

from typing import Any

from pydantic import Field

from mesh.api.meta import Condition, LabelSelector, Model, Object, Raw

PROVISIONER = "loopmesh.io/directory"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
OLD_DEFAULT_CLASS = "storageclass.beta.kubernetes.io/is-default-class"
CLAIM_PROTECTION = "kubernetes.io/pvc-protection"
VOLUME_PROTECTION = "kubernetes.io/pv-protection"


class PersistentVolumeSpec(Model):
    """claim_ref: {kind, namespace, name, uid, ...} of the claim that has it."""

    capacity: dict[str, Any] | None = None
    access_modes: list[str] | None = None
    persistent_volume_reclaim_policy: str | None = None
    storage_class_name: str | None = None
    claim_ref: Raw | None = None
    volume_mode: str | None = None
    mount_options: list[str] | None = None
    node_affinity: Raw | None = None
    host_path: Raw | None = None
    local: Raw | None = None
    csi: Raw | None = None
    nfs: Raw | None = None


class PersistentVolumeStatus(Model):
    phase: str | None = None
    reason: str | None = None
    message: str | None = None
    last_phase_transition_time: str | None = None


class PersistentVolume(Object):
    spec: PersistentVolumeSpec = Field(default_factory=PersistentVolumeSpec)
    status: PersistentVolumeStatus = Field(default_factory=PersistentVolumeStatus)


class PersistentVolumeClaimSpec(Model):
    """resources: {requests: {storage}}.  storage_class_name: None is not known yet, "" is no class at all."""

    access_modes: list[str] | None = None
    resources: dict[str, Any] | None = None
    storage_class_name: str | None = None
    volume_name: str | None = None
    volume_mode: str | None = None
    selector: LabelSelector | None = None

    @property
    def wanted(self) -> str:
        """The amount that is asked for, `0` when none is."""
        requests = (self.resources or {}).get("requests") or {}
        return str(requests.get("storage", "0"))


class PersistentVolumeClaimStatus(Model):
    phase: str | None = None
    access_modes: list[str] | None = None
    capacity: dict[str, Any] | None = None
    conditions: list[Condition] | None = None


class PersistentVolumeClaim(Object):
    spec: PersistentVolumeClaimSpec = Field(default_factory=PersistentVolumeClaimSpec)
    status: PersistentVolumeClaimStatus = Field(default_factory=PersistentVolumeClaimStatus)


class StorageClass(Object):
    provisioner: str = ""
    parameters: dict[str, str] | None = None
    reclaim_policy: str | None = None
    volume_binding_mode: str | None = None
    allow_volume_expansion: bool | None = None
    mount_options: list[str] | None = None
    allowed_topologies: list[Raw] | None = None

    @property
    def is_default(self) -> bool:
        """True when claims without a class get this one."""
        said = self.metadata.annotation_map
        return "true" in (said.get(DEFAULT_CLASS), said.get(OLD_DEFAULT_CLASS))
