"""Claims, volumes and the directories behind them, with every controller at work."""

from pathlib import Path
from typing import Any

import pytest

from mesh.api.core import Node, Pod
from mesh.api.storage import PersistentVolume, PersistentVolumeClaim
from mesh.controllers.settings import Settings
from tests.unit.controllers.storage import bound_pod, claim, silence, storage_class, volume, with_claim
from tests.unit.controllers.world import World


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return tmp_path / "volumes"


@pytest.fixture
async def world(disk: Path) -> Any:
    made = World(Settings(node_grace_s=1e6, volume_dir=str(disk)), nodes=3)
    await made.apply(storage_class("standard", default=True))
    await made.apply(storage_class("shared", kind="shared"))
    yield made
    made.close()


async def one(world: World, name: str = "data") -> PersistentVolumeClaim:
    found: PersistentVolumeClaim = await world.get(PersistentVolumeClaim, name)
    return found


async def test_a_claim_gets_a_volume_made(world: World) -> None:
    await world.apply(claim())
    await world.settle()
    got = await one(world)
    (made,) = await world.all(PersistentVolume, None)
    assert (got.status.phase, got.spec.storage_class_name) == ("Bound", "standard")
    assert got.spec.volume_name == made.name == f"pvc-{got.metadata.uid}"
    assert got.status.capacity == {"storage": "1Gi"}
    assert got.metadata.annotations == {
        "pv.kubernetes.io/bind-completed": "yes",
        "pv.kubernetes.io/bound-by-controller": "yes",
        "volume.beta.kubernetes.io/storage-provisioner": "loopmesh.io/directory",
        "volume.kubernetes.io/storage-provisioner": "loopmesh.io/directory",
    }
    assert made.status.phase == "Bound"
    assert made.spec.claim_ref["uid"] == got.metadata.uid
    assert made.spec.csi == {
        "driver": "loopmesh.io/directory", "volumeHandle": made.name, "volumeAttributes": {"kind": "directory"},
    }  # fmt: skip
    reasons = [event.reason for event in await world.events()]
    assert sorted(reasons) == ["ExternalProvisioning", "Provisioning", "ProvisioningSucceeded"]


async def test_nothing_more_happens_once_all_is_bound(world: World) -> None:
    await world.apply(claim())
    await world.settle()
    before = world.store.version
    world.restart()
    await world.settle()
    assert world.store.version == before


async def test_a_deleted_claim_takes_volume_and_directory_along(world: World, disk: Path) -> None:
    await world.apply(claim())
    await world.settle()
    (made,) = await world.all(PersistentVolume, None)
    (disk / made.name / "sub").mkdir(parents=True)
    (disk / "other").mkdir()
    await world.client.delete(PersistentVolumeClaim, "data", "default")
    await world.settle()
    assert await world.all(PersistentVolume, None) == []
    assert sorted(path.name for path in disk.iterdir()) == ["other"]


