"""What goes with its owner, and what stays?"""

import pytest

from mesh.api.core import Pod
from mesh.api.errors import NotFound
from mesh.api.workloads import Deployment, ReplicaSet
from tests.unit.controllers.world import World, deployment


async def up(world: World) -> None:
    await world.apply(deployment(replicas=2))
    await world.settle()


async def test_background_takes_everything(world: World) -> None:
    await up(world)
    await world.client.delete(Deployment, "web", "default", propagation="Background")
    with pytest.raises(NotFound):
        await world.get(Deployment, "web")
    await world.settle()
    assert (await world.all(ReplicaSet), await world.all(Pod)) == ([], [])


async def test_foreground_waits_for_the_pods(world: World) -> None:
    await up(world)
    await world.client.delete(Deployment, "web", "default", propagation="Foreground")
    await world.settle(kubelet=False)
    assert (await world.get(Deployment, "web")).metadata.deletion_timestamp
    assert all(pod.metadata.deletion_timestamp for pod in await world.all(Pod))
    await world.settle()
    assert await world.all(Deployment) == await world.all(ReplicaSet) == await world.all(Pod) == []


async def test_orphans_stay_and_are_adopted_again(world: World) -> None:
    await up(world)
    pods = {pod.metadata.uid for pod in await world.all(Pod)}
    await world.client.delete(Deployment, "web", "default", propagation="Orphan")
    await world.settle()
    assert await world.all(Deployment) == []
    (rs,) = await world.all(ReplicaSet)
    assert rs.metadata.owner_references is None
    await up(world)
    (again,) = await world.all(ReplicaSet)
    assert again.metadata.uid == rs.metadata.uid
    assert again.metadata.controller.kind == "Deployment"
    assert {pod.metadata.uid for pod in await world.all(Pod)} == pods


async def test_an_owner_that_never_was_makes_garbage(world: World) -> None:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "gone", "uid": "no-such", "controller": True}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "lost", "ownerReferences": [owner]},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    await world.apply(pod)
    await world.settle()
    assert await world.all(Pod) == []


async def test_a_second_owner_keeps_the_object(world: World) -> None:
    await up(world)
    (rs,) = await world.all(ReplicaSet)
    references = [
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "gone", "uid": "no-such"},
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": rs.name, "uid": rs.metadata.uid},
    ]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "shared", "ownerReferences": references},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    await world.apply(pod)
    await world.settle()
    assert [ref.uid for ref in (await world.get(Pod, "shared")).metadata.owner_references] == [rs.metadata.uid]


async def test_a_kind_that_nobody_knows_is_left_alone(world: World) -> None:
    owner = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": "w-1"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "kept", "ownerReferences": [owner]},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    await world.apply(pod)
    await world.settle()
    assert [p.name for p in await world.all(Pod)] == ["kept"]


async def test_an_owner_that_the_cache_does_not_show_yet_is_not_absent(world: World) -> None:
    await up(world)
    (rs,) = await world.all(ReplicaSet)
    await world.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {"name": "late", "namespace": "default"},
            "spec": {**rs.spec.model_dump(by_alias=True, exclude_none=True), "replicas": 0},
        }
    )
    late = await world.get(ReplicaSet, "late")
    reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "late", "uid": late.metadata.uid}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "kept", "ownerReferences": [reference]},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    await world.apply(pod)
    for _ in range(5):
        for tap in world.taps:
            if tap.cls is not ReplicaSet:
                tap.let()
        await world.work()
        world.clock.at += 0.2
    kept = await world.get(Pod, "kept")
    assert (kept.metadata.owner_references[0].uid, kept.metadata.deletion_timestamp) == (late.metadata.uid, None)
