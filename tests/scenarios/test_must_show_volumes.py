"""The volume table: each kind against restart, replacement, a second writer, a move and a node's death."""

import asyncio

import aiohttp
import pytest

from mesh.api.core import Pod
from mesh.api.storage import PersistentVolumeClaim
from mesh.client.http import HttpClient
from tests.scenarios.support import Mesh, Up
from tests.scenarios.volume_table import BACK, BESIDE, COLUMNS, EXPECTED, KEPT, Play, claim, pod, table

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

NO_CLASS = "no persistent volumes available for this claim and no storage class is set"
REFUSED = {
    "no-such-class": ("golden", "ReadWriteOnce", "ProvisioningFailed", 'storageclass.storage.k8s.io "golden" not found'),
    "no-class": ("", "ReadWriteOnce", "FailedBinding", NO_CLASS),
    "too-much": (None, "ReadWriteMany", "ProvisioningFailed", "access mode ReadWriteMany cannot be had"),
}  # fmt: skip


@pytest.fixture(scope="module")
def mesh(up_once: Up) -> Mesh:
    return up_once("--nodes", "3", "--node-grace", "1.5")


@pytest.fixture(scope="module")
def play(mesh: Mesh) -> Play:
    """Claims that get nothing stand there all the while; then everything is tried once."""

    async def run() -> Play:
        async with HttpClient(mesh.up["api"]) as client, aiohttp.ClientSession() as http:
            played = Play(mesh, client, http)
            for name, (storage_class, mode, _, _) in REFUSED.items():
                await played.create(claim(name, storage_class, mode))
            await played.create(pod("emptydir", "a") | {"metadata": {"name": "claimless"}} | {"spec": claimless()})
            await played.run()
            return played

    played = asyncio.run(run())
    print(f"\n{table(played.seen)}")
    return played


def claimless() -> dict[str, object]:
    """The spec of a pod whose claim nobody made."""
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "nobody-made-it"}}]
    return {"containers": [{"name": "c", "image": "mesh/kv"}], "volumes": volumes}


@pytest.mark.parametrize("kind", EXPECTED)
def test_row(play: Play, kind: str) -> None:
    seen = tuple(play.seen.get((kind, column)) for column in COLUMNS)
    assert seen == EXPECTED[kind], table(play.seen)


@pytest.mark.parametrize(("kind", "column"), [("hostpath", BACK), ("disk", BESIDE)])
def test_a_node_finds_its_own(play: Play, kind: str, column: str) -> None:
    assert play.seen[(kind, column)] == KEPT


@pytest.mark.parametrize("name", REFUSED)
async def test_a_claim_that_gets_nothing_says_why(play: Play, mesh: Mesh, name: str) -> None:
    _, _, reason, words = REFUSED[name]
    async with HttpClient(mesh.up["api"]) as client, aiohttp.ClientSession() as http:
        event = await Play(mesh, client, http).told(name, reason, words)
        assert event.count == 1, "it is said once, however often it is looked at"
        assert (await client.get(PersistentVolumeClaim, name, "default")).status.phase == "Pending"


async def test_a_pod_without_its_claim_waits_and_says_so(play: Play, mesh: Mesh) -> None:
    async with HttpClient(mesh.up["api"]) as client, aiohttp.ClientSession() as http:
        await Play(mesh, client, http).told(
            "claimless", "FailedScheduling", 'persistentvolumeclaim "nobody-made-it" not'
        )
        waiting = await client.get(Pod, "claimless", "default")
        assert (waiting.spec.node_name, waiting.status.phase) == (None, "Pending")
