"""Do the controllers together make of manifests what a cluster makes of them?"""

import asyncio

from mesh.api.core import Event, Pod
from mesh.api.services import Endpoints, EndpointSlice, Service
from mesh.api.workloads import Deployment, ReplicaSet
from mesh.controllers.manager import Manager
from mesh.runtime.clock import SystemClock
from mesh.runtime.tasks import Tasks
from tests.unit.controllers.world import World, deployment, service


async def test_a_deployment_and_its_service_come_up(world: World) -> None:
    await world.apply(deployment(replicas=4))
    await world.apply(service())
    await world.settle()

    made = await world.get(Deployment, "web")
    (rs,) = await world.all(ReplicaSet)
    assert (made.status.replicas, made.status.ready_replicas, made.status.available_replicas) == (4, 4, 4)
    assert made.metadata.annotations == {"deployment.kubernetes.io/revision": "1"}
    assert rs.name == f"web-{rs.metadata.labels['pod-template-hash']}"
    assert await world.spread() == {"node-1": 2, "node-2": 2}
    (piece,) = await world.all(EndpointSlice)
    assert [e.conditions.ready for e in piece.endpoints] == [True] * 4
    assert {p.port for p in piece.ports or ()} == {8080}
    (old,) = await world.all(Endpoints)
    assert len(old.subsets[0].addresses) == 4
    assert (await world.get(Service, "web")).spec.cluster_ip.startswith("127.96.")


async def test_nothing_is_written_once_the_world_is_at_rest(world: World) -> None:
    await world.apply(deployment())
    await world.apply(service())
    await world.settle()
    version = world.store.version
    world.restart()
    await world.settle()
    assert world.store.version == version


async def test_scaling_down_and_deleting_leaves_nothing(world: World) -> None:
    await world.apply(deployment(replicas=5))
    await world.apply(service())
    await world.settle()
    await world.patch(Deployment, "web", {"spec": {"replicas": 2}})
    await world.settle()
    assert len(await world.all(Pod)) == 2
    await world.client.delete(Deployment, "web", "default", propagation="Background")
    await world.client.delete(Service, "web", "default")
    await world.settle()
    for kind in (Pod, ReplicaSet, EndpointSlice, Endpoints):
        assert await world.all(kind) == []


async def test_a_new_image_rolls(world: World) -> None:
    await world.apply(deployment(replicas=3))
    await world.settle()
    change = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "v2"}]}}}}
    await world.patch(Deployment, "web", change)
    await world.settle()
    pods = await world.all(Pod)
    assert [pod.spec.containers[0].image for pod in pods] == ["v2"] * 3
    made = await world.get(Deployment, "web")
    assert made.metadata.annotations["deployment.kubernetes.io/revision"] == "2"
    assert sorted(rs.spec.replicas for rs in await world.all(ReplicaSet)) == [0, 3]


async def test_the_work_grows_with_the_changes_and_not_faster(world: World) -> None:
    """Writes a pod, all told: create, bind, and two by its node; slices and statuses are shared by many."""
    await world.apply(service())
    await world.apply(deployment(replicas=0))
    await world.settle()

    async def writes(replicas: int) -> float:
        before, pods = world.store.version, len(await world.all(Pod))
        await world.patch(Deployment, "web", {"spec": {"replicas": replicas}})
        await world.settle(seconds=10)
        assert len(await world.all(Pod)) == replicas
        return (world.store.version - before) / (replicas - pods)

    assert await writes(50) < 6
    assert await writes(400) < 5


async def test_started_for_real_it_works_and_stops(world: World) -> None:
    manager, tasks = Manager(world.client, SystemClock(), world.settings), Tasks("test")
    manager.start(tasks)
    await manager.synced()
    await world.apply(deployment(replicas=3))
    async with asyncio.timeout(10):
        while len([pod for pod in await world.all(Pod) if pod.spec.node_name]) < 3:
            await asyncio.sleep(0.01)
        while len(await world.all(Event)) < 7:
            await asyncio.sleep(0.01)
    await manager.close()
    await world.patch(Deployment, "web", {"spec": {"replicas": 5}})
    await asyncio.sleep(0.05)
    assert len(await world.all(Pod)) == 3
    await manager.close()
    await tasks.close()


async def test_it_ends_with_its_owner(world: World) -> None:
    manager, tasks = Manager(world.client, SystemClock(), world.settings), Tasks("test")
    manager.start(tasks)
    await manager.synced()
    await tasks.close()
    await world.apply(deployment())
    await asyncio.sleep(0.05)
    assert await world.all(ReplicaSet) == []
