"""How is DNS in a mesh whose control process has other work?

Starts a mesh of its own with 200 services, asks its DNS at a rate, and meanwhile leaves it alone, lists objects through
its API, or scales a Deployment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import dns.message

from benchmarks.dns_load import Run, again, ask
from benchmarks.processes import NotStarted

NAME, SERVICES, REPLICAS, LISTS = "bench-dns", 200, 100, 40
DOMAIN = "default.svc.cluster.local"
MESH = [sys.executable, "-m", "mesh.cli.main"]
START_S, CALL_S = 90.0, 30.0
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: containersol/k8s-deployment-strategies, ports: [{containerPort: 8080}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: None, selector: {app: web}, ports: [{name: http, port: 8080}]}
"""
SERVICE = """---
apiVersion: v1
kind: Service
metadata: {{name: svc-{number}}}
spec: {{selector: {{app: none}}, ports: [{{name: http, port: 80}}]}}
"""


@dataclass(frozen=True, slots=True)
class Busy:
    label: str
    run: Run


def in_a_mesh(a_second: float, seconds: float) -> list[Busy]:
    """One run beside each kind of other work. Raises NotStarted."""
    with tempfile.TemporaryDirectory(prefix="bench-dns-") as home:
        environment = {**os.environ, "MESH_HOME": home}
        manifests = DEPLOYMENT + "".join(SERVICE.format(number=number) for number in range(SERVICES))
        words = [*MESH, "up", "--detach", "-o", "json", "--name", NAME, "-f", "-"]
        up = subprocess.run(words, input=manifests, env=environment, capture_output=True, text=True, timeout=START_S)
        try:
            if up.returncode:
                raise NotStarted(up.stderr.strip())
            running = json.loads(up.stdout)
            host, port = running["dns"].split(":")
            return _runs(running["api"], (host, int(port)), a_second, seconds)
        finally:
            subprocess.run([*MESH, "down", "--name", NAME], env=environment, capture_output=True, timeout=START_S)


def _runs(api: str, address: tuple[str, int], a_second: float, seconds: float) -> list[Busy]:
    names = [f"svc-{number}.{DOMAIN}" for number in range(SERVICES)] + [f"web.{DOMAIN}"] * 20
    questions = again([dns.message.make_query(n, "A", use_edns=0, payload=4096).to_wire()[2:] for n in names])
    work: list[tuple[str, Callable[[], None]]] = [
        ("nothing", lambda: None),
        (f"{LISTS} lists of {SERVICES} services", lambda: _list(api)),
        (f"a Deployment grows from 4 pods to {REPLICAS}", lambda: _scale(api)),
    ]
    found = []
    with ThreadPoolExecutor(1) as beside:
        for label, do in work:
            doing = beside.submit(do)
            found.append(Busy(label, ask(address, questions, a_second, seconds)))
            doing.result()
    return found


def _list(api: str) -> None:
    for _ in range(LISTS):
        subprocess.run(["curl", "-s", "-o", os.devnull, f"{api}/api/v1/services"], timeout=CALL_S, check=True)


def _scale(api: str) -> None:
    request = urllib.request.Request(  # noqa: S310  # an address of our own mesh
        f"{api}/apis/apps/v1/namespaces/default/deployments/web/scale",
        data=json.dumps({"spec": {"replicas": REPLICAS}}).encode(),
        headers={"content-type": "application/merge-patch+json"},
        method="PATCH",
    )
    with urllib.request.urlopen(request, timeout=CALL_S) as answer:  # noqa: S310
        answer.read()
