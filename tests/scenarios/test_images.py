"""Images in a running mesh: tools in Jobs and init containers, a real redis, objects, and programs that change."""

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from mesh.cli.rest import Rest
from tests.scenarios.support import Mesh, Up
from tests.tools import program

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

APP = """
import http.server, os
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"one")
http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Hello).serve_forever()
"""
MANIFEST = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: redis}
spec:
  serviceName: redis
  selector: {matchLabels: {app: redis}}
  template:
    metadata: {labels: {app: redis}}
    spec:
      containers:
        - name: redis
          image: redis:7-alpine
          args: [--maxmemory, 20mb]
          ports: [{containerPort: 6379}]
          readinessProbe: {exec: {command: [redis-cli, ping]}, periodSeconds: 1}
          volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 8Mi}}}
---
apiVersion: v1
kind: Service
metadata: {name: redis}
spec: {selector: {app: redis}, ports: [{port: 6379}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: s3}
spec:
  serviceName: s3
  selector: {matchLabels: {app: s3}}
  template:
    metadata: {labels: {app: s3}}
    spec:
      containers:
        - {name: s3, image: mesh/objects, ports: [{containerPort: 9000}], volumeMounts: [{name: data, mountPath: /data}]}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {storageClassName: objects, accessModes: [ReadWriteOnce], resources: {requests: {storage: 8Mi}}}
---
apiVersion: v1
kind: Service
metadata: {name: s3}
spec: {selector: {app: s3}, ports: [{name: http, port: 9000}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      initContainers:
        - name: wait
          image: busybox:1.36
          command: [sh, -c, "until nslookup redis && nc -z redis 6379; do sleep 0.2; done; echo $HOSTNAME > /work/started"]
          volumeMounts: [{name: work, mountPath: /work}]
        - name: look
          image: docker.io/library/busybox
          command: [cat, /work/started]
          volumeMounts: [{name: work, mountPath: /work}]
      containers:
        - name: app
          image: team/web:1
          ports: [{containerPort: 8080}]
          readinessProbe: {httpGet: {port: 8080}, periodSeconds: 1}
      volumes: [{name: work, emptyDir: {}}]
"""
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: fetch}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: fetch
          image: busybox
          args: [sh, -c, "wget -q -O /out/got http://s3:9000/logs/a && cat /out/got; pwd"]
          volumeMounts: [{name: out, mountPath: /out}]
      volumes: [{name: out, emptyDir: {}}]
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("work") / "app.py"
    path.write_text(APP)
    return path


@pytest.fixture(scope="module")
def mesh(up_once: Up, app: Path) -> Mesh:
    program("redis-server", "package redis-server")
    (app.parent / "all.yaml").write_text(MANIFEST)
    # One node: another one has read nothing yet, and takes a program as it is when its first pod comes.
    return up_once(
        "--nodes", "1", "-f", str(app.parent / "all.yaml"), "--image", f"team/web=/usr/bin/env python3 {app}"
    )


def get(mesh: Mesh, what: str, **query: str) -> Any:
    """Of the core API, in the default namespace."""
    return Rest(mesh.up["api"]).call("GET", f"/api/v1/namespaces/default/{what}?{urlencode(query)}")


async def until(what: Callable[[], Any], within_s: float = 20) -> Any:
    async with asyncio.timeout(within_s):
        while not (found := await asyncio.to_thread(what)):
            await asyncio.sleep(0.05)
    return found


def service(mesh: Mesh, name: str) -> str:
    return str(get(mesh, f"services/{name}")["spec"]["clusterIP"])


def pods(mesh: Mesh, app: str) -> list[dict[str, Any]]:
    """Those that are ready."""
    found = get(mesh, "pods", labelSelector=f"app={app}")["items"]
    return [pod for pod in found if all(c["ready"] for c in pod["status"].get("containerStatuses", [{"ready": False}]))]


def redis(address: str, *words: str) -> str:
    command = [program("redis-cli", "package redis-tools"), "-h", address, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()


async def test_redis_keeps_what_it_acknowledged(mesh: Mesh) -> None:
    (before,) = pods(mesh, "redis")
    address = service(mesh, "redis")
    assert redis(address, "set", "colour", "blue") == "OK"
    assert redis(before["status"]["podIP"], "get", "colour") == "blue"
    assert redis(address, "config", "get", "maxmemory").split() == ["maxmemory", str(20 << 20)]
    assert mesh.cli("delete", "pod", "redis-0").code == 0

    def back() -> bool:
        found = pods(mesh, "redis")
        return bool(found) and found[0]["metadata"]["uid"] != before["metadata"]["uid"]

    await until(back)
    assert await until(lambda: redis(address, "get", "colour")) == "blue"


async def test_objects_stay_and_a_job_fetches_one(mesh: Mesh) -> None:
    url = f"http://{service(mesh, 's3')}:9000/logs/a"
    assert mesh.curl("-w", "%{http_code}", "-X", "PUT", "--data-binary", "first\n", url).out == "200"
    assert mesh.curl("-o", "/dev/null", "-w", "%{http_code}", "-X", "PUT", "-d", "second", url).out == "409"
    mesh.apply_text(JOB)

    def ended() -> str:
        found = get(mesh, "pods", labelSelector="job-name=fetch")["items"]
        return found[0]["metadata"]["name"] if found and found[0]["status"].get("phase") == "Succeeded" else ""

    pod = await until(ended)
    got, where = mesh.cli("logs", pod).out.splitlines()
    assert got == "first"
    assert Path(where).is_relative_to(mesh.home), "a tool starts in its container's own directory"


async def test_a_changed_program_and_whether_a_restart_takes_it(mesh: Mesh, app: Path) -> None:
    (pod,) = pods(mesh, "web")
    first = pod["status"]["containerStatuses"][0]["imageID"]
    assert mesh.curl(f"http://{pod['status']['podIP']}:8080/").out == "one"
    assert [c["state"]["terminated"]["exitCode"] for c in pod["status"]["initContainerStatuses"]] == [0, 0]
    app.write_text(APP.replace('b"one"', 'b"two"'))

    def shown() -> Any:
        return json.loads(mesh.cli("images", "team/web", "-o", "json").out)[0]

    (running,) = shown()["containers"]
    assert (running["image_id"], running["current"], running["changed_layers"]) == (first, False, ["application"])

    async def after(patch: dict[str, Any]) -> tuple[str, str]:
        """Answer and imageID of the pod that a new template makes."""
        before = {pod["metadata"]["uid"] for pod in pods(mesh, "web")}
        await restart(mesh, patch)

        def new() -> Any:
            return [pod for pod in pods(mesh, "web") if pod["metadata"]["uid"] not in before]

        (pod, *_) = await until(new)
        return mesh.curl(f"http://{pod['status']['podIP']}:8080/").out, pod["status"]["containerStatuses"][0]["imageID"]

    assert await after({"metadata": {"annotations": {"again": "1"}}}) == ("one", first)
    answer, second = await after({"spec": {"containers": [{"name": "app", "imagePullPolicy": "Always"}]}})
    assert (answer, second) == ("two", f"team/web@{shown()['digest']}")
    assert second != first
    assert await after({"spec": {"containers": [{"name": "app", "image": first}]}}) == ("one", first), "by its digest"
    events = [event["message"] for event in get(mesh, "events")["items"] if event["reason"] == "Pulled"]
    text = 'Container image "team/web:1" already present on machine (layer application changed since; '
    assert f"{text}imagePullPolicy Always takes that)" in events
    assert 'Successfully pulled image "team/web:1" (layer application changed)' in events


async def restart(mesh: Mesh, template: dict[str, Any]) -> None:
    """Change the template of the Deployment `web`."""
    kubectl = program("kubectl", "package kubernetes-client")
    command = [kubectl, "--server", mesh.up["api"], "patch", "deployment", "web", "-p"]
    patch = json.dumps({"spec": {"template": template}})
    await asyncio.to_thread(subprocess.run, [*command, patch], capture_output=True, timeout=20, check=True)
