"""How does a node play its part: be there, run the pods that are bound to it, and say how they are?"""

import asyncio
import logging
import platform
import uuid
from pathlib import Path

from mesh.api.core import Node, NodeAddress, NodeCondition, NodeSpec, NodeStatus, Pod
from mesh.api.errors import AlreadyExists, ApiError, NotFound
from mesh.api.meta import ObjectMeta
from mesh.client.base import Client
from mesh.client.informer import Informer
from mesh.node.addresses import PODS_PER_NODE, Plan
from mesh.node.events import Recorder
from mesh.node.images import ImageTable
from mesh.node.pod import Host, PodSettings, PodWorker, SidecarFactory, meshed
from mesh.node.volumes import Volumes
from mesh.runtime.clock import Clock, rfc3339, rfc3339_micro
from mesh.runtime.tasks import Tasks

log = logging.getLogger("mesh.node")
HEARTBEAT_S = 1.0


class Addresses:
    """Hands out the host parts of a node in turn, so that an address rests as long as possible before its next pod."""

    def __init__(self, first: int = 1) -> None:
        self._next = first
        self._used: set[int] = set()

    def take(self) -> int:
        """A free host part. Raises LookupError when the node is full."""
        for _ in range(PODS_PER_NODE):
            host, self._next = self._next, self._next % PODS_PER_NODE + 1
            if host not in self._used:
                self._used.add(host)
                return host
        raise LookupError(f"all {PODS_PER_NODE} pod addresses of the node are in use")

    def give_back(self, host: int) -> None:
        self._used.discard(host)


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
    ) -> None:
        self.client, self.node_name, self.index, self.plan, self.clock = client, node_name, index, plan, clock
        self.tasks = Tasks(node_name)
        node_dir = state_dir / "nodes" / node_name
        self.log_dir = node_dir / "logs"
        self._host = Host(
            client=client,
            clock=clock,
            tasks=self.tasks,
            recorder=Recorder(client, node_name, clock, self.tasks),
            images=images,
            volumes=Volumes(state_dir / "volumes", node_dir),
            sidecars=sidecars,
            log_dir=self.log_dir,
            node_ip=plan.node(index),
            settings=settings or PodSettings(),
        )
        # Start anywhere: a node that comes back does not hand the addresses of its former pods out again at once.
        self._addresses = Addresses(1 + int(clock.wall() * 10) % (PODS_PER_NODE - 1))
        self._workers: dict[str, PodWorker] = {}
        self._hosts: dict[str, int] = {}
        self._pods = Informer(client, Pod, field_selector=f"spec.nodeName={node_name}")

    async def start(self) -> None:
        """Register, and begin to follow the pods bound here. Returns when the first list of them is known."""
        await self._register()
        self._pods.on_change(self._pod_changed)
        self._pods.start(self.tasks)
        self.tasks.start(self._beat(), "heartbeat")
        await self._pods.synced()

    async def stop(self) -> None:
        """End every pod at once; nothing is written, as when a machine is switched off."""
        await asyncio.gather(*(worker.kill() for worker in list(self._workers.values())))
        await self.tasks.close()

    @property
    def pods(self) -> list[PodWorker]:
        return list(self._workers.values())

    async def _register(self) -> None:
        while True:
            try:
                await self._register_once()
                return
            except ApiError as error:
                log.info("not registered yet node=%s error=%s", self.node_name, error)
                await asyncio.sleep(0.05)

    async def _register_once(self) -> None:
        node = self.describe()
        try:
            await self.client.create(node)
        except AlreadyExists:
            await self.client.patch(Node, self.node_name, {"metadata": {"labels": node.metadata.labels}})
        status = node.status.model_dump(by_alias=True, exclude_none=True)
        await self.client.patch(Node, self.node_name, {"status": status}, subresource="status")

    def describe(self) -> Node:
        """The Node object as it looks when the node has just come up."""
        arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
        system = platform.system().lower()
        labels = {
            "kubernetes.io/hostname": self.node_name,
            "kubernetes.io/os": system,
            "kubernetes.io/arch": arch,
            "beta.kubernetes.io/os": system,
            "beta.kubernetes.io/arch": arch,
        }
        capacity = {"cpu": "8", "memory": "16Gi", "pods": str(PODS_PER_NODE)}
        machine = uuid.uuid5(uuid.NAMESPACE_DNS, self.node_name).hex
        now = self.clock.wall()
        return Node(
            metadata=ObjectMeta(name=self.node_name, labels=labels),
            spec=NodeSpec(pod_cidr=self.plan.pod_cidr(self.index), pod_cidrs=[self.plan.pod_cidr(self.index)]),
            status=NodeStatus(
                addresses=[
                    NodeAddress(type="InternalIP", address=self.plan.node(self.index)),
                    NodeAddress(type="Hostname", address=self.node_name),
                ],
                capacity=capacity,
                allocatable=dict(capacity),
                conditions=[
                    NodeCondition(
                        type="Ready",
                        status="True",
                        reason="KubeletReady",
                        message="the node process is running",
                        last_heartbeat_time=rfc3339_micro(now),
                        last_transition_time=rfc3339(now),
                    )
                ],
                node_info={
                    "architecture": arch,
                    "bootID": machine,
                    "containerRuntimeVersion": "loopmesh://0.1",
                    "kernelVersion": platform.release(),
                    "kubeProxyVersion": "",
                    "kubeletVersion": "v1.32.4",
                    "machineID": machine,
                    "operatingSystem": system,
                    "osImage": "loopmesh",
                    "systemUUID": machine,
                },
            ),
        )

    async def _beat(self) -> None:
        """Say once a second that the node is there; what was said at the last change of Ready is kept."""
        since, was_ready = rfc3339(self.clock.wall()), True
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            now = self.clock.wall()
            condition = {
                "type": "Ready",
                "status": "True",
                "reason": "KubeletReady",
                "message": "the node process is running",
                "lastHeartbeatTime": rfc3339_micro(now),
                "lastTransitionTime": since if was_ready else rfc3339(now),
            }
            try:
                await self.client.patch(
                    Node, self.node_name, {"status": {"conditions": [condition]}}, subresource="status"
                )
                was_ready = True
            except NotFound:
                await self._register()
            except ApiError as error:
                was_ready = False
                log.debug("heartbeat not written node=%s error=%s", self.node_name, error)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        uid = (new or old).metadata.uid or ""  # type: ignore[union-attr]
        worker = self._workers.get(uid)
        if new is None:
            if worker is not None and not worker.terminating:
                log.info("pod vanished, stopping it pod=%s", worker.pod.name)
                self.tasks.start(worker.kill(), f"kill-{worker.pod.name}")
            return
        if worker is None:
            if new.status.phase in ("Succeeded", "Failed"):
                return
            self._begin(new, uid)
            worker = self._workers.get(uid)
        if new.metadata.deletion_timestamp and worker is not None:
            worker.terminate(new)

    def _begin(self, pod: Pod, uid: str) -> None:
        try:
            host = self._addresses.take()
        except LookupError as error:
            self._host.recorder.tell(pod, "FailedCreatePodSandBox", str(error), warning=True)
            return
        pod_ip = self.plan.pod(self.index, host)
        app_ip = self.plan.app(self.index, host) if meshed(pod) and self._host.sidecars else pod_ip
        own = pod.model_copy(deep=True)  # the informer's object is shared
        worker = PodWorker(own, self._host, pod_ip, app_ip, self._gone)
        self._workers[uid], self._hosts[uid] = worker, host
        worker.start()

    def _gone(self, worker: PodWorker) -> None:
        uid = worker.pod.metadata.uid or ""
        self._workers.pop(uid, None)
        if (host := self._hosts.pop(uid, None)) is not None:
            self._addresses.give_back(host)
