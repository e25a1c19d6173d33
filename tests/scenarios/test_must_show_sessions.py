"""Users with cookies during a ramped rollout: each stays with a pod while it lives, and nobody goes back a version."""

import asyncio
import json
import time
from dataclasses import dataclass, field

import aiohttp
import pytest

from tests.scenarios.support import Mesh, Up

pytestmark = [pytest.mark.live, pytest.mark.timeout(90)]
USERS, REPLICAS, PAUSE_S = 24, 4, 0.05
SLACK_S = 0.5
"""A request that began before its pod was taken out may end a little after another user moved away."""


def deployment(version: str) -> str:
    labels = {"app": "my-app", "version": version}
    container = {
        "name": "my-app",
        "image": "containersol/k8s-deployment-strategies",
        "env": [{"name": "VERSION", "value": version}],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1},
    }
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    return json.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "my-app"},
            "spec": {
                "replicas": REPLICAS,
                "strategy": strategy,
                "selector": {"matchLabels": {"app": "my-app"}},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        }
    )


SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: my-app}
spec: {selector: {app: my-app}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: my-app
  annotations:
    nginx.ingress.kubernetes.io/affinity: cookie
    nginx.ingress.kubernetes.io/session-cookie-name: route
spec:
  rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: my-app, port: {name: http}}}}]}}]
---
"""


@pytest.fixture(scope="module")
def mesh(up_once: Up, tmp_path_factory: pytest.TempPathFactory) -> Mesh:
    file = tmp_path_factory.mktemp("ramp") / "all.yaml"
    file.write_text(SERVICE + deployment("v1"))
    return up_once("-f", str(file))


@dataclass
class User:
    """What one user saw: (when the answer was there, pod, version)."""

    seen: list[tuple[float, str, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def moves(self) -> list[tuple[tuple[float, str, str], tuple[float, str, str]]]:
        pairs = zip(self.seen, self.seen[1:], strict=False)
        return [(before, after) for before, after in pairs if before[1] != after[1]]


async def browse(user: User, url: str, over: asyncio.Event) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        while not over.is_set():
            try:
                async with session.get(url) as answer:
                    text = (await answer.text()).strip()
                    if answer.status != 200:
                        user.errors.append(f"{answer.status} {text}")
                        continue
            except aiohttp.ClientError as error:
                user.errors.append(repr(error))
                continue
            host, _, version = text.removeprefix("Host: ").partition(", Version: ")
            user.seen.append((time.monotonic(), host, version))
            await asyncio.sleep(PAUSE_S)


async def test_nobody_moves_without_need(mesh: Mesh) -> None:
    users, over = [User() for _ in range(USERS)], asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for user in users:
            group.create_task(browse(user, mesh.gateway, over))
        await asyncio.sleep(1)
        before = {user.seen[0][1] for user in users}
        assert len(before) == REPLICAS, "users are spread over the pods"
        await asyncio.to_thread(mesh.apply_text, deployment("v2"))
        async with asyncio.timeout(40):
            while any(user.seen[-1][2] != "v2" for user in users):
                await asyncio.sleep(0.1)
        await asyncio.sleep(1)
        over.set()
    assert [error for user in users for error in user.errors] == []
    last = {}
    for user in users:
        for when, pod, _ in user.seen:
            last[pod] = max(last.get(pod, 0.0), when)
    for user in users:
        for (_, pod, version), (when, _, after) in user.moves():
            assert (version, after) != ("v2", "v1"), "a user went back"
            assert last[pod] <= when + SLACK_S, f"a user left {pod}, which served others still"
    moved = [len(user.moves()) for user in users]
    assert min(moved) >= 1
    assert max(moved) <= REPLICAS, "at most one move for each pod that went"
