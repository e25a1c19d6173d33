"""Which directory stands behind a volume?

Everything lives below the mesh's state directory, and no name from a manifest can lead out of it. A claim's directory
belongs to its volume, so that it outlives the pod; an emptyDir belongs to the pod and goes with it. What a claim or a
ConfigMap gives is found out by `mounter` before a container starts, and kept here.
"""

import re
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from mesh.api.core import Container, Pod, Volume, VolumeMount
from mesh.node import environment
from mesh.node.apps.context import BadSetting
from mesh.node.directories import Where, inside, make, parts_of

NO_ENV: Mapping[str, str] = {}


class Volumes:
    """The directories of one node. shared_dir: of the whole mesh, for claims, since a claim may move with its pod."""

    def __init__(self, shared_dir: Path, node_dir: Path) -> None:
        self.shared_dir, self.node_dir = shared_dir, node_dir
        self._found: dict[str, Mapping[str, Where]] = {}

    def keep(self, pod: Pod, found: Mapping[str, Where]) -> None:
        """Remember where the volumes of a pod are, by name, that somebody had to find out."""
        self._found[pod.metadata.uid or pod.name] = found

    def mount(
        self, pod: Pod, container: Container, env: Mapping[str, str] = NO_ENV, starts: bool = False
    ) -> dict[str, Path]:
        """mountPath -> directory or file, in the manifest's order; made if it is not there. Raises BadSetting.

        env: of the container, for subPathExpr.  starts: the container starts now, so that subPaths are looked up anew.
        """
        known = {volume.name: volume for volume in pod.spec.volumes or ()}
        found = {}
        for mount in container.volume_mounts or ():
            if mount.name not in known:
                raise BadSetting(f"volumeMounts: no volume named {mount.name!r} in spec.volumes")
            found[mount.mount_path] = self._mounted(pod, known[mount.name], mount, container, env, starts)
        return found

    def read_only(self, pod: Pod, container: Container) -> frozenset[str]:
        """The mountPaths that may not be written to."""
        known = {volume.name: volume for volume in pod.spec.volumes or ()}
        return frozenset(
            mount.mount_path
            for mount in container.volume_mounts or ()
            if mount.read_only or (mount.name in known and self.where(pod, known[mount.name]).read_only)
        )

    def scratch(self, pod: Pod, container: Container) -> Path:
        """A directory of the container's own, for one without volumes; not made."""
        return self.pod_dir(pod) / "scratch" / container.name

    def own(self, pod: Pod, container: Container, name: str) -> Path:
        """A directory that the container sees in place of one of the machine's; made if it is not there."""
        return make(self.pod_dir(pod), ("own", container.name, name))

    def directory(self, pod: Pod, volume: Volume) -> Path:
        """Where a volume's files are; made if it is not there. Raises BadSetting."""
        where = self.where(pod, volume)
        return make(where.root, where.names)

    def where(self, pod: Pod, volume: Volume) -> Where:
        """Raises BadSetting."""
        if volume.host_path is not None:
            return self.on_node(str(volume.host_path.get("path", "")))
        if is_empty_dir(volume):
            return Where(self.pod_dir(pod), ("empty", volume.name))
        found = self._found.get(pod.metadata.uid or pod.name, {}).get(volume.name)
        if found is None:
            raise BadSetting(f"volume {volume.name!r} is not mounted")
        return found

    def on_node(self, path: str) -> Where:
        """A path of the node's own disk."""
        return Where(self.node_dir, ("host", *parts_of(path)))

    def forget(self, pod: Pod) -> None:
        """Remove what belonged to the pod alone."""
        self._found.pop(pod.metadata.uid or pod.name, None)
        where = self.pod_dir(pod)
        if where.exists():
            shutil.rmtree(where, ignore_errors=True)

    def keep_only(self, uids: Collection[str]) -> None:
        """Remove what belonged to pods that are no longer here: left by a node that ended without saying goodbye."""
        keep = {_uid_name(uid) for uid in uids}
        for where in (self.node_dir / "pods").glob("*"):
            if where.name not in keep:
                shutil.rmtree(where, ignore_errors=True)

    def pod_dir(self, pod: Pod) -> Path:
        return self.node_dir / "pods" / _uid_name(pod.metadata.uid or pod.name)

    def _mounted(
        self, pod: Pod, volume: Volume, mount: VolumeMount, container: Container, env: Mapping[str, str],
        starts: bool,
    ) -> Path:  # fmt: skip
        where = self.where(pod, volume)
        below = parts_of(environment.expand(mount.sub_path_expr, env) if mount.sub_path_expr else mount.sub_path or "")
        if where.swapped and below:
            return self._copied(pod, where, below, container, mount.mount_path, starts)
        return make(where.root, (*where.names, *below))

    def _copied(
        self, pod: Pod, where: Where, below: tuple[str, ...], container: Container, mount_path: str, starts: bool
    ) -> Path:
        """A part of files from the API, as they were when the container started: a subPath is never renewed."""
        source = inside(where.root, (*where.names, *below))
        if not source.exists():
            missing = f"no {'/'.join(below)} in the volume"
            raise BadSetting(f"failed to prepare subPath for volumeMount {mount_path}: {missing}")
        copy = make(self.pod_dir(pod), ("subpaths", container.name)) / re.sub(r"[^A-Za-z0-9]", "_", mount_path)
        if copy.exists() and not starts:
            return copy
        shutil.rmtree(copy, ignore_errors=True)
        copy.unlink(missing_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy)
        else:
            shutil.copy(source, copy)
        return copy


def is_empty_dir(volume: Volume) -> bool:
    """A volume that says nothing of its kind is one as well."""
    said = volume.model_dump(exclude_none=True).keys()
    return "empty_dir" in said or said == {"name"}


def _uid_name(uid: str) -> str:
    return re.sub(r"[^-A-Za-z0-9]", "_", uid)
