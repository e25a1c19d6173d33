"""How does a node say that it is there? It registers itself, and once a second says that it is well."""

import asyncio
import logging
import platform
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from mesh.api.core import Node, NodeAddress, NodeCondition, NodeSpec, NodeStatus
from mesh.api.errors import AlreadyExists, ApiError, NotFound
from mesh.api.meta import ObjectMeta
from mesh.client.base import Client
from mesh.node.addresses import PODS_PER_NODE, Plan
from mesh.node.ways import ZONE_LABEL
from mesh.runtime.clock import Clock, rfc3339, rfc3339_micro

log = logging.getLogger("mesh.node")
HEARTBEAT_S = 1.0
KUBELET_PORT = 10250
MISSED_S = 2.5
"""After a longer gap between two heartbeats the node counts as newly ready."""
_FIRST_AGAIN_S, _LAST_AGAIN_S = 0.05, 1.0


class Registration:
    """The Node object of one node process. zone: empty for none."""

    def __init__(self, client: Client, name: str, index: int, plan: Plan, clock: Clock, zone: str = "") -> None:
        self._client, self._name, self._index, self._plan, self._clock = client, name, index, plan, clock
        self._zone = zone
        self._since = rfc3339(clock.wall())
        self.kubelet_port = KUBELET_PORT
        """Where the node answers for its pods; to be set before it registers."""
        self.registered_again: Callable[[], Awaitable[None]] | None = None
        """Called when somebody removed the Node object and it is a new one now."""

    async def register(self) -> None:
        """Be known to the API; waits until it answers."""
        pause_s = _FIRST_AGAIN_S
        while True:
            try:
                await self._once()
                return
            except ApiError as error:
                log.info("not registered yet node=%s error=%s", self._name, error)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LAST_AGAIN_S)

    async def _once(self) -> None:
        node = self.describe()
        try:
            await self._client.create(node)
            return
        except AlreadyExists:
            pass  # from an earlier life of this node: labels and status are renewed, the rest is its users'
        await self._client.patch(Node, self._name, {"metadata": {"labels": node.metadata.labels}})
        status = node.status.model_dump(by_alias=True, exclude_none=True)
        await self._client.patch(Node, self._name, {"status": status}, subresource="status")

    async def beat(self) -> None:
        """Say once a second, for ever, that the node is there."""
        last = self._clock.now()
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            if self._clock.now() - last > MISSED_S:
                self._since = rfc3339(self._clock.wall())
            try:
                patch = {"status": {"conditions": [self._ready()]}}
                await self._client.patch(Node, self._name, patch, subresource="status")
                last = self._clock.now()
            except NotFound:
                await self.register()
                if self.registered_again is not None:
                    await self.registered_again()
            except ApiError as error:
                log.debug("heartbeat not written node=%s error=%s", self._name, error)

    def _ready(self) -> dict[str, Any]:
        return {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "the node process is running",
            "lastHeartbeatTime": rfc3339_micro(self._clock.wall()),
            "lastTransitionTime": self._since,
        }

    def describe(self) -> Node:
        """The Node object as it looks when the node has just come up."""
        arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
        system = platform.system().lower()
        labels = {
            "kubernetes.io/hostname": self._name,
            "kubernetes.io/os": system,
            "kubernetes.io/arch": arch,
            "beta.kubernetes.io/os": system,
            "beta.kubernetes.io/arch": arch,
        }
        if self._zone:
            labels |= {ZONE_LABEL: self._zone, "failure-domain.beta.kubernetes.io/zone": self._zone}
        capacity = {"cpu": "8", "memory": "16Gi", "pods": str(PODS_PER_NODE)}
        machine = uuid.uuid5(uuid.NAMESPACE_DNS, self._name).hex
        cidr = self._plan.pod_cidr(self._index)
        return Node(
            metadata=ObjectMeta(name=self._name, labels=labels),
            spec=NodeSpec(pod_cidr=cidr, pod_cidrs=[cidr]),
            status=NodeStatus(
                addresses=[
                    NodeAddress(type="InternalIP", address=self._plan.node(self._index)),
                    NodeAddress(type="Hostname", address=self._name),
                ],
                capacity=capacity,
                allocatable=dict(capacity),
                daemon_endpoints={"kubeletEndpoint": {"Port": self.kubelet_port}},
                conditions=[NodeCondition.model_validate(self._ready())],
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
