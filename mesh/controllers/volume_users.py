"""Which claims does a pod use, and which claim does a volume name?"""

from collections.abc import Sequence

from mesh.api.core import Pod
from mesh.api.storage import PersistentVolume
from mesh.controllers.actions import Key


def claims_of(pod: Pod) -> Sequence[Key]:
    """(namespace, name) of each claim that the pod's volumes name, in order and once."""
    volumes = pod.spec.volumes
    if not volumes:
        return ()
    names = (volume.claim_name(pod.name) for volume in volumes)
    return tuple(dict.fromkeys((pod.namespace, name) for name in names if name is not None))


def claim_named(volume: PersistentVolume) -> Key:
    """(namespace, name) of the claim in its claimRef; two empty texts for a volume that nobody has."""
    ref = volume.spec.claim_ref or {}
    return (str(ref.get("namespace", "")), str(ref.get("name", "")))
