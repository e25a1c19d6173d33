"""Which claims does a pod use?"""

from collections.abc import Sequence

from mesh.api.core import Pod
from mesh.controllers.actions import Key


def claims_of(pod: Pod) -> Sequence[Key]:
    """(namespace, name) of each claim that the pod's volumes name, in order and once."""
    volumes = pod.spec.volumes
    if not volumes:
        return ()
    named = (volume.persistent_volume_claim for volume in volumes)
    keys = ((pod.namespace, str(source.get("claimName", ""))) for source in named if source is not None)
    return tuple(dict.fromkeys(keys))
