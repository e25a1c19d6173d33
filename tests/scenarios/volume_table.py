"""What becomes of data, by kind of volume and by what happens? Tried on a running mesh, every kind at the same time.

Pods of a kind are named after it and after their turn: `disk-a` on node-1, `disk-b` on node-2, `disk-c` on node-3.
"""

import asyncio
import os
import signal
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from mesh.api.config import ConfigMap, Secret
from mesh.api.core import Event, Pod
from mesh.api.errors import NotFound
from mesh.api.scheme import BY_GVK
from mesh.api.storage import PersistentVolume
from mesh.client.http import HttpClient
from tests.scenarios.support import Mesh

Json = dict[str, Any]
PORT, LIMIT_S, POLL_S = 7000, 20.0, 0.03
NODES = {"a": "node-1", "b": "node-2", "c": "node-3", "d": "node-1", "e": "node-3"}
RESTART, REPLACED, SECOND, MOVED, DEATH = "restart", "replaced", "second writer", "moved", "node death"
COLUMNS = (RESTART, REPLACED, SECOND, MOVED, DEATH)
BACK, BESIDE = "back on its node", "second writer of the same node"
KEPT, LOST, THERE = "kept", "lost", "not there"

# As a cluster has it. `not there`: the data stays on the node where it was written, and the pod is elsewhere.
EXPECTED: dict[str, tuple[str, str, str, str, str]] = {
    "emptydir": (KEPT, LOST, "has its own", LOST, LOST),
    "ephemeral": (KEPT, LOST, "has its own", LOST, LOST),
    "hostpath": (KEPT, KEPT, "has its own", THERE, THERE),
    "disk": (KEPT, KEPT, "waits: Multi-Attach", KEPT, KEPT),
    "onepod": (KEPT, KEPT, "is not scheduled", KEPT, KEPT),
    "share": (KEPT, KEPT, "writes", KEPT, KEPT),
    "books": (KEPT, KEPT, "refused", KEPT, KEPT),
    "objects": (KEPT, KEPT, "adds, changes nothing", KEPT, KEPT),
    "configmap": (KEPT, KEPT, "reads changes", KEPT, KEPT),
    "secret": (KEPT, KEPT, "reads changes", KEPT, KEPT),
}


def claim_spec(storage_class: str | None, mode: str) -> Json:
    """None leaves the class to the cluster."""
    spec: Json = {"accessModes": [mode], "resources": {"requests": {"storage": "64Mi"}}}
    return spec if storage_class is None else {**spec, "storageClassName": storage_class}


CLAIMS = {"disk": ("standard", "ReadWriteOnce"), "onepod": ("standard", "ReadWriteOncePod"),
          "share": ("shared", "ReadWriteMany"), "objects": ("objects", "ReadWriteMany"),
          "books": ("", "ReadOnlyMany"), "books-seed": ("", "ReadWriteMany")}  # fmt: skip
SOURCES: dict[str, Json] = {
    "emptydir": {"emptyDir": {}},
    "ephemeral": {"ephemeral": {"volumeClaimTemplate": {"spec": claim_spec("standard", "ReadWriteOnce")}}},
    "hostpath": {"hostPath": {"path": "/srv/table", "type": "DirectoryOrCreate"}},
    "configmap": {"configMap": {"name": "words"}},
    "secret": {"secret": {"secretName": "words"}},
    **{name: {"persistentVolumeClaim": {"claimName": name}} for name in CLAIMS},
}


def manifests() -> list[Json]:
    """What the pods need: claims, two hand-made volumes of the same files, a ConfigMap and a Secret."""
    objects = [claim(name, storage_class, mode) for name, (storage_class, mode) in CLAIMS.items()]
    for name in ("books", "books-seed"):
        attributes = {"kind": "shared"}
        spec = {
            "capacity": {"storage": "64Mi"},
            "accessModes": [CLAIMS[name][1]],
            "claimRef": {"namespace": "default", "name": name},
            "csi": {"driver": "loopmesh.io/directory", "volumeHandle": "books", "volumeAttributes": attributes},
        }
        objects.append({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec})
    for kind, data in (("ConfigMap", {"data": {"mark": "first"}}), ("Secret", {"stringData": {"mark": "first"}})):
        objects.append({"apiVersion": "v1", "kind": kind, "metadata": {"name": "words"}, **data})
    return objects


