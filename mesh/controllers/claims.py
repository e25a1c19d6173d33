"""Claims: a volume for each."""

from mesh.api.core import Pod
from mesh.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from mesh.controllers.actions import Key, Told, without_repeats
from mesh.controllers.claims_plan import Observed, plan_claim
from mesh.controllers.runtime import DONE, Context, Controller, Result
from mesh.controllers.volume_users import claim_named, claims_of
from mesh.runtime.clock import rfc3339


class ClaimController(Controller):
    """PersistentVolumeClaim -> a volume that names it, and its status."""

    name = "persistentvolume-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._told: dict[str, Told] = {}
        self.claims = self.caches.claims
        self.volumes = self.caches.volumes
        self.classes = self.caches.informers[StorageClass]
        self.claims.on_change(self._claim_changed)
        self.volumes.on_change(self._volume_changed)
        self.classes.on_change(self._class_changed)
        self.caches.pods.on_change(self._pod_changed)

    def _claim_changed(self, old: PersistentVolumeClaim | None, new: PersistentVolumeClaim | None) -> None:
        if new is not None:
            self.enqueue(new.key)
        elif old is not None:
            self._told.pop(old.metadata.uid or "", None)

    def _volume_changed(self, old: PersistentVolume | None, new: PersistentVolume | None) -> None:
        """The claim that a volume names looks at it; a volume that nobody has is looked at by all who wait."""
        for volume in (old, new):
            if volume is not None and volume.spec.claim_ref:
                self.enqueue(claim_named(volume))
        if new is None or not new.spec.claim_ref:
            self._wake_waiting()

    def _class_changed(self, old: StorageClass | None, new: StorageClass | None) -> None:
        self._wake_waiting()
        changed = new or old
        if changed is None:
            return
        for claim in self.claims.list():
            if claim.spec.storage_class_name == changed.name:
                self.enqueue(claim.key)

    def _wake_waiting(self) -> None:
        for claim in self.claims.list():
            if claim.status.phase != "Bound":
                self.enqueue(claim.key)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        """A pod that comes, is placed, ends or goes: what it uses may be released, or is wanted at last."""
        if old is not None and new is not None and _stage(old) == _stage(new):
            return
        pod = new or old
        for key in claims_of(pod) if pod is not None else ():
            self.enqueue(key)

    async def reconcile(self, key: Key) -> Result:
        claim = self.claims.get(key[1], key[0])
        if claim is None:
            return DONE
        observed = Observed(
            claim=claim,
            volumes=self.caches.volumes_for(claim),
            classes=list(self.classes.list()),
            pods=self.caches.pods_by_claim.get(key),
            stamp=rfc3339(self.clock.wall()),
        )
        uid = claim.metadata.uid or ""
        plan, told = without_repeats(plan_claim(observed), self._told.get(uid, frozenset()))
        result = await self.carry_out(plan)
        self._told[uid] = told
        return result


def _stage(pod: Pod) -> tuple[str | None, str | None, bool]:
    return (pod.spec.node_name, pod.status.phase, pod.metadata.deletion_timestamp is None)
