"""What stands in for a cluster while controllers are tested?

Real: the store, the registry with its admission, the in-process client, every controller, the informers' cache logic.
Imitated: time (moved by hand), the delivery of watch events (`Tap`, one event at a time, in any order between kinds but
never within one), and the nodes' agents (`Kubelet`: gives a bound pod an address, makes it ready, and lets a marked
pod go; no sockets, no probes, no images).
"""

import random
from typing import Any

from mesh.api import scheme
from mesh.api.core import Event, Namespace, Node, Pod
from mesh.api.errors import Conflict, NotFound
from mesh.api.meta import Object
from mesh.apiserver.local import LocalClient
from mesh.apiserver.registry import Registry, index
from mesh.apiserver.watch import Scope, Watcher
from mesh.client.base import ListResult, WatchEvent
from mesh.client.informer import Informer
from mesh.controllers.manager import Manager
from mesh.controllers.settings import Settings
from mesh.runtime.clock import rfc3339, rfc3339_micro
from mesh.store import Store

START_WALL = 1_780_000_000.0


class ManualClock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at

    def wall(self) -> float:
        return START_WALL + self.at


class Tap(Informer[Any]):
    """An informer whose events wait until they are let through."""

    def __init__(self, client: LocalClient, registry: Registry, cls: type[Any]) -> None:
        super().__init__(client, cls)
        self._registry = registry
        self._waiting: list[WatchEvent[Any]] = []
        kind = scheme.kind_of(cls)
        listing = registry.list(kind, Scope())
        self._watcher: Watcher = registry.watch(kind, Scope(), listing.version)
        items = [cls.model_validate_json(record.data) for record in listing.records]
        self._replace(ListResult(items, str(listing.version)))

    @property
    def waiting(self) -> int:
        """Events that were not let through yet."""
        for change in self._watcher.read():
            self._waiting.append(WatchEvent(change.type, self.cls.model_validate_json(change.record.data)))
        return len(self._waiting)

    def let(self, count: int = 1_000_000) -> None:
        """Let that many events through."""
        for _ in range(min(count, self.waiting)):
            self._apply(self._waiting.pop(0))


