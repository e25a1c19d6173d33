"""How soon does DNS know what happens to pods, and how quick is it while it is asked 5,000 times a second?"""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import dns.asyncquery
import dns.message
import dns.rdatatype
import pytest

from benchmarks.dns import MOST_P99_MS, RATE, again, ask, mixed
from benchmarks.processes import free_ports
from mesh.api.core import Pod
from mesh.client.http import HttpClient
from tests.scenarios.support import Mesh, start, stop

pytestmark = [pytest.mark.live, pytest.mark.alone, pytest.mark.timeout(60)]

ROOT = Path(__file__).parents[2]
NAME = "kv.default.svc.cluster.local"
MOST_BEHIND_S = 0.25
"""From an event that a client of the API sees to the DNS answer that follows from it."""
KV = """
apiVersion: v1
kind: Service
metadata: {name: kv}
spec: {clusterIP: None, selector: {app: kv}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: kv}
spec:
  serviceName: kv
  replicas: 2
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: kv}}
  template:
    metadata: {labels: {app: kv}}
    spec:
      terminationGracePeriodSeconds: 3
      containers:
        - name: kv
          image: containersol/k8s-deployment-strategies
          ports: [{containerPort: 8080}]
          lifecycle: {preStop: {sleep: {seconds: 2}}}
"""


def test_five_thousand_questions_a_second() -> None:
    """The best of three tries counts: another program that takes the processor for a moment is not the server's doing."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "benchmarks.dns_zone", str(port), "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            questions = again(mixed())
            runs = []
            for _ in range(3):
                runs.append(ask(("127.0.0.1", port), questions, RATE, 1.0))
                with suppress(IndexError):
                    if runs[-1].percentile(0.99) < MOST_P99_MS:
                        break
            best = min(runs, key=lambda run: run.percentile(0.99))
            assert (best.lost, best.wrong) == (0, 0)
            assert best.percentile(0.99) < MOST_P99_MS
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    home = tmp_path_factory.mktemp("home")
    (home / "kv.yaml").write_text(KV)
    yield start(home, "-f", str(home / "kv.yaml"))
    stop(home)


@pytest.fixture
async def client(mesh: Mesh) -> AsyncIterator[HttpClient]:
    async with HttpClient(mesh.up["api"]) as found:
        yield found


async def addresses(mesh: Mesh, name: str) -> set[str]:
    """What DNS says."""
    query = dns.message.make_query(name, "A")
    answer = await dns.asyncquery.udp(query, mesh.dns[0], port=mesh.dns[1], timeout=5)
    return {data.to_text() for rrset in answer.answer if rrset.rdtype == dns.rdatatype.A for data in rrset}


async def until(mesh: Mesh, name: str, wanted: set[str]) -> float:
    """When DNS first said so, as time.monotonic has it."""
    async with asyncio.timeout(20):
        while await addresses(mesh, name) != wanted:
            await asyncio.sleep(0.005)
    return time.monotonic()


def ready(pod: Pod) -> bool:
    return any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions or ())


async def test_a_pod_that_leaves_is_gone_from_dns_at_once_and_its_heir_there_once_it_is_ready(
    mesh: Mesh, client: HttpClient
) -> None:
    before = await addresses(mesh, NAME)
    assert len(before) == 2
    listed = await client.list(Pod, "default")
    (leaving,) = [pod for pod in listed.items if pod.name == "kv-1"]
    seen: dict[str, float] = {}

    async def watch() -> str:
        async for event in client.watch(Pod, listed.resource_version, "default"):
            pod = event.object
            if pod.name != "kv-1" or event.type == "BOOKMARK":
                continue
            if pod.metadata.deletion_timestamp and pod.metadata.uid == leaving.metadata.uid:
                seen.setdefault("leaves", time.monotonic())
            if pod.metadata.uid != leaving.metadata.uid and ready(pod):
                seen.setdefault("ready", time.monotonic())
                return pod.status.pod_ip or ""
        return ""

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0.1)
    await client.delete(Pod, "kv-1", "default")
    gone = await until(mesh, f"kv-1.{NAME}", set())
    assert await addresses(mesh, NAME) == before - {leaving.status.pod_ip or ""}
    async with asyncio.timeout(20):
        while "ready" not in seen:
            await asyncio.sleep(0.002)
    heir_address = await watching
    there = await until(mesh, f"kv-1.{NAME}", {heir_address})
    assert gone - seen["leaves"] < MOST_BEHIND_S
    assert there - seen["ready"] < MOST_BEHIND_S
    # It left DNS while it still answered: it sleeps for two seconds before it stops.
    assert seen["ready"] - gone > 1
