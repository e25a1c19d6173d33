"""The volume table: each kind against restart, replacement, a second writer, a move and a node's death."""

import asyncio

import aiohttp
import pytest

from mesh.api.core import Pod
from mesh.api.storage import PersistentVolume, PersistentVolumeClaim
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
MADE = ("disk", "share")


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


async def test_what_is_deleted_goes_and_what_is_retained_is_found_again(play: Play, mesh: Mesh) -> None:
    folder = mesh.home / "default" / "state" / "volumes"
    async with HttpClient(mesh.up["api"]) as client, aiohttp.ClientSession() as http:
        hands = Play(mesh, client, http)
        made = {name: (await client.get(PersistentVolumeClaim, name, "default")).spec.volume_name for name in MADE}
        assert all((folder / str(name)).is_dir() for name in made.values())
        await client.patch(PersistentVolume, str(made["share"]), {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
        for found in (await client.list(Pod, "default")).items:
            if found.name.startswith(MADE):
                await hands.gone(found.name)
        for name in MADE:
            await client.delete(PersistentVolumeClaim, name, "default")
        await hands.phase(str(made["share"]), "Released")
        await hands.phase(str(made["disk"]), None)
        assert not (folder / str(made["disk"])).exists()
        kept = await client.get(PersistentVolume, str(made["share"]))
        again = {"metadata": {"name": "again"}, "spec": again_from(kept)}
        await hands.create({"apiVersion": "v1", "kind": "PersistentVolume", **again})
        await hands.create(claim("share", "", "ReadWriteMany"))
        await hands.create(pod("share", "d"))
        await hands.ready("share-d")
        assert await hands.has("share-d")


def again_from(kept: PersistentVolume) -> dict[str, object]:
    """Another volume of the same files, kept for the claim `share`."""
    spec = kept.spec.model_dump(by_alias=True, exclude_none=True)
    named = {"claimRef": {"namespace": "default", "name": "share"}, "storageClassName": ""}
    return {**spec, **named}


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
