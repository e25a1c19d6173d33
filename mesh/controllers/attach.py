"""Attaching: which node holds which disk is written into the nodes' status, where their agents wait for it."""

from mesh.api.core import Node, Pod
from mesh.api.storage import PersistentVolume, PersistentVolumeClaim
from mesh.api.storage_names import attach_name
from mesh.controllers.actions import Key, Patch, Plan, Told, without_repeats
from mesh.controllers.attach_plan import Moves, Observed, plan_attachment
from mesh.controllers.facts import finished
from mesh.controllers.runtime import DONE, Context, Controller, Result
from mesh.controllers.tolerance import ready_condition
from mesh.controllers.volume_users import claim_named, claims_of


class AttachController(Controller):
    """Disk -> status.volumesAttached of nodes. Keys are ("", attach name): two volumes may stand for one disk."""

    name = "attachdetach-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        # Nobody else writes these lists, and a list that was just written may not be in the cache yet.
        self._attached: dict[str, list[str]] = {}
        self._told: dict[str, Told] = {}
        self._disks: dict[str, dict[str, PersistentVolume]] = {}
        self.claims = self.caches.claims
        self.volumes = self.caches.volumes
        self.volumes.on_change(self._volume_changed)
        self.caches.nodes.on_change(self._node_changed)
        self.claims.on_change(self._claim_changed)
        self.caches.pods.on_change(self._pod_changed)

    def _volume_changed(self, old: PersistentVolume | None, new: PersistentVolume | None) -> None:
        for volume in (old, new):
            name = attach_name(volume.spec.csi) if volume is not None else None
            if volume is None or name is None:
                continue
            if volume is new:
                self._disks.setdefault(name, {})[volume.name] = volume
            else:
                self._disks.get(name, {}).pop(volume.name, None)
            self.enqueue(("", name))

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        """What a node uses no longer, or a node that is lost, may set disks free; a heartbeat does not."""
        node = new or old
        if node is None:
            return
        if new is None:
            self._attached.pop(node.name, None)
        elif node.name not in self._attached:
            self._attached[node.name] = [entry.get("name", "") for entry in node.status.volumes_attached or ()]
        touched = set(self._disks) | set(self._attached.get(node.name, ()))
        if old is not None and new is not None and _ready(old) == _ready(new):
            touched = set(old.status.volumes_in_use or ()) ^ set(new.status.volumes_in_use or ())
        for name in touched:
            self.enqueue(("", name))

    def _claim_changed(self, old: PersistentVolumeClaim | None, new: PersistentVolumeClaim | None) -> None:
        for claim in (old, new):
            if claim is not None:
                self._look_at(claim)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        pod = new or old
        if pod is None or (old is not None and new is not None and _stage(old) == _stage(new)):
            return
        for namespace, name in claims_of(pod):
            claim = self.claims.get(name, namespace)
            if claim is not None:
                self._look_at(claim)

    def _look_at(self, claim: PersistentVolumeClaim) -> None:
        """The disk behind a claim."""
        volume = self.volumes.get(claim.spec.volume_name) if claim.spec.volume_name else None
        name = attach_name(volume.spec.csi) if volume is not None else None
        if name is not None:
            self.enqueue(("", name))

    async def reconcile(self, key: Key) -> Result:
        name = key[1]
        volumes = list(self._disks.get(name, {}).values())
        attached = [node for node, names in self._attached.items() if name in names]
        if volumes:
            moves = self._plan(volumes, attached)
        else:
            self._disks.pop(name, None)
            self._told.pop(name, None)
            moves = Moves(detach=tuple(attached))
        for node in moves.detach:
            await self._write(node, [other for other in self._attached.get(node, ()) if other != name])
        for node in moves.attach:
            await self._write(node, [*self._attached.get(node, ()), name])
        if not volumes:
            return DONE
        plan, self._told[name] = without_repeats(Plan(moves.notes, moves.again_s), self._told.get(name, frozenset()))
        return await self.carry_out(plan)

    def _plan(self, volumes: list[PersistentVolume], attached: list[str]) -> Moves:
        users = [(volume, pod) for volume in volumes for pod in self._users(volume)]
        return plan_attachment(
            Observed(
                volume=next((volume for volume, _ in users), volumes[0]),
                users=[pod for _, pod in users],
                attached=attached,
                nodes={node.name: node for node in self.caches.nodes.list()},
                alive=self.settings.node_alive,
                detach_s=self.settings.detach_s,
                wall=self.clock.wall(),
            )
        )

    def _users(self, volume: PersistentVolume) -> list[Pod]:
        key = claim_named(volume)
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


def _ready(node: Node) -> str | None:
    ready = ready_condition(node)
    return ready.status if ready is not None else None


def _stage(pod: Pod) -> object:
    return (pod.spec.node_name, pod.status.phase in ("Succeeded", "Failed"), pod.metadata.deletion_timestamp is None)
