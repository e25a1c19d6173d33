"""How does a node play its part: be there, run the pods that are bound to it, and say how they are?"""

import asyncio
import logging
from pathlib import Path

from mesh.api.core import Pod, PodStatus
from mesh.client.base import Client
from mesh.client.informer import Informer
from mesh.client.sharing import Sharing
from mesh.node import departure
from mesh.node.address_pool import AddressPool, NodeFull
from mesh.node.addresses import PODS_PER_NODE, Plan
from mesh.node.events import Recorder
from mesh.node.host import Host, PodSettings, SidecarFactory, meshed
from mesh.node.image_store import ImageStore
from mesh.node.images import ImageTable
from mesh.node.kubelet.server import KubeletServer
from mesh.node.mounter import Mounter
from mesh.node.pod import PodWorker
from mesh.node.registration import Registration
from mesh.node.status_writer import StatusWriter
from mesh.node.volumes import Volumes
from mesh.runtime.clock import Clock
from mesh.runtime.tasks import Tasks

log = logging.getLogger("mesh.node")
FULL_AGAIN_S = 1.0


class NodeAgent:
    """The kubelet of one node. sidecars: None leaves pods without one."""

    def __init__(
        self,
        client: Client,
        node_name: str,
        index: int,
        plan: Plan,
        sidecars: SidecarFactory | None,
        images: ImageTable,
        clock: Clock,
        state_dir: Path,
        settings: PodSettings | None = None,
        zone: str = "",
    ) -> None:
        self.client, self.node_name, self.index, self.plan = client, node_name, index, plan
        self.tasks = Tasks(node_name)
        node_dir = state_dir / "nodes" / node_name
        self.log_dir = node_dir / "logs"
        self._kubelet = KubeletServer(plan.node(index), lambda: self._workers.values(), clock)
        self._registration = Registration(client, node_name, index, plan, clock, zone)
        recorder, volumes = Recorder(client, node_name, clock), Volumes(state_dir / "volumes", node_dir)
        self._mounter = Mounter(client, node_name, volumes, recorder, self.tasks)
        self._registration.registered_again = self._mounter.attachments.again
        self._host = Host(
            client=client,
            clock=clock,
            tasks=self.tasks,
            recorder=recorder,
            statuses=StatusWriter(client),
            images=ImageStore(images, state_dir / "images", node_name),
            volumes=volumes,
            mounter=self._mounter,
            sidecars=sidecars,
            log_dir=self.log_dir,
            node_ip=plan.node(index),
            dns=f"{plan.people}:{plan.dns_port}",
            nameserver=plan.dns_service,
            settings=settings or PodSettings(),
        )
        # Start anywhere: a node that comes back does not hand the addresses of its former pods out again at once.
        self._pool = AddressPool(1 + int(clock.wall() * 10) % PODS_PER_NODE)
        self._workers: dict[str, PodWorker] = {}
        self._hosts: dict[str, int] = {}
        self._expected: set[int] = set()
        self._share = Sharing()
        self._pods = Informer(client, Pod, field_selector=f"spec.nodeName={node_name}", transform=self._slim)

    async def start(self) -> None:
        """Register, and begin to follow the pods bound here. Returns when the first list of them is known."""
        await self._kubelet.start()
        self._registration.kubelet_port = self._kubelet.port
        await self._registration.register()
        await self._mounter.attachments.begin()
        self._host.recorder.start(self.tasks)
        self._host.statuses.start(self.tasks)
        self.tasks.start(self._registration.beat(), "heartbeat")
        self._pods.start(self.tasks)
        await self._pods.synced()
        known = list(self._pods.list())
        self._host.volumes.keep_only({pod.metadata.uid or "" for pod in known})
        # Pods that were here before keep their addresses; those that are new get none of these.
        hosts = (self.plan.host_of(self.index, pod.status.pod_ip or "") for pod in known)
        self._expected = {host for host in hosts if host is not None}
        self._pods.on_change(self._pod_changed)
        self._expected.clear()

    async def stop(self) -> None:
        """End every pod at once; nothing is written, as when a machine is switched off."""
        await self._kubelet.close()
        await asyncio.gather(*(worker.kill() for worker in list(self._workers.values())))
        await self.tasks.close()

    @property
    def pods(self) -> list[PodWorker]:
        return list(self._workers.values())

    def _slim(self, pod: Pod) -> Pod:
        """What the cache keeps of a pod: of its spec nothing that only the scheduler reads, and of one that already
        runs nothing that its worker holds as well."""
        pod.spec.tolerations = pod.spec.affinity = None
        self._share(pod)
        worker = self._workers.get(pod.metadata.uid or "")
        if worker is not None:
            if pod.spec == worker.pod.spec:
                pod.spec = worker.pod.spec
            pod.status = PodStatus(phase=pod.status.phase)
        return pod

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        uid = (new or old).metadata.uid or ""  # type: ignore[union-attr]
        worker = self._workers.get(uid)
        if new is None:
            if worker is not None:
                log.info("pod is gone from the API, stopping it pod=%s", worker.pod.name)
                self.tasks.start(worker.kill(), f"kill-{worker.pod.name}")
            return
        if worker is not None:
            worker.pod.metadata = new.metadata
            self._mounter.renewal.pod_changed(worker.pod)
            if new.spec is not worker.pod.spec:
                worker.change(new.spec)
            if new.metadata.deletion_timestamp:
                worker.terminate(new)
        elif new.metadata.deletion_timestamp:
            # Marked before it ran here, or before this node came back: there is nothing to stop.
            self.tasks.start(departure.confirm(self.client, new), f"confirm-{new.name}")
        elif new.status.phase not in ("Succeeded", "Failed"):
            self._begin(new, uid)

    def _begin(self, pod: Pod, uid: str) -> None:
        try:
            host = self._address(pod)
        except NodeFull as error:
            self._host.recorder.tell(pod, "FailedCreatePodSandBox", str(error), warning=True)
            asyncio.get_running_loop().call_later(FULL_AGAIN_S, self._try_again, pod.key, uid)
            return
        pod_ip = self.plan.pod(self.index, host)
        app_ip = self.plan.app(self.index, host) if meshed(pod) and self._host.sidecars is not None else pod_ip
        # The informer's object is shared and will be replaced at the next change: only the outer shell is ours.
        worker = PodWorker(pod.model_copy(), self._host, pod_ip, app_ip, self._gone)
        self._workers[uid], self._hosts[uid] = worker, host
        worker.start()

    def _address(self, pod: Pod) -> int:
        """The address that the pod had when its node went away, else the next free one. Raises NodeFull."""
        former = self.plan.host_of(self.index, pod.status.pod_ip or "")
        if former is not None and self._pool.claim(former):
            return former
        return self._pool.take(avoid=self._expected)

    def _try_again(self, key: tuple[str, str], uid: str) -> None:
        pod = self._pods.get(key[1], key[0])
        if pod is not None and pod.metadata.uid == uid and uid not in self._workers:
            self._pod_changed(None, pod)

    def _gone(self, worker: PodWorker) -> None:
        uid = worker.pod.metadata.uid or ""
        self._workers.pop(uid, None)
        if (host := self._hosts.pop(uid, None)) is not None:
            self._pool.give_back(host)