async def test_retained_data_waits_for_somebody_to_clear_the_reference(world: World, disk: Path) -> None:
    await world.apply(claim())
    await world.settle()
    (made,) = await world.all(PersistentVolume, None)
    (disk / made.name).mkdir(parents=True)
    await world.client.patch(PersistentVolume, made.name, {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
    await world.client.delete(PersistentVolumeClaim, "data", "default")
    await world.settle()
    (kept,) = await world.all(PersistentVolume, None)
    assert kept.status.phase == "Released"
    await world.apply(claim("next", volumeName=kept.name))
    await world.settle()
    assert (await one(world, "next")).status.phase == "Pending"
    assert f'volume "{kept.name}" already bound to a different claim.' in [e.message for e in await world.events()]
    await world.client.patch(PersistentVolume, made.name, {"spec": {"claimRef": None}})
    await world.settle()
    assert (await one(world, "next")).status.phase == "Bound"
    assert (disk / made.name).is_dir()


async def test_a_claim_in_use_stays_until_its_pods_are_gone(world: World) -> None:
    await world.apply(claim())
    await world.apply(with_claim("user"))
    await world.settle()
    await world.client.delete(PersistentVolumeClaim, "data", "default")
    await world.settle()
    assert (await one(world)).metadata.deletion_timestamp
    await world.client.delete(Pod, "user", "default")
    await world.settle()
    assert await world.all(PersistentVolumeClaim) == []
    assert await world.all(PersistentVolume, None) == []


async def test_a_second_node_waits_until_the_first_lets_go(world: World) -> None:
    await world.apply(claim())
    await world.apply(bound_pod("a", "node-1"))
    await world.settle()
    await world.apply(bound_pod("b", "node-2"))
    await world.settle()
    assert await held(world) == {"node-1"}
    (said,) = [event.message for event in await world.events() if event.reason == "FailedAttachVolume"]
    assert said.startswith('Multi-Attach error for volume "pvc-')
    assert said.endswith("Volume is already used by pod(s) a")
    await world.client.delete(Pod, "a", "default")
    await world.settle()
    assert await held(world) == {"node-2"}


async def test_a_living_node_is_asked_first(world: World) -> None:
    await world.apply(claim())
    await world.apply(bound_pod("a", "node-1"))
    await world.settle()
    (made,) = await world.all(PersistentVolume, None)
    in_use = [f"kubernetes.io/csi/loopmesh.io/directory^{made.name}"]
    await world.client.patch(Node, "node-1", {"status": {"volumesInUse": in_use}}, None, "status")
    await world.apply(bound_pod("b", "node-2"))
    await world.client.delete(Pod, "a", "default", grace_period_s=0)
    await world.settle()
    assert await held(world) == {"node-1"}
    await world.client.patch(Node, "node-1", {"status": {"volumesInUse": []}}, None, "status")
    await world.settle()
    assert await held(world) == {"node-2"}


async def test_a_lost_node_is_not_waited_for() -> None:
    world = World(Settings(node_grace_s=4.0))
    await world.apply(storage_class("standard", default=True))
    await world.apply(claim())
    await world.apply(bound_pod("a", "node-1"))
    await world.settle()
    (made,) = await world.all(PersistentVolume, None)
    in_use = [f"kubernetes.io/csi/loopmesh.io/directory^{made.name}"]
    await world.client.patch(Node, "node-1", {"status": {"volumesInUse": in_use}}, None, "status")
    await world.apply(bound_pod("b", "node-2"))
    await silence(world, 5, "node-2")
    assert await held(world) == {"node-2"}
    world.close()


async def held(world: World) -> set[str]:
    """Names of the nodes that hold a volume."""
    return {node.name for node in await world.all(Node, None) if node.status.volumes_attached}


async def test_a_claim_grows(world: World) -> None:
    await world.apply(claim())
    await world.settle()
    await world.patch(PersistentVolumeClaim, "data", {"spec": {"resources": {"requests": {"storage": "2Gi"}}}})
    await world.settle()
    (made,) = await world.all(PersistentVolume, None)
    got = await one(world)
    assert (made.spec.capacity, got.status.capacity) == ({"storage": "2Gi"}, {"storage": "2Gi"})
    assert not got.status.conditions
    assert [e.reason for e in await world.events() if "Resiz" in e.reason] == ["Resizing", "VolumeResizeSuccessful"]


async def test_the_first_consumer_decides(world: World) -> None:
    await world.apply(storage_class("late", volumeBindingMode="WaitForFirstConsumer"))
    await world.apply(claim(storageClassName="late"))
    await world.settle()
    assert (await one(world)).status.phase == "Pending"
    assert [event.reason for event in await world.events()] == ["WaitForFirstConsumer"]
    await world.apply(with_claim("user"))
    await world.settle()
    got = await one(world)
    assert got.status.phase == "Bound"
    assert got.metadata.annotations["volume.kubernetes.io/selected-node"] == "node-1"
    assert (await world.get(Pod, "user")).ready


async def test_the_first_consumer_goes_where_a_volume_is(world: World) -> None:
    await world.apply(storage_class("local", provisioner="kubernetes.io/no-provisioner",
                                    volumeBindingMode="WaitForFirstConsumer"))  # fmt: skip
    await world.apply(volume("v2", storageClassName="local", node="node-2"))
    await world.apply(claim(storageClassName="local"))
    await world.apply(with_claim("user"))
    await world.settle()
    assert (await one(world)).spec.volume_name == "v2"
    assert (await world.get(Pod, "user")).spec.node_name == "node-2"


async def test_one_pod_only(world: World) -> None:
    await world.apply(claim(accessModes=["ReadWriteOncePod"]))
    for name in ("a", "b"):
        await world.apply(with_claim(name))
    await world.settle()
    assert await world.spread() == {"node-1": 1, "": 1}
    (said,) = {event.message for event in await world.events() if event.reason == "FailedScheduling"}
    assert "3 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode" in said
    await world.client.delete(Pod, "a", "default")
    await world.settle()
    assert (await world.get(Pod, "b")).ready


async def test_a_restarted_controller_knows_who_holds_what(world: World) -> None:
    await world.apply(claim())
    await world.apply(bound_pod("a", "node-1"))
    await world.settle()
    before = world.store.version
    world.restart()
    await world.settle()
    assert world.store.version == before
    await world.apply(bound_pod("b", "node-2"))
    await world.settle()
    assert await held(world) == {"node-1"}


async def test_two_volumes_of_one_disk_are_one_disk(world: World) -> None:
    """Retained data that another volume takes up, while the first still stands there."""
    csi = {"driver": "loopmesh.io/directory", "volumeHandle": "kept"}
    for name, node in (("one", "node-1"), ("two", "node-2")):
        await world.apply(volume(name, csi=csi, claimRef={"namespace": "default", "name": name}))
        await world.apply(claim(name, storageClassName=""))
        await world.apply(bound_pod(name, node, name))
        await world.settle()
    assert await held(world) == {"node-1"}
    await world.client.delete(Pod, "one", "default")
    await world.settle()
    assert await held(world) == {"node-2"}


async def test_what_a_removed_volume_held_is_let_go(world: World) -> None:
    await world.apply(claim())
    await world.apply(bound_pod("a", "node-1"))
    await world.settle()
    (made,) = await world.all(PersistentVolume, None)
    await world.client.delete(PersistentVolume, made.name)
    await world.settle()
    assert (await world.all(PersistentVolume, None), await held(world)) != ([], set()), "it is protected"
    await world.client.patch(PersistentVolume, made.name, {"metadata": {"finalizers": None}})
    await world.settle()
    assert (await world.all(PersistentVolume, None), await held(world)) == ([], set())
    assert (await one(world)).status.phase == "Lost"
    assert "ClaimLost" in [event.reason for event in await world.events()]
