"""What stands in for a cluster while nodes are tested?

Real: the store, the registry, the in-process client, the informers, the agent, its sockets and child processes.
Imitated: the scheduler (pods name their node), the sidecar (`FakeSidecar` notes what it is told and binds nothing), and
the API's absence (`Flaky` refuses everything while it is away).
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import uvloop

from mesh.api import scheme
from mesh.api.core import Event, Pod
from mesh.api.errors import Unavailable
from mesh.api.storage import PersistentVolumeClaim
from mesh.apiserver.local import LocalClient
from mesh.apiserver.registry import Registry, index
from mesh.node.addresses import Plan
from mesh.node.agent import NodeAgent
from mesh.node.host import PodSettings, SidecarFactory
from mesh.node.images import ImageTable
from mesh.runtime.clock import SystemClock
from mesh.store import Store

INDEX = os.getpid() % 60
QUICK = PodSettings(linger_s=0.05, drain_s=0.2, backoff_base_s=0.05, backoff_cap_s=0.2)


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Any]:
    """On the loop that node processes run on."""
    return {"uvloop": uvloop.new_event_loop}


class Flaky(LocalClient):
    """The in-process client, and whether it can be reached."""

    away = False

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self.calls: list[str] = []

    def _check(self, what: str) -> None:
        self.calls.append(what)
        if self.away:
            raise Unavailable("the API is away")

    async def create(self, obj: Any) -> Any:
        self._check(f"create {obj.kind or type(obj).__name__}")
        return await super().create(obj)

    async def patch(self, cls: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        self._check(f"patch {cls.__name__} {name}")
        return await super().patch(cls, name, *args, **kwargs)

    async def delete(self, cls: Any, name: str, *args: Any, **kwargs: Any) -> None:
        self._check(f"delete {cls.__name__} {name}")
        await super().delete(cls, name, *args, **kwargs)


class FakeSidecar:
    """Imitates the proxy beside a pod: it listens nowhere and only notes, with the time, what it was told."""

    def __init__(self, pod: Pod, pod_ip: str, app_ip: str) -> None:
        self.pod, self.pod_ip, self.app_ip = pod, pod_ip, app_ip
        self.told: list[str] = []
        self.failures: list[BaseException] = []
        self.draining_s = 0.0

    async def start(self) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.told.append("start")

    async def drain(self, timeout_s: float) -> None:
        self.told.append("drain")
        await asyncio.sleep(min(self.draining_s, timeout_s))

    async def stop(self) -> None:
        self.told.append("stop")


class World:
    """A store with one node's agent on it."""

    def __init__(self, folder: Path) -> None:
        self.clock = SystemClock()
        self.store = Store(None, self.clock.wall(), index)
        self.registry = Registry(self.store, self.clock, random.Random(1))
        self.registry.bootstrap([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}])
        self.client = Flaky(self.registry)
        self.folder = folder
        self.plan, self.index = Plan(5), INDEX
        self.agents: list[NodeAgent] = []

    async def node(
        self,
        name: str = "node-1",
        *,
        sidecars: SidecarFactory | None = None,
        images: dict[str, str] | None = None,
        settings: PodSettings = QUICK,
    ) -> NodeAgent:
        agent = NodeAgent(
            self.client, name, self.index, self.plan, sidecars, ImageTable(images), self.clock, self.folder, settings
        )
        self.agents.append(agent)
        await agent.start()
        return agent

    def make(self, name: str = "web", node: str = "node-1", **spec: Any) -> None:
        """Store a pod, already bound. Keywords that a container knows go to its container, the rest to the spec."""
        own = ("image", "ports", "env", "args", "command", "readinessProbe", "livenessProbe", "startupProbe",
               "volumeMounts", "lifecycle", "imagePullPolicy", "workingDir", "terminationMessagePolicy")  # fmt: skip
        container = {"name": "app", "image": "containersol/k8s-deployment-strategies",
                     "ports": [{"name": "http", "containerPort": 8080}]}  # fmt: skip
        container |= {key: spec.pop(key) for key in own if key in spec}
        meta = {"name": name, "namespace": "default", "labels": spec.pop("labels", {"app": name})}
        body = {"nodeName": node, "terminationGracePeriodSeconds": 5, "containers": [container], **spec}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": body}
        self.registry.create(scheme.BY_NAME["pods"], pod, "default")

    async def claim(self, name: str = "data", modes: Sequence[str] = ("ReadWriteOnce",), **source: Any) -> None:
        """A claim that is bound to a volume `pv-NAME`, as the controllers leave it. source: of the volume's spec."""
        spec = {"accessModes": list(modes), "capacity": {"storage": "1Gi"}, "storageClassName": ""}
        csi = {"driver": "loopmesh.io/directory", "volumeHandle": f"pv-{name}", "volumeAttributes": {"kind": "shared"}}
        volume = {"metadata": {"name": f"pv-{name}"}, "spec": {**spec, **(source or {"csi": csi})}}
        wanted = {"accessModes": list(modes), "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "",
                  "volumeName": f"pv-{name}"}  # fmt: skip
        claim = {"metadata": {"name": name, "namespace": "default"}, "spec": wanted}
        self.registry.create(
            scheme.BY_NAME["persistentvolumes"], {"apiVersion": "v1", "kind": "PersistentVolume", **volume}, ""
        )
        self.registry.create(
            scheme.BY_NAME["persistentvolumeclaims"],
            {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **claim}, "default",
        )  # fmt: skip
        bound = {"status": {"phase": "Bound", "accessModes": list(modes)}}
        await self.client.patch(PersistentVolumeClaim, name, bound, "default", subresource="status")

    async def pod(self, name: str = "web") -> Pod:
        return await self.client.get(Pod, name, "default")

    async def until(self, holds: Callable[[Pod], Any], name: str = "web", within_s: float = 8.0) -> Pod:
        """The pod once it is as wanted."""
        pod = await self.pod(name)
        try:
            async with asyncio.timeout(within_s):
                while not holds(pod):
                    await asyncio.sleep(0.01)
                    pod = await self.pod(name)
        except TimeoutError:
            pytest.fail(f"pod {name} did not get there: {pod.status.model_dump(exclude_none=True)}")
        return pod

    async def ready(self, name: str = "web") -> Pod:
        return await self.until(lambda pod: pod.ready, name)

    async def events(self, *reasons: str, name: str = "web", within_s: float = 5.0) -> list[Event]:
        """The pod's events of these reasons, once there is one of each; all of them when none is asked for."""
        async with asyncio.timeout(within_s):
            while True:
                found = [e for e in (await self.client.list(Event)).items if e.involved_object.name == name]
                if {event.reason for event in found} >= set(reasons):
                    return [event for event in found if not reasons or event.reason in reasons]
                await asyncio.sleep(0.01)

    async def gone(self, name: str = "web", within_s: float = 8.0) -> None:
        async with asyncio.timeout(within_s):
            while any(pod.name == name for pod in (await self.client.list(Pod)).items):
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        self.client.away = False
        for agent in self.agents:
            await agent.stop()
        self.store.close()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    try:
        yield made
    finally:
        await made.close()


class Sidecars(list[FakeSidecar]):
    """A factory that remembers what it made."""

    def __init__(self, failures: Sequence[BaseException] = (), draining_s: float = 0.0) -> None:
        super().__init__()
        self._failures, self._draining_s = failures, draining_s

    def __call__(self, pod: Pod, pod_ip: str, app_ip: str) -> FakeSidecar:
        made = FakeSidecar(pod, pod_ip, app_ip)
        made.failures, made.draining_s = list(self._failures), self._draining_s
        self.append(made)
        return made


@pytest.fixture
def sidecars() -> type[Sidecars]:
    return Sidecars
