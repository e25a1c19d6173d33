"""Volumes: their phases, and what becomes of those whose claim is gone."""

from mesh.api.errors import NotFound
from mesh.api.storage import PersistentVolume, PersistentVolumeClaim
from mesh.controllers.actions import Key
from mesh.controllers.runtime import DONE, Context, Controller, Result
from mesh.controllers.volume_users import claim_named
from mesh.controllers.volumes_plan import Observed, plan_volume


class VolumeController(Controller):
    """PersistentVolume -> phase and reclaim."""

    name = "persistentvolume-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.volumes = self.caches.volumes
        self.claims = self.caches.claims
        self.volumes.on_change(self._volume_changed)
        self.claims.on_change(self._claim_changed)

    def _volume_changed(self, old: PersistentVolume | None, new: PersistentVolume | None) -> None:
        if new is not None:
            self.enqueue(new.key)

    def _claim_changed(self, old: PersistentVolumeClaim | None, new: PersistentVolumeClaim | None) -> None:
        """A claim concerns the volume that it names, and when it goes every volume that names it."""
        if new is not None:
            if new.spec.volume_name:
                self.enqueue(("", new.spec.volume_name))
            return
        if old is None:
            return
        for volume in self.caches.volumes_by_claim.get(old.key):
            self.enqueue(volume.key)

    async def reconcile(self, key: Key) -> Result:
        volume = self.volumes.get(key[1])
        if volume is None:
            return DONE
        return await self.carry_out(plan_volume(Observed(volume=volume, claim=await self._claim(volume))))

    async def _claim(self, volume: PersistentVolume) -> PersistentVolumeClaim | None:
        """The claim that the volume names. One that the cache does not show is asked for at its source: data may be
        at stake."""
        namespace, name = claim_named(volume)
        if not name:
            return None
        claim: PersistentVolumeClaim | None = self.claims.get(name, namespace)
        if claim is not None:
            return claim
        try:
            return await self.context.client.get(PersistentVolumeClaim, name, namespace)
        except NotFound:
            return None