def claim(name: str, storage_class: str | None, mode: str) -> Json:
    spec = claim_spec(storage_class, mode)
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def pod(kind: str, letter: str) -> Json:
    """A pod of that kind on the node of that letter, without a sidecar."""
    container: Json = {"name": "c", "image": image(kind), "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                       "ports": [{"containerPort": PORT}]}  # fmt: skip
    if kind in ("configmap", "secret"):
        serve = f"exec python3 -m http.server {PORT} --bind $HOST --directory /data"
        container["command"] = ["sh", "-c", serve]
    container["readinessProbe"] = {"tcpSocket": {"port": PORT}, "periodSeconds": 1}
    metadata = {"name": f"{kind}-{letter}", "labels": {"sidecar.istio.io/inject": "false"}}
    spec = {
        "terminationGracePeriodSeconds": 1,
        "nodeSelector": {"kubernetes.io/hostname": NODES[letter]},
        "containers": [container],
        "volumes": [{"name": "data", **SOURCES[kind]}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def image(kind: str) -> str:
    if kind in ("configmap", "secret"):
        return "python:3"
    return "mesh/objects:1" if kind == "objects" else "mesh/kv:1"


@dataclass(slots=True)
class Play:
    """Everything that is tried, and what was seen. seen: (kind, column) -> words."""

    mesh: Mesh
    client: HttpClient
    http: aiohttp.ClientSession
    seen: dict[tuple[str, str], str] = field(default_factory=dict)

    async def run(self) -> None:
        """All columns, in an order in which each finds what it needs."""
        for data in manifests():
            await self.create(data)
        kinds = list(EXPECTED)
        await self.create(pod("books-seed", "a"))
        await self.every([kind for kind in kinds if kind != "books"], lambda kind: self.begin(kind))
        await self.ready("books-seed-a")
        await self.write("books-seed-a", "mark")
        await self.begin("books")
        await self.every(kinds, self.restarted)
        await self.every(kinds, self.replaced)
        await self.every(kinds, self.second)
        await self.every(kinds, self.moved)
        await self.death(kinds)
        await asyncio.gather(self.more("hostpath", "d", BACK), self.more("disk", "e", BESIDE))

    async def every(self, kinds: list[str], what: Callable[[str], Awaitable[None]]) -> None:
        """The same for all kinds at once."""
        await asyncio.gather(*(what(kind) for kind in kinds))

    # Columns.

    async def begin(self, kind: str) -> None:
        await self.create(pod(kind, "a"))
        await self.ready(f"{kind}-a")
        if kind not in ("books", "configmap", "secret"):
            assert await self.write(f"{kind}-a", "mark") in (200, 201, 204), kind

    async def restarted(self, kind: str) -> None:
        """Another tag of the image ends the container, and starts it in the same pod."""
        name = f"{kind}-a"
        again = [{"name": "c", "image": image(kind) + ".1"}]
        patch = {"spec": {"containers": again}}
        strategic = "application/strategic-merge-patch+json"
        await self.client.patch(Pod, name, patch, "default", content_type=strategic)
        await self.until(name, lambda p: p.ready and (p.status.container_statuses or [])[0].restart_count == 1)
        self.saw(kind, RESTART, KEPT if await self.has(name) else LOST)

    async def replaced(self, kind: str) -> None:
        """Another pod of the same name on the same node."""
        await self.gone(f"{kind}-a")
        await self.create(pod(kind, "a"))
        await self.ready(f"{kind}-a")
        self.saw(kind, REPLACED, KEPT if await self.has(f"{kind}-a") else LOST)

    async def second(self, kind: str) -> None:
        """A pod on another node, while the first is there."""
        name = f"{kind}-b"
        await self.create(pod(kind, "b"))
        said = {"disk": ("FailedAttachVolume", "Multi-Attach error for volume", "waits: Multi-Attach"),
                "onepod": ("FailedScheduling", "ReadWriteOncePod access mode", "is not scheduled")}  # fmt: skip
        if kind in said:
            reason, words, means = said[kind]
            await self.told(name, reason, words)
            found = await self.client.get(Pod, name, "default")
            self.saw(kind, SECOND, means if not found.ready else "runs")
            return
        await self.ready(name)
        self.saw(kind, SECOND, await self.second_writes(kind, name))

    async def second_writes(self, kind: str, name: str) -> str:
        if kind in ("configmap", "secret"):
            cls, text = (ConfigMap, "second") if kind == "configmap" else (Secret, b64encode(b"second").decode())
            await self.client.patch(cls, "words", {"data": {"mark": text}}, "default")
            return "reads changes" if await self.reads(name, "second") else "reads the old"
        before = await self.has(name)
        status = await self.write(name, "second")
        if status == 403:
            return "refused"
        assert status in (200, 201, 204), (name, status)
        if not before:
            return "has its own"
        if kind == "objects":
            return "adds, changes nothing" if await self.write(name, "mark") == 409 else "changes"
        return "writes"

    async def moved(self, kind: str) -> None:
        """The first pod ends; the one on the other node is all there is."""
        await self.gone(f"{kind}-a")
        await self.ready(f"{kind}-b")
        self.saw(kind, MOVED, KEPT if await self.has(f"{kind}-b") else self.absent(kind))

    async def death(self, kinds: list[str]) -> None:
        """The node's process is killed; pods on a third node take over."""
        pid = next(node["pid"] for node in self.mesh.up["nodes"] if node["name"] == NODES["b"])
        os.kill(pid, signal.SIGKILL)
        await self.every(kinds, self.after_death)

    async def after_death(self, kind: str) -> None:
        await self.create(pod(kind, "c"))
        await self.ready(f"{kind}-c")
        self.saw(kind, DEATH, KEPT if await self.has(f"{kind}-c") else self.absent(kind))

    async def more(self, kind: str, letter: str, column: str) -> None:
        """One more pod of a kind: does it find what is there?"""
        name = f"{kind}-{letter}"
        await self.create(pod(kind, letter))
        await self.ready(name)
        found = await self.has(name) and await self.write(name, "third") in (200, 201)
        self.saw(kind, column, KEPT if found else LOST)

    @staticmethod
    def absent(kind: str) -> str:
        """Of data that the pod does not find: it is elsewhere, or nowhere."""
        return THERE if kind == "hostpath" else LOST

    def saw(self, kind: str, column: str, words: str) -> None:
        self.seen[(kind, column)] = words

    # Tools.

    async def create(self, data: Json) -> None:
        kind = BY_GVK[(data["apiVersion"], data["kind"])]
        metadata = data["metadata"] if not kind.namespaced else {**data["metadata"], "namespace": "default"}
        await self.client.create(kind.model.model_validate({**data, "metadata": metadata}))

    async def until(self, name: str, holds: Callable[[Pod], bool]) -> Pod:
        """Wait until the pod is so."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                found = await self.client.get(Pod, name, "default")
                if holds(found):
                    return found
                await asyncio.sleep(POLL_S)

    async def ready(self, name: str) -> Pod:
        return await self.until(name, lambda found: found.ready)

    async def gone(self, name: str) -> None:
        await self.client.delete(Pod, name, "default")
        async with asyncio.timeout(LIMIT_S):
            while True:
                try:
                    await self.client.get(Pod, name, "default")
                except NotFound:
                    return
                await asyncio.sleep(POLL_S)

    async def phase(self, name: str, wanted: str | None) -> None:
        """Wait until a volume is in that phase; None waits until it is gone."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                try:
                    seen = (await self.client.get(PersistentVolume, name)).status.phase
                except NotFound:
                    seen = None
                if seen == wanted:
                    return
                await asyncio.sleep(POLL_S)

    async def told(self, name: str, reason: str, words: str) -> Event:
        """Wait for a Warning event about that object."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                selector = f"involvedObject.name={name},reason={reason}"
                for event in (await self.client.list(Event, "default", field_selector=selector)).items:
                    if words in (event.message or ""):
                        return event
                await asyncio.sleep(POLL_S)

    async def url(self, name: str, key: str) -> str:
        found = await self.client.get(Pod, name, "default")
        path = {"objects": f"/table/{key}", "configmap": f"/{key}", "secret": f"/{key}"}.get(
            name.rpartition("-")[0], f"/keys/{key}"
        )
        return f"http://{found.status.pod_ip}:{PORT}{path}"

    async def write(self, name: str, key: str) -> int:
        """The status of the answer."""
        async with self.http.put(await self.url(name, key), data=f"by {name}".encode()) as answer:
            return answer.status

    async def has(self, name: str) -> bool:
        async with self.http.get(await self.url(name, "mark")) as answer:
            assert answer.status in (200, 404), (name, answer.status)
            return answer.status == 200

    async def reads(self, name: str, text: str) -> bool:
        """Does the file say so, sooner or later?"""
        url = await self.url(name, "mark")
        async with asyncio.timeout(LIMIT_S):
            while True:
                async with self.http.get(url) as answer:
                    if await answer.text() == text:
                        return True
                await asyncio.sleep(POLL_S)


def table(seen: Mapping[tuple[str, str], str]) -> str:
    """Expected beside seen, for people."""
    lines = [f"{'volume':<10} " + " ".join(f"{column:<45}" for column in COLUMNS)]
    for kind, cells in EXPECTED.items():
        shown = [f"{want} / {seen.get((kind, column), '-')}" for column, want in zip(COLUMNS, cells, strict=True)]
        lines.append(f"{kind:<10} " + " ".join(f"{cell:<45}" for cell in shown))
    return "\n".join(line.rstrip() for line in lines)