class Kubelet:
    """Imitates the agents of all nodes, a step at a time."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.ready_after_s = 0.0
        self.never_ready: set[str] = set()
        self.silent: set[str] = set()
        self._hosts = 0
        self._addresses: dict[str, str] = {}

    async def step(self, pod: Pod) -> bool:
        """Bring one pod one step on; False when there is nothing to do."""
        if not pod.spec.node_name or pod.spec.node_name in self.silent:
            return False
        if pod.metadata.deletion_timestamp:
            await self.world.client.delete(Pod, pod.name, pod.namespace, grace_period_s=0, uid=pod.metadata.uid)
            return True
        if pod.status.phase == "Pending":
            await self._write(pod, ready=False)
            return True
        if not pod.ready and pod.status.phase == "Running" and self._may_be_ready(pod):
            await self._write(pod, ready=True)
            return True
        return False

    def _may_be_ready(self, pod: Pod) -> bool:
        return pod.spec.containers[0].image not in self.never_ready

    async def _write(self, pod: Pod, *, ready: bool) -> None:
        uid = pod.metadata.uid or ""
        if uid not in self._addresses:
            self._hosts += 1
            self._addresses[uid] = f"127.244.{self._hosts >> 8}.{self._hosts & 255}"
        stamp = rfc3339(self.world.clock.wall())
        status = {
            "phase": "Running",
            "podIP": self._addresses[uid],
            "conditions": [
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": stamp},
                {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": stamp},
            ],
        }
        patch = {"metadata": {"uid": uid}, "status": status}
        await self.world.client.patch(Pod, pod.name, patch, pod.namespace, "status")


class World:
    """A cluster without processes. `settle` lets everything happen that can happen at this moment.

    Nodes are never lost unless the settings say so: nobody renews their heartbeats but `beat`.
    """

    def __init__(self, settings: Settings | None = None, *, nodes: int = 2, seed: int = 1) -> None:
        self.clock = ManualClock()
        self.rng = random.Random(seed)
        self.store = Store(None, self.clock.wall(), index)
        self.registry = Registry(self.store, self.clock, random.Random(seed + 1))
        self.client = LocalClient(self.registry)
        self.settings = settings or Settings(node_grace_s=1e6)
        self.registry.bootstrap(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in ("default", "kube-system")
        )
        for number in range(1, nodes + 1):
            self.add_node(f"node-{number}")
        self.kubelet = Kubelet(self)
        self.restart()

    def restart(self) -> None:
        """The controllers start anew on what is stored."""
        self.manager = Manager(
            self.client,
            self.clock,
            self.settings,
            random.Random(self.rng.random()),
            make_informer=lambda cls: Tap(self.client, self.registry, cls),
        )

    def close(self) -> None:
        self.store.close()

    @property
    def taps(self) -> list[Tap]:
        return [tap for tap in self.manager.caches.informers.values() if isinstance(tap, Tap)]

    def add_node(self, name: str, **spec: Any) -> None:
        self.registry.create(
            scheme.kind_of(Node),
            {
                "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
                "spec": spec,
                "status": {"conditions": [self._ready()], "allocatable": {"pods": "1000"}},
            },
        )

    def _ready(self) -> dict[str, str]:
        beat = rfc3339_micro(self.clock.wall())
        return {"type": "Ready", "status": "True", "lastHeartbeatTime": beat, "reason": "KubeletReady"}

    async def beat(self, *names: str) -> None:
        """The agents of those nodes renew their heartbeats."""
        for name in names:
            await self.client.patch(Node, name, {"status": {"conditions": [self._ready()]}}, None, "status")

    async def apply(self, obj: dict[str, Any]) -> None:
        """Create an object from its JSON."""
        kind = scheme.BY_GVK[(obj["apiVersion"], obj["kind"])]
        self.registry.create(kind, obj, obj["metadata"].get("namespace") or ("default" if kind.namespaced else ""))

    async def patch(self, cls: type[Object], name: str, patch: dict[str, Any]) -> None:
        """Merge a patch into an object of the default namespace."""
        await self.client.patch(cls, name, patch, "default")

    async def all(self, cls: type[Any], namespace: str = "default") -> list[Any]:
        """What is stored, by name."""
        return list((await self.client.list(cls, namespace)).items)

    async def get(self, cls: type[Any], name: str, namespace: str | None = "default") -> Any:
        return await self.client.get(cls, name, namespace)

    async def events(self) -> list[Event]:
        await self.manager.recorder.flush()
        return await self.all(Event)

    async def work(self, most: int = 1_000_000) -> bool:
        """Let controllers work on what is due; False when nothing was."""
        worked = False
        for controller in self.manager.controllers:
            for _ in range(most):
                if not await controller.step():
                    break
                worked = True
        return worked

    async def _kubelets(self) -> bool:
        moved = False
        for pod in (await self.client.list(Pod)).items:
            try:
                moved |= await self.kubelet.step(pod)
            except (NotFound, Conflict):
                moved = True
        return moved

    async def settle(self, *, kubelet: bool = True, seconds: float = 2.0) -> None:
        """Until nothing moves any more; at most so many seconds pass on the clock for delays."""
        end = self.clock.at + seconds
        for _ in range(100_000):
            delivered = False
            for tap in self.taps:
                if tap.waiting:
                    tap.let()
                    delivered = True
            if await self.work() or delivered or (kubelet and await self._kubelets()):
                continue
            due = self.next_due()
            if due is None or due > end:
                return
            self.clock.at = max(self.clock.at, due)
        raise AssertionError("the world never comes to rest")

    def next_due(self) -> float | None:
        """When a controller wants to look again."""
        due = [at for c in self.manager.controllers if (at := c.queue.next_at()) is not None]
        return min(due, default=None)

    async def jumble(self, rng: random.Random, steps: int = 60) -> None:
        """Events, work and kubelets in random order: caches lag behind each other in any way that can happen."""
        controllers = self.manager.controllers
        for _ in range(steps):
            choice = rng.random()
            if choice < 0.5:
                rng.choice(self.taps).let(rng.randint(1, 3))
            elif choice < 0.85:
                await rng.choice(controllers).step()
            else:
                pods = (await self.client.list(Pod)).items
                if pods:
                    try:
                        await self.kubelet.step(rng.choice(pods))
                    except (NotFound, Conflict):
                        pass
            self.clock.at += rng.random() * 0.01

    async def spread(self) -> dict[str, int]:
        """Pods a node."""
        counts: dict[str, int] = {}
        for pod in await self.all(Pod):
            counts[pod.spec.node_name or ""] = counts.get(pod.spec.node_name or "", 0) + 1
        return counts


def deployment(name: str = "web", replicas: int = 3, image: str = "v1", **spec: Any) -> dict[str, Any]:
    """A Deployment of one container."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template(name, image),
            **spec,
        },
    }


def template(app: str, image: str = "v1") -> dict[str, Any]:
    """A pod template with one port named http."""
    return {
        "metadata": {"labels": {"app": app}},
        "spec": {"containers": [{"name": "c", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}]},
    }


def image(name: str) -> dict[str, Any]:
    """A patch of a workload to another image."""
    return {"spec": {"template": {"spec": template("web", name)["spec"]}}}


def service(name: str = "web", app: str | None = None, **spec: Any) -> dict[str, Any]:
    """A Service in front of `app`."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"app": app or name}, "ports": [{"port": 80, "targetPort": "http"}], **spec},
    }


def stateful_set(name: str = "db", replicas: int = 3, **spec: Any) -> dict[str, Any]:
    """A StatefulSet of one container."""
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "serviceName": name,
            "selector": {"matchLabels": {"app": name}},
            "template": template(name),
            **spec,
        },
    }


__all__ = ["Namespace", "World", "deployment", "image", "service", "stateful_set", "template"]
