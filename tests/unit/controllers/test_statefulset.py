"""Do stateful pods come and go in their order, under their names?"""

from mesh.api.core import Pod
from mesh.api.workloads import StatefulSet
from tests.unit.controllers.world import World, stateful_set

CLAIM = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}


async def names(world: World) -> list[str]:
    return [pod.name for pod in await world.all(Pod)]


async def test_each_waits_for_the_one_before(world: World) -> None:
    await world.apply(stateful_set(replicas=3))
    await world.settle(kubelet=False)
    assert await names(world) == ["db-0"]
    await world.settle()
    assert await names(world) == ["db-0", "db-1", "db-2"]


async def test_parallel_does_not_wait(world: World) -> None:
    await world.apply(stateful_set(replicas=3, podManagementPolicy="Parallel"))
    await world.settle(kubelet=False)
    assert await names(world) == ["db-0", "db-1", "db-2"]


async def test_a_pod_has_its_name_its_place_and_its_claim(world: World) -> None:
    await world.apply(stateful_set(replicas=2, volumeClaimTemplates=[CLAIM]))
    await world.settle()
    pod = await world.get(Pod, "db-1")
    assert (pod.spec.hostname, pod.spec.subdomain) == ("db-1", "db")
    assert [(v.name, v.persistent_volume_claim["claimName"]) for v in pod.spec.volumes] == [("data", "data-db-1")]
    assert pod.metadata.labels["statefulset.kubernetes.io/pod-name"] == "db-1"
    assert pod.metadata.labels["apps.kubernetes.io/pod-index"] == "1"
    assert pod.metadata.labels["controller-revision-hash"].startswith("db-")


async def test_it_shrinks_from_the_top_one_at_a_time(world: World) -> None:
    await world.apply(stateful_set(replicas=3))
    await world.settle()
    await world.patch(StatefulSet, "db", {"spec": {"replicas": 1}})
    await world.settle(kubelet=False)
    leaving = [pod.name for pod in await world.all(Pod) if pod.metadata.deletion_timestamp]
    assert leaving == ["db-2"]
    await world.settle()
    assert await names(world) == ["db-0"]


async def test_a_killed_pod_comes_back_under_its_name(world: World) -> None:
    await world.apply(stateful_set(replicas=3, volumeClaimTemplates=[CLAIM]))
    await world.settle()
    before = await world.get(Pod, "db-1")
    await world.client.delete(Pod, "db-1", "default", grace_period_s=0)
    await world.settle()
    after = await world.get(Pod, "db-1")
    assert after.metadata.uid != before.metadata.uid
    assert after.status.pod_ip != before.status.pod_ip
    assert after.spec.volumes == before.spec.volumes


async def test_an_update_rolls_from_the_top_and_stops_at_a_broken_pod(world: World) -> None:
    await world.apply(stateful_set(replicas=3))
    await world.settle()
    world.kubelet.never_ready.add("broken")
    change = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "broken"}]}}}}
    await world.patch(StatefulSet, "db", change)
    await world.settle()
    images = {pod.name: pod.spec.containers[0].image for pod in await world.all(Pod)}
    assert images == {"db-0": "v1", "db-1": "v1", "db-2": "broken"}
    status = (await world.get(StatefulSet, "db")).status
    assert (status.updated_replicas, status.current_replicas, status.ready_replicas) == (1, 2, 2)
    assert status.current_revision != status.update_revision


async def test_a_finished_update_becomes_current(world: World) -> None:
    await world.apply(stateful_set(replicas=2))
    await world.settle()
    change = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "v2"}]}}}}
    await world.patch(StatefulSet, "db", change)
    await world.settle()
    status = (await world.get(StatefulSet, "db")).status
    assert status.current_revision == status.update_revision
    assert (status.replicas, status.ready_replicas, status.updated_replicas, status.current_replicas) == (2, 2, 2, 2)


async def test_a_partition_keeps_the_lower_ones(world: World) -> None:
    await world.apply(stateful_set(replicas=3, updateStrategy={"rollingUpdate": {"partition": 2}}))
    await world.settle()
    change = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "v2"}]}}}}
    await world.patch(StatefulSet, "db", change)
    await world.settle()
    await world.client.delete(Pod, "db-0", "default", grace_period_s=0)
    await world.settle()
    images = {pod.name: pod.spec.containers[0].image for pod in await world.all(Pod)}
    assert images == {"db-0": "v1", "db-1": "v1", "db-2": "v2"}


async def test_on_delete_waits_for_people(world: World) -> None:
    await world.apply(stateful_set(replicas=2, updateStrategy={"type": "OnDelete"}))
    await world.settle()
    change = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "v2"}]}}}}
    await world.patch(StatefulSet, "db", change)
    await world.settle()
    assert {pod.spec.containers[0].image for pod in await world.all(Pod)} == {"v1"}
    await world.client.delete(Pod, "db-0", "default", grace_period_s=0)
    await world.settle()
    assert (await world.get(Pod, "db-0")).spec.containers[0].image == "v2"
