"""Ephemeral volumes: a claim of its own for a pod, which goes with the pod.

Source: Kubernetes' ephemeral volume controller. The claim belongs to the pod, so that the garbage collector takes it
along; a claim of that name that belongs to nobody, or to another, is never touched.
"""

from collections.abc import Mapping

from mesh.api.core import Pod, Volume
from mesh.api.errors import Invalid
from mesh.api.meta import ObjectMeta
from mesh.api.storage import PersistentVolumeClaim
from mesh.controllers.actions import Create, Draft, Key, Plan, note
from mesh.controllers.facts import active, controlled_by, controller_reference
from mesh.controllers.runtime import DONE, Context, Controller, Result
from mesh.controllers.volume_users import claims_of


class EphemeralController(Controller):
    """Pod -> claims of its ephemeral volumes."""

    name = "ephemeral-volume-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.caches.pods.on_change(self._pod_changed)
        self.caches.claims.on_change(self._claim_changed)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        if old is None and new is not None and any(volume.ephemeral for volume in new.spec.volumes or ()):
            self.enqueue(new.key)

    def _claim_changed(self, old: PersistentVolumeClaim | None, new: PersistentVolumeClaim | None) -> None:
        if new is None and old is not None:
            for pod in self.caches.pods_by_claim.get(old.key):
                self.enqueue(pod.key)

    async def reconcile(self, key: Key) -> Result:
        pod = self.caches.pods.get(key[1], key[0])
        if pod is None or not active(pod):
            return DONE
        found = ((name, self.caches.claims.get(name, namespace)) for namespace, name in claims_of(pod))
        plan = plan_ephemeral(pod, {name: claim for name, claim in found if claim is not None})
        try:
            return await self.carry_out(plan)
        except Invalid as error:
            self.say(note(pod, "FailedBinding", f"ephemeral volume: {error}", "Warning"))
            return DONE


def plan_ephemeral(pod: Pod, claims: Mapping[str, PersistentVolumeClaim]) -> Plan:
    """The claims that are missing. claims: those of the names that the pod uses, as far as they exist."""
    draft = Draft()
    for volume in pod.spec.volumes or ():
        name = volume.claim_name(pod.name)
        if volume.ephemeral is None or name is None:
            continue
        claim = claims.get(name)
        if claim is None:
            draft.add(Create(obj=claim_for(pod, volume, name)))
        elif not controlled_by(claim, pod):
            text = (
                f'PVC "{pod.namespace}/{name}" was not created for pod "{pod.namespace}/{pod.name}" (pod is not owner)'
            )
            draft.add(note(pod, "FailedBinding", text, "Warning"))
    return draft.done()


def claim_for(pod: Pod, volume: Volume, name: str) -> PersistentVolumeClaim:
    """The claim of one ephemeral volume."""
    template = (volume.ephemeral or {}).get("volumeClaimTemplate") or {}
    said = template.get("metadata") or {}
    metadata = ObjectMeta(
        name=name,
        namespace=pod.namespace,
        labels=said.get("labels"),
        annotations=said.get("annotations"),
        owner_references=[controller_reference(pod)],
    )
    return PersistentVolumeClaim.model_validate({"metadata": metadata, "spec": template.get("spec") or {}})
