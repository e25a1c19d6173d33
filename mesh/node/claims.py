"""Where is the directory that a claim stands for?"""

from dataclasses import dataclass
from typing import Any

from mesh.api.core import Pod, Volume
from mesh.api.errors import NotFound
from mesh.api.storage import PersistentVolume, PersistentVolumeClaim
from mesh.api.storage_names import PROVISIONER, ROX, attach_name, directory_name
from mesh.client.base import Client
from mesh.node.apps.context import BadSetting
from mesh.node.directories import Where
from mesh.node.volumes import Volumes


class NotYet(Exception):
    """The claim cannot be used now; `str()` says why, as the kubelet does."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """host_path: of the volume's own `hostPath` or `local`, to be checked; empty for other volumes.

    attach: the name under which the volume must be attached to the node first; None when it needs not be.
    """

    where: Where
    attach: str | None = None
    host_path: str = ""
    host_type: str = ""


async def find(client: Client, volumes: Volumes, pod: Pod, volume: Volume) -> Claimed:
    """Raises NotYet, BadSetting, and ApiError when the API cannot be asked."""
    reference: dict[str, Any] = volume.persistent_volume_claim or {}
    name = volume.claim_name(pod.name) or ""
    why = f"error processing PVC {pod.namespace}/{name}"
    try:
        claim = await client.get(PersistentVolumeClaim, name, pod.namespace)
    except NotFound:
        raise NotYet(f'{why}: failed to fetch PVC from API server: persistentvolumeclaims "{name}" not found') from None
    owner = claim.metadata.controller
    if volume.ephemeral is not None and (owner is None or owner.uid != pod.metadata.uid):
        raise NotYet(f"{why}: PVC was not created for the pod (pod is not owner)")
    if claim.metadata.deletion_timestamp:
        raise NotYet(f"{why}: PVC is being deleted")
    if claim.status.phase != "Bound" or not claim.spec.volume_name:
        raise NotYet(f"{why}: PVC is not bound")
    try:
        held = await client.get(PersistentVolume, claim.spec.volume_name)
    except NotFound:
        raise NotYet(
            f"{why}: failed to fetch PV {claim.spec.volume_name} from API server: "
            f'persistentvolumes "{claim.spec.volume_name}" not found'
        ) from None
    if (held.spec.claim_ref or {}).get("uid") not in (None, claim.metadata.uid):
        raise NotYet(f"{why}: PV {held.name} is bound to another claim")
    modes = claim.status.access_modes or claim.spec.access_modes
    return _place(held, volumes, read_only=bool(reference.get("readOnly")) or modes == [ROX])


def _place(held: PersistentVolume, volumes: Volumes, read_only: bool) -> Claimed:
    spec = held.spec
    for source in (spec.host_path, spec.local):
        if source is not None:
            path = str(source.get("path", ""))
            found = volumes.on_node(path)
            return Claimed(Where(found.root, found.names, read_only), None, path, str(source.get("type") or ""))
    folder = directory_name(spec.csi)
    if folder is None:
        raise BadSetting(
            f"the PersistentVolume {held.name} is none that is executed here: only csi with driver {PROVISIONER} "
            "and a plain volumeHandle, hostPath and local are"
        )
    read_only = read_only or bool((spec.csi or {}).get("readOnly"))
    return Claimed(Where(volumes.shared_dir, (folder,), read_only), attach_name(spec.csi))
