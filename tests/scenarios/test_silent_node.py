"""A node that is only silent: who has a name keeps it until the node speaks again; who has none is replaced at once."""

import asyncio
import os
import signal
import time
from collections.abc import Callable

import pytest

from mesh.api.core import Pod
from mesh.client.http import HttpClient
from tests.scenarios.support import Up

pytestmark = [pytest.mark.live, pytest.mark.soak, pytest.mark.timeout(90)]
MANIFEST = """
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: http, port: 7000}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: kv, image: mesh/kv, ports: [{name: http, containerPort: 7000}]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: httpd}]}
"""


async def pods(client: HttpClient, app: str) -> list[Pod]:
    return (await client.list(Pod, "default", f"app={app}")).items


async def until(client: HttpClient, app: str, good: Callable[[list[Pod]], bool], wait_s: float = 20) -> list[Pod]:
    end = time.monotonic() + wait_s
    while not good(found := await pods(client, app)):
        shown = [(p.name, p.spec.node_name, p.ready, p.metadata.deletion_timestamp) for p in found]
        assert time.monotonic() < end, shown
        await asyncio.sleep(0.05)
    return found


def serving(found: list[Pod], lost: str = "") -> bool:
    """Two are ready and stay, and none of them is on that node."""
    well = [p for p in found if p.ready and not p.metadata.deletion_timestamp and p.spec.node_name != lost]
    return len(well) == 2


async def test_a_name_is_never_held_twice(up: Up) -> None:
    mesh = up("--nodes", "2", "--node-grace", "1")
    mesh.apply_text(MANIFEST)
    async with HttpClient(mesh.up["api"]) as client:
        before = {pod.name: pod for pod in await until(client, "db", serving)}
        await until(client, "web", serving)
        lost = str(before["db-1"].spec.node_name)
        pid = next(node["pid"] for node in mesh.up["nodes"] if node["name"] == lost)
        os.kill(pid, signal.SIGSTOP)
        try:
            await until(client, "web", lambda found: serving(found, lost))
            await until(client, "db", lambda found: any(p.metadata.deletion_timestamp for p in found))
            end = time.monotonic() + 1.0
            while time.monotonic() < end:
                now = {pod.name: pod.metadata.uid for pod in await pods(client, "db")}
                assert now["db-1"] == before["db-1"].metadata.uid, "its node may still be at work on its data"
                await asyncio.sleep(0.1)
        finally:
            os.kill(pid, signal.SIGCONT)
        after = {pod.name: pod for pod in await until(client, "db", serving)}
        assert after["db-1"].metadata.uid != before["db-1"].metadata.uid
