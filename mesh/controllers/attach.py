"""Attaching: which node holds which disk is written into the nodes' status, where their agents wait for it."""

from mesh.api.core import Node, Pod
from mesh.api.storage import PersistentVolume, PersistentVolumeClaim
from mesh.api.storage_names import attach_name
from mesh.controllers.actions import Key, Patch, Plan, Told, without_repeats
from mesh.controllers.attach_plan import Observed, plan_attachment
from mesh.controllers.facts import finished
from mesh.controllers.runtime import DONE, Context, Controller, Result
from mesh.controllers.tolerance import ready_condition
from mesh.controllers.volume_users import claims_of


class AttachController(Controller):
    """PersistentVolume -> status.volumesAttached of nodes. Keys are ("", name of a volume)."""

    name = "attachdetach-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        # Nobody else writes these lists, and a list that was just written may not be in the cache yet.
        self._attached: dict[str, list[str]] = {}
        self._told: dict[str, Told] = {}
        self.claims = self.caches.informers[PersistentVolumeClaim]
        self.volumes = self.caches.informers[PersistentVolume]
        self.caches.nodes.on_change(self._node_changed)
        self.volumes.on_change(self._volume_changed)
        self.claims.on_change(self._claim_changed)
        self.caches.pods.on_change(self._pod_changed)

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        """What a node uses no longer, or a node that is lost, may set volumes free; a heartbeat does not."""
        node = new or old
        if node is None or (old is not None and new is not None and _state(old) == _state(new)):
            return
        if new is None:
            self._attached.pop(node.name, None)
        elif node.name not in self._attached:
            self._attached[node.name] = [entry.get("name", "") for entry in node.status.volumes_attached or ()]
        for volume in self.volumes.list():
            if attach_name(volume.spec.csi) is not None:
                self.enqueue(volume.key)

    def _volume_changed(self, old: PersistentVolume | None, new: PersistentVolume | None) -> None:
        volume = new or old
        if volume is not None and attach_name(volume.spec.csi) is not None:
            self.enqueue(volume.key)

    def _claim_changed(self, old: PersistentVolumeClaim | None, new: PersistentVolumeClaim | None) -> None:
        for claim in (old, new):
            if claim is not None and claim.spec.volume_name:
                self.enqueue(("", claim.spec.volume_name))

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        if pod is None or (old is not None and new is not None and _stage(old) == _stage(new)):
            return
        for namespace, name in claims_of(pod):
            claim = self.claims.get(name, namespace)
            if claim is not None and claim.spec.volume_name:
                self.enqueue(("", claim.spec.volume_name))

    async def reconcile(self, key: Key) -> Result:
        volume = self.volumes.get(key[1])
        name = attach_name(volume.spec.csi) if volume is not None else None
        if volume is None or name is None:
            return DONE
        moves = plan_attachment(
            Observed(
                volume=volume,
                users=self._users(volume),
                attached=[node for node, names in self._attached.items() if name in names],
                nodes={node.name: node for node in self.caches.nodes.list()},
                alive=self.settings.node_alive,
                detach_s=self.settings.detach_s,
                wall=self.clock.wall(),
            )
        )
        for node in moves.detach:
            await self._write(node, [other for other in self._attached.get(node, ()) if other != name])
        for node in moves.attach:
            await self._write(node, [*self._attached.get(node, ()), name])
        uid = volume.metadata.uid or ""
        plan, self._told[uid] = without_repeats(Plan(moves.notes, moves.again_s), self._told.get(uid, frozenset()))
        return await self.carry_out(plan)

    def _users(self, volume: PersistentVolume) -> list[Pod]:
        ref = volume.spec.claim_ref or {}
        key = (str(ref.get("namespace", "")), str(ref.get("name", "")))
        claim = self.claims.get(key[1], key[0])
        if claim is None or claim.spec.volume_name != volume.name:
            return []
        return [p for p in self.caches.pods_by_claim.get(key) if p.spec.node_name and not finished(p)]

    async def _write(self, node: str, names: list[str]) -> None:
        listed = [{"name": name, "devicePath": ""} for name in names]
        if self.caches.nodes.get(node) is not None:
            patch = {"status": {"volumesAttached": listed}}
            await self.perform(Patch(cls=Node, key=("", node), patch=patch, subresource="status"))
        self._attached[node] = names


def _state(node: Node) -> object:
    ready = ready_condition(node)
    return (ready.status if ready else None, node.status.volumes_in_use)


def _stage(pod: Pod) -> object:
    return (pod.spec.node_name, pod.status.phase in ("Succeeded", "Failed"), pod.metadata.deletion_timestamp is None)
