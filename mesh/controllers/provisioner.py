"""The provisioner of this mesh: directories that stand for disks, network file systems and object stores."""

import asyncio
import logging
import shutil
from collections.abc import Iterable
from pathlib import Path

from mesh.api.core import Node
from mesh.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from mesh.api.storage_names import PROVISIONER, attach_name, directory_name
from mesh.controllers.actions import Key, Told, note, without_repeats
from mesh.controllers.facts import terminating
from mesh.controllers.provisioner_plan import is_asked, plan_farewell, plan_provision, volume_name
from mesh.controllers.runtime import DONE, Context, Controller, Result
from mesh.controllers.volume_match import class_of

log = logging.getLogger("mesh.controllers")
AGAIN_S = 5.0


class Provisioner(Controller):
    """Claim -> volume and directory; volume that is deleted -> no directory. Keys of volumes have no namespace."""

    name = PROVISIONER

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._told: dict[str, Told] = {}
        self.claims = self.caches.informers[PersistentVolumeClaim]
        self.volumes = self.caches.informers[PersistentVolume]
        self.classes = self.caches.informers[StorageClass]
        self.claims.on_change(self._claim_changed)
        self.volumes.on_change(self._volume_changed)
        self.classes.on_change(self._class_changed)
        self.caches.nodes.on_change(self._node_changed)

    def _claim_changed(self, old: PersistentVolumeClaim | None, new: PersistentVolumeClaim | None) -> None:
        if new is None:
            self._told.pop((old.metadata.uid if old is not None else None) or "", None)
        elif is_asked(new, None) or is_asked(new, self._class(new)):
            self.enqueue(new.key)

    def _volume_changed(self, old: PersistentVolume | None, new: PersistentVolume | None) -> None:
        if new is not None and terminating(new) and (new.spec.csi or {}).get("driver") == PROVISIONER:
            self.enqueue(new.key)

    def _class_changed(self, old: StorageClass | None, new: StorageClass | None) -> None:
        if new is None:
            return
        for claim in self.claims.list():
            if class_of(claim) == new.name and is_asked(claim, new):
                self.enqueue(claim.key)

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        """What a node lets go of may be what somebody wants removed."""
        if old is None or (new is not None and old.status.volumes_attached == new.status.volumes_attached):
            return
        for volume in self.volumes.list():
            if terminating(volume):
                self.enqueue(volume.key)

    def _class(self, claim: PersistentVolumeClaim) -> StorageClass | None:
        found: StorageClass | None = self.classes.get(class_of(claim) or "")
        return found

    async def reconcile(self, key: Key) -> Result:
        if not key[0]:
            return await self._say_farewell(key[1])
        claim = self.claims.get(key[1], key[0])
        storage_class = self._class(claim) if claim is not None else None
        if claim is None or not is_asked(claim, storage_class):
            return DONE
        if self.volumes.get(volume_name(claim)) is not None:
            return DONE
        uid = claim.metadata.uid or ""
        plan, told = without_repeats(plan_provision(claim, storage_class), self._told.get(uid, frozenset()))
        result = await self.carry_out(plan)
        self._told[uid] = told
        return result

    async def _say_farewell(self, name: str) -> Result:
        volume = self.volumes.get(name)
        if volume is None:
            return DONE
        attached = list(self._attached(attach_name(volume.spec.csi)))
        farewell = plan_farewell(volume, list(self.volumes.list()), attached)
        root = self.settings.volume_dir
        if farewell.directory is not None and root is not None:
            try:
                await asyncio.to_thread(remove_below, Path(root), farewell.directory)
            except OSError as error:
                self.say(note(volume, "VolumeFailedDelete", f"directory of the volume: {error.strerror}", "Warning"))
                return Result(AGAIN_S)
        return await self.carry_out(farewell.plan)

    def _attached(self, name: str | None) -> Iterable[str]:
        for node in self.caches.nodes.list():
            if any(entry.get("name") == name for entry in node.status.volumes_attached or ()):
                yield node.name


def remove_below(root: Path, name: str) -> None:
    """Remove the directory of that plain name, and nothing that a link in its place may lead to. Raises OSError."""
    assert directory_name({"driver": PROVISIONER, "volumeHandle": name}) == name
    where = root / name
    if where.is_symlink() or where.is_file():
        where.unlink()
    elif where.exists():
        shutil.rmtree(where)
    log.info("volume removed name=%s", name)
