"""Which directory stands behind a volume?

Everything lives below the node's state directory, and no name from a manifest can lead out of it. A claim's
directory belongs to the claim, so that it outlives the pod; an emptyDir belongs to the pod and goes with it.
"""

import re
import shutil
from pathlib import Path

from mesh.api.core import Container, Pod, Volume
from mesh.node.apps.context import BadSetting

_SAFE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9._]{0,251}[A-Za-z0-9])?")


class Volumes:
    """The directories of one node. shared_dir: of the whole mesh, for claims, since a claim may move with its pod."""

    def __init__(self, shared_dir: Path, node_dir: Path) -> None:
        self.shared_dir, self.node_dir = shared_dir, node_dir

    def mount(self, pod: Pod, container: Container) -> Path:
        """The directory of the container's first mounted volume, else a scratch one of its own. Raises BadSetting."""
        for mount in container.volume_mounts or ():
            volume = next((v for v in pod.spec.volumes or () if v.name == mount.name), None)
            if volume is None:
                raise BadSetting(f"volumeMounts: no volume named {mount.name!r} in spec.volumes")
            return self.directory(pod, volume)
        return self._below(self._pod_dir(pod), "scratch", container.name)

    def directory(self, pod: Pod, volume: Volume) -> Path:
        """Where a volume's files are; made if it is not there. Raises BadSetting."""
        if volume.persistent_volume_claim is not None:
            claim = str(volume.persistent_volume_claim.get("claimName", ""))
            return self._below(self.shared_dir, "claims", pod.namespace, claim)
        if volume.host_path is not None:
            parts = [part for part in str(volume.host_path.get("path", "")).split("/") if part]
            return self._below(self.node_dir, "host", *parts)
        if volume.empty_dir is not None:
            return self._below(self._pod_dir(pod), "empty", volume.name)
        raise BadSetting(f"volume {volume.name!r}: only emptyDir, hostPath and persistentVolumeClaim are executed")

    def forget(self, pod: Pod) -> None:
        """Remove what belonged to the pod alone."""
        shutil.rmtree(self._pod_dir(pod), ignore_errors=True)

    def _pod_dir(self, pod: Pod) -> Path:
        return self.node_dir / "pods" / re.sub(r"[^-A-Za-z0-9]", "_", pod.metadata.uid or pod.name)

    @staticmethod
    def _below(root: Path, *names: str) -> Path:
        for name in names:
            if not _SAFE.fullmatch(name):
                raise BadSetting(f"{name!r} cannot be part of a volume's path")
        where = root.joinpath(*names)
        where.mkdir(parents=True, exist_ok=True)
        if not where.resolve().is_relative_to(root.resolve()):
            raise BadSetting(f"{'/'.join(names)!r} leads out of the state directory")
        return where
