"""Which names do the parts agree on that make, bind, attach and mount volumes?

Kubernetes' own annotations and finalizers, and this mesh's one provisioner: a volume of it is a directory of the mesh.
"""

import re
from collections.abc import Mapping
from typing import Any

from mesh.api.storage import CLAIM_PROTECTION as CLAIM_PROTECTION
from mesh.api.storage import DEFAULT_CLASS as DEFAULT_CLASS
from mesh.api.storage import PROVISIONER as PROVISIONER
from mesh.api.storage import VOLUME_PROTECTION as VOLUME_PROTECTION

NO_PROVISIONER = "kubernetes.io/no-provisioner"
"""A class of this provisioner has hand-made volumes only."""

DIRECTORY, SHARED, OBJECTS = "directory", "shared", "objects"
"""What such a volume is: a disk that one node holds at a time, a network file system, or an append-only store."""

RWO, ROX, RWX, RWOP = "ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"
MODES: dict[str, tuple[str, ...]] = {
    DIRECTORY: (RWO, RWOP),
    SHARED: (RWO, ROX, RWX),
    OBJECTS: (RWO, ROX, RWX),
}
"""Which access modes each kind of volume can give."""

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
STORAGE_PROVISIONER = "volume.kubernetes.io/storage-provisioner"
BETA_STORAGE_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
BETA_STORAGE_CLASS = "volume.beta.kubernetes.io/storage-class"

PROVISIONER_FINALIZER = "external-provisioner.volume.kubernetes.io/finalizer"

_HANDLE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9._]{0,251}[A-Za-z0-9])?")


def directory_name(csi: Mapping[str, Any] | None) -> str | None:
    """The name below the mesh's volume directory of a volume with that `spec.csi`; None when it is not one of ours.

    Only a plain name is one: no separator, nothing that leads upwards.
    """
    handle = str((csi or {}).get("volumeHandle", ""))
    if csi is None or csi.get("driver") != PROVISIONER or not _HANDLE.fullmatch(handle):
        return None
    return handle


def directory_kind(csi: Mapping[str, Any] | None) -> str:
    """What kind of volume it is: DIRECTORY unless its attributes say otherwise."""
    attributes = (csi or {}).get("volumeAttributes")
    return str((attributes if isinstance(attributes, Mapping) else {}).get("kind") or DIRECTORY)


def attach_name(csi: Mapping[str, Any] | None) -> str | None:
    """The name that a node's status.volumesAttached has for the volume while it is attached there.

    None for a volume that needs no attaching: a network file system, an object store, a directory of the node.
    """
    if csi is None or csi.get("driver") != PROVISIONER or directory_kind(csi) != DIRECTORY:
        return None
    return f"kubernetes.io/csi/{PROVISIONER}^{csi.get('volumeHandle', '')}"
