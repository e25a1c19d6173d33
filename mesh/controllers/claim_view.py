"""What does the scheduler see of the claims that a pod names?"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from mesh.api.core import Pod
from mesh.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from mesh.controllers.actions import Key
from mesh.controllers.cache import Caches
from mesh.controllers.facts import finished
from mesh.controllers.volume_match import class_of
from mesh.controllers.volume_scheduling import Wanted
from mesh.controllers.volume_users import claims_of


class ClaimView:
    """Reads the caches; changes nothing."""

    def __init__(self, caches: Caches) -> None:
        self._caches = caches
        self.claims, self.volumes = caches.claims, caches.volumes
        self.classes = caches.informers[StorageClass]

    def of(self, pod: Pod, placed: Mapping[Key, AbstractSet[str]]) -> list[Wanted]:
        """The pod's claims in order; empty for most pods.

        placed: claim -> uids of pods that have a node, among them those that the cache does not show there yet.
        """
        own = {v.claim_name(pod.name) for v in pod.spec.volumes or () if v.ephemeral is not None}
        found = (self._wanted(key, pod, placed.get(key, frozenset())) for key in claims_of(pod))
        return [replace(w, made_for=pod.metadata.uid or "") if w.name in own else w for w in found]

    def within_reach(self, claims: Sequence[Wanted]) -> list[PersistentVolume]:
        """The volumes that these claims may get or have."""
        found = (volume for w in claims if w.claim is not None for volume in self._caches.volumes_for(w.claim))
        return list({volume.name: volume for volume in found}.values())

    def _wanted(self, key: Key, pod: Pod, placed: AbstractSet[str]) -> Wanted:
        claim: PersistentVolumeClaim | None = self.claims.get(key[1], key[0])
        if claim is None:
            return Wanted(name=key[1])
        others = {
            other.metadata.uid
            for other in self._caches.pods_by_claim.get(key)
            if other.spec.node_name and not finished(other)
        }
        return Wanted(
            name=key[1],
            claim=claim,
            volume=self.volumes.get(claim.spec.volume_name) if claim.spec.volume_name else None,
            storage_class=self.classes.get(class_of(claim) or ""),
            others=len((others | placed) - {pod.metadata.uid}),
        )
