"""Names of a headless service, asked with the real dig, and keys that are found by name after a pod comes back."""

import asyncio
import subprocess

import pytest

from mesh.api.services import Service
from mesh.client.http import HttpClient
from mesh.testing.runner import keys_of
from mesh.testing.scenario import Kv
from tests.scenarios.support import ROUTES, Mesh, Up
from tests.tools import program

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

KEYS = 1000
HEADLESS = "kv.default.svc.cluster.local"


@pytest.fixture(scope="module")
def mesh(up_once: Up) -> Mesh:
    return up_once("-f", str(ROUTES / "headless-sharding"), "-f", str(ROUTES / "blue-green"))


def dig(mesh: Mesh, *words: str) -> list[str]:
    """Answers in short form, sorted."""
    address, port = mesh.dns
    command = [
        program("dig", "package dnsutils"),
        f"@{address}",
        "-p",
        str(port),
        "+short",
        "+time=2",
        "+tries=1",
        *words,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    return sorted(done.stdout.split("\n"))[1:]


async def test_dig_finds_services_and_pods(mesh: Mesh) -> None:
    async with HttpClient(mesh.up["api"]) as client:
        pods = {pod.name: pod.status.pod_ip for pod in await mesh.hands(client).pods("app=kv")}
        services = (await client.list(Service)).items
    assert sorted(pods) == [f"kv-{i}" for i in range(5)]
    for transport in ("+notcp", "+tcp"):
        assert dig(mesh, transport, HEADLESS, "A") == sorted(str(ip) for ip in pods.values())
        for name, address in pods.items():
            assert dig(mesh, transport, f"{name}.{HEADLESS}", "A") == [address]
    for service in services:
        if not service.headless:
            name = f"{service.name}.{service.namespace}.svc.cluster.local"
            assert dig(mesh, name, "A") == [service.spec.cluster_ip]
    assert len(dig(mesh, f"_http._tcp.{HEADLESS}", "SRV")) == 5
    assert dig(mesh, f"kv-7.{HEADLESS}", "A") == []


async def test_keys_are_found_by_name(mesh: Mesh) -> None:
    async with HttpClient(mesh.up["api"]) as client:
        hands = mesh.hands(client)
        put = await keys_of(hands, Kv(service="kv", put=KEYS))
        assert (put.found, put.shards, put.twice) == (KEYS, 5, 0)
        before = {pod.name: (pod.metadata.uid, pod.status.pod_ip) for pod in await hands.pods("app=kv")}
        await hands.kill_pods("statefulset.kubernetes.io/pod-name=kv-3", 1)
        for _ in range(300):
            pods = await hands.pods("app=kv")
            if len(pods) == 5 and all(pod.ready for pod in pods):
                break
            await asyncio.sleep(0.05)
        after = {pod.name: (pod.metadata.uid, pod.status.pod_ip) for pod in pods}
        assert sorted(after) == sorted(before)
        assert [name for name in after if after[name] != before[name]] == ["kv-3"]
        assert after["kv-3"][1] != before["kv-3"][1], "the pod came back with its old address; nothing is shown"
        got = await keys_of(hands, Kv(service="kv", get=KEYS))
        assert (got.found, got.shards, got.twice) == (KEYS, 5, 0)


def test_mesh_kv(mesh: Mesh) -> None:
    holder = mesh.cli("kv", "put", "colour", "blue")
    assert holder.code == 0, holder.err
    assert mesh.cli("kv", "get", "colour").out.strip() == "blue"
    where = mesh.cli("kv", "where", "colour").out.split()
    assert where[0] == holder.out.strip()
    assert where[1].endswith(":7000")
    assert mesh.cli("kv", "get", "no-such-key").code == 1
