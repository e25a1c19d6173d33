"""Which directory stands behind a volume?

Everything lives below the mesh's state directory, and no name from a manifest can lead out of it. A claim's directory
belongs to the claim, so that it outlives the pod; an emptyDir belongs to the pod and goes with it.
"""

import re
import shutil
from collections.abc import Collection
from pathlib import Path

from mesh.api.core import Container, Pod, Volume, VolumeMount
from mesh.node.apps.context import BadSetting

_SAFE = re.compile(r"[A-Za-z0-9_]([-A-Za-z0-9._]{0,251}[-A-Za-z0-9_])?")


class Volumes:
    """The directories of one node. shared_dir: of the whole mesh, for claims, since a claim may move with its pod."""

    def __init__(self, shared_dir: Path, node_dir: Path) -> None:
        self.shared_dir, self.node_dir = shared_dir, node_dir

    def mount(self, pod: Pod, container: Container) -> dict[str, Path]:
        """mountPath -> directory, in the manifest's order; made if it is not there. Raises BadSetting."""
        known = {volume.name: volume for volume in pod.spec.volumes or ()}
        found = {}
        for mount in container.volume_mounts or ():
            if mount.name not in known:
                raise BadSetting(f"volumeMounts: no volume named {mount.name!r} in spec.volumes")
            found[mount.mount_path] = self._mounted(pod, known[mount.name], mount)
        return found

    def scratch(self, pod: Pod, container: Container) -> Path:
        """A directory of the container's own, for one without volumes; not made."""
        return self._pod_dir(pod) / "scratch" / container.name

    def directory(self, pod: Pod, volume: Volume) -> Path:
        """Where a volume's files are; made if it is not there. Raises BadSetting."""
        return _make(*self._place(pod, volume))

    def forget(self, pod: Pod) -> None:
        """Remove what belonged to the pod alone."""
        where = self._pod_dir(pod)
        if where.exists():
            shutil.rmtree(where, ignore_errors=True)

    def keep_only(self, uids: Collection[str]) -> None:
        """Remove what belonged to pods that are no longer here: left by a node that ended without saying goodbye."""
        keep = {_uid_name(uid) for uid in uids}
        for where in (self.node_dir / "pods").glob("*"):
            if where.name not in keep:
                shutil.rmtree(where, ignore_errors=True)

    def _mounted(self, pod: Pod, volume: Volume, mount: VolumeMount) -> Path:
        root, names = self._place(pod, volume)
        below = [part for part in (mount.sub_path or "").split("/") if part]
        return _make(root, (*names, *below))

    def _place(self, pod: Pod, volume: Volume) -> tuple[Path, tuple[str, ...]]:
        """The root that a volume may not leave, and the names below it."""
        if volume.persistent_volume_claim is not None:
            claim = str(volume.persistent_volume_claim.get("claimName", ""))
            return self.shared_dir, (pod.namespace, claim)
        if volume.host_path is not None:
            parts = [part for part in str(volume.host_path.get("path", "")).split("/") if part]
            return self.node_dir, ("host", *parts)
        if volume.empty_dir is not None:
            return self._pod_dir(pod), ("empty", volume.name)
        raise BadSetting(f"volume {volume.name!r}: only emptyDir, hostPath and persistentVolumeClaim are executed")

    def _pod_dir(self, pod: Pod) -> Path:
        return self.node_dir / "pods" / _uid_name(pod.metadata.uid or pod.name)


def _uid_name(uid: str) -> str:
    return re.sub(r"[^-A-Za-z0-9]", "_", uid)


def _make(root: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if not _SAFE.fullmatch(name):
            raise BadSetting(f"{name!r} cannot be part of a volume's path")
    where = root.joinpath(*names)
    # A program may have left a symbolic link where the next directory would go: look before anything is made.
    if not where.resolve().is_relative_to(root.resolve()):
        raise BadSetting(f"{'/'.join(names)!r} leads out of the state directory")
    try:
        where.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadSetting(f"volume directory {'/'.join(names)!r}: {error.strerror}") from error
    return where
