"""Five stores under load through everything that can happen to them: no acknowledged write is lost, no order broken."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest

from mesh.api.core import Pod
from mesh.api.storage import PersistentVolumeClaim
from mesh.api.workloads import DaemonSet, StatefulSet
from mesh.client.http import HttpClient
from mesh.client.kv import KvClient, KvError, Resolver
from tests.scenarios.support import Mesh, Up
from tests.stateful_order import Order

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

SHARDS, PORT = 5, 7000
WRITERS, BETWEEN_S = 6, 0.004
PHASE_S = 25.0
SELECTOR = "app=kv"
MANIFEST = """
apiVersion: v1
kind: Service
metadata: {name: kv}
spec:
  clusterIP: None
  selector: {app: kv}
  ports: [{name: http, port: 7000, targetPort: http}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: kv}
spec:
  serviceName: kv
  replicas: 5
  selector: {matchLabels: {app: kv}}
  template:
    metadata: {labels: {app: kv}}
    spec:
      containers:
        - name: kv
          image: mesh/kv
          ports: [{name: http, containerPort: 7000}]
          readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
          volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 64Mi}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: web, image: httpd}]}
"""


@dataclass(slots=True)
class Written:
    """What the store said yes to. values: key -> (shard, value).  counters: the last number that was acknowledged."""

    values: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    counters: dict[str, tuple[str, int]] = field(default_factory=dict)
    refused: int = 0


async def write(store: KvClient, number: int, written: Written, stop: asyncio.Event) -> None:
    """New keys, and one that is written again and again; what fails was promised to nobody."""
    count = 0
    while not stop.is_set():
        count += 1
        again = count % 8 == 0
        key = f"counter-{number}-{count % 5}" if again else f"key-{number}-{count}"
        value = str(count).encode()
        try:
            held = await store.put(key, value)
        except KvError:
            written.refused += 1
        else:
            if again:
                written.counters[key] = (held.shard, count)
            else:
                written.values[key] = (held.shard, value)
        await asyncio.sleep(BETWEEN_S)


@asynccontextmanager
async def load(mesh: Mesh) -> AsyncIterator[Written]:
    """Writers at work, each with its own look at DNS."""
    written, stop = Written(), asyncio.Event()
    stores = [KvClient(Resolver(mesh.dns, port=PORT), "kv", count=SHARDS) for _ in range(WRITERS)]
    tasks = []
    try:
        for number, store in enumerate(stores):
            await store.__aenter__()
            tasks.append(asyncio.create_task(write(store, number, written, stop)))
        yield written
    finally:
        stop.set()
        await asyncio.gather(*tasks)
        for store in stores:
            await store.__aexit__(None, None, None)


@asynccontextmanager
async def watched(client: HttpClient) -> AsyncIterator[Order]:
    """The order of pods, followed by a watch that is never interrupted."""
    order = Order()
    listed = await client.list(Pod, "default", SELECTOR)
    assert not listed.items

    async def follow() -> None:
        async for event in client.watch(Pod, listed.resource_version, "default", SELECTOR):
            if event.type != "BOOKMARK":
                order.read(event.type, event.object)

    task = asyncio.create_task(follow())
    try:
        yield order
        assert not task.done(), "the watch ended"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(what: Callable[[], Awaitable[bool]], said: str) -> None:
    async with asyncio.timeout(PHASE_S):
        while not await what():
            await asyncio.sleep(0.05)
    assert await what(), said


class Play:
    """The steps, on one mesh."""

    def __init__(self, mesh: Mesh, client: HttpClient, order: Order) -> None:
        self.mesh, self.client, self.order = mesh, client, order

    async def pods(self) -> list[Pod]:
        return (await self.client.list(Pod, "default", SELECTOR)).items

    async def settled(self, count: int) -> bool:
        """So many pods, all ready, of the latest revision, and the watch has told it."""
        owner = await self.client.get(StatefulSet, "kv", "default")
        now = owner.status
        done = owner.metadata.generation == now.observed_generation and now.current_revision == now.update_revision
        counts = {now.replicas, now.ready_replicas, now.updated_replicas, now.available_replicas, count}
        told = sorted(number for number, seen in self.order.pods.items() if seen.ready and not seen.leaving)
        return done and counts == {count} and told == list(range(count))

    async def scale(self, count: int) -> None:
        await self.client.patch(StatefulSet, "kv", {"spec": {"replicas": count}}, "default")
        await until(lambda: self.settled(count), f"scaled to {count}")

    async def update(self) -> None:
        patch = {"spec": {"template": {"metadata": {"annotations": {"round": "2"}}}}}
        await self.client.patch(StatefulSet, "kv", patch, "default")
        await until(lambda: self.settled(SHARDS), "updated")

    async def kill_pod(self, name: str) -> None:
        pod = await self.client.get(Pod, name, "default")
        self.order.excused.add(pod.metadata.uid or "")
        await self.client.delete(Pod, name, "default", grace_period_s=0)
        await until(lambda: self._replaced({pod.metadata.uid}), f"{name} is back")

    async def kill_node(self) -> tuple[str, set[str]]:
        """The node that most pods are on. The answer: its name, and the names of the pods that it held."""
        pods = await self.pods()
        nodes = [pod.spec.node_name for pod in pods]
        lost = max(sorted({node for node in nodes if node}), key=nodes.count)
        victims = {pod.name: pod.metadata.uid for pod in pods if pod.spec.node_name == lost}
        self.order.excused.update(uid or "" for uid in victims.values())
        pid = next(node["pid"] for node in self.mesh.up["nodes"] if node["name"] == lost)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: self._replaced(set(victims.values())), f"the pods of {lost} are back")
        return lost, set(victims)

    async def daemons(self, count: int) -> bool:
        """A daemon is ready on so many nodes, and no more are wanted."""
        now = (await self.client.get(DaemonSet, "agent", "default")).status
        return (now.desired_number_scheduled, now.number_ready) == (count, count)

    async def _replaced(self, uids: set[str | None]) -> bool:
        gone = not uids & {pod.metadata.uid for pod in await self.pods()}
        return gone and await self.settled(SHARDS)


async def lost_writes(pods: list[Pod], written: Written) -> list[str]:
    """Acknowledged writes that the pod of the right name does not hold (any more)."""
    wrong: list[str] = []
    where = {pod.name: f"http://{pod.status.pod_ip}:{PORT}" for pod in pods}
    slots = asyncio.Semaphore(32)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:

        async def check(key: str, shard: str, good: Callable[[bytes], bool]) -> None:
            async with slots, session.get(f"{where[shard]}/keys/{key}") as answer:
                body = await answer.read()
                if answer.status != 200 or answer.headers["x-pod"] != shard or not good(body):
                    wrong.append(f"{key} in {shard}: {answer.status} {body[:60]!r}")

        await asyncio.gather(
            *(check(key, shard, value.__eq__) for key, (shard, value) in written.values.items()),
            *(
                check(key, shard, lambda body, last=last: int(body) >= last)  # type: ignore[misc]
                for key, (shard, last) in written.counters.items()
            ),
        )
    return wrong


async def test_names_and_data_come_back(up: Up) -> None:
    mesh = up("--nodes", "3", "--node-grace", "3")
    async with HttpClient(mesh.up["api"]) as client, watched(client) as order:
        play = Play(mesh, client, order)
        mesh.apply_text(MANIFEST)
        await until(lambda: play.settled(SHARDS), "started")
        assert order.story == ["+0", "+1", "+2", "+3", "+4"]
        claims = {c.name: c.spec.volume_name for c in (await client.list(PersistentVolumeClaim, "default")).items}
        await until(lambda: play.daemons(3), "daemons on three nodes")
        async with load(mesh) as written:
            await asyncio.sleep(0.5)
            del order.story[:]
            await play.scale(3)
            assert order.story == ["-4", "x4", "-3", "x3"]
            del order.story[:]
            await play.scale(5)
            assert order.story == ["+3", "+4"]
            del order.story[:]
            await play.update()
            assert order.story == [
                step for number in (4, 3, 2, 1, 0) for step in (f"-{number}", f"x{number}", f"+{number}")
            ]
            del order.story[:]
            await play.kill_pod("kv-2")
            assert order.story == ["-2", "x2", "+2"]
            del order.story[:]
            lost, victims = await play.kill_node()
            made = [step for step in order.story if step.startswith("+")]
            assert sorted(made) == sorted(f"+{name.rpartition('-')[2]}" for name in victims)
            before = len(written.values)
            await asyncio.sleep(0.5)
        assert order.wrong == []
        await until(lambda: play.daemons(2), "daemons on two nodes")
        pods = await play.pods()
        assert sorted(pod.name for pod in pods) == [f"kv-{number}" for number in range(SHARDS)]
        assert lost not in {pod.spec.node_name for pod in pods}
        assert {
            c.name: c.spec.volume_name for c in (await client.list(PersistentVolumeClaim, "default")).items
        } == claims
        assert len(written.values) > before, "nothing could be written at the end"
        assert {shard for shard, _ in written.values.values()} == {f"kv-{number}" for number in range(SHARDS)}
        assert written.refused, "pods were away, so some writes must have failed"
        assert await lost_writes(pods, written) == []
        print(f"{len(written.values)} keys acknowledged, {written.refused} writes refused, none lost")
