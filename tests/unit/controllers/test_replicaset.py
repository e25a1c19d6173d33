"""Does a ReplicaSet keep its number, whatever happens to its pods and however late the news is?"""

from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.api.errors import Forbidden
from mesh.api.meta import Object
from mesh.api.workloads import ReplicaSet
from mesh.controllers.replicaset import batches
from tests.unit.controllers.world import World, template


def replica_set(replicas: int = 3, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template("web"),
            **spec,
        },
    }


@pytest.mark.parametrize(
    ("count", "most", "expected"),
    [
        pytest.param(0, 64, [], id="none"),
        pytest.param(1, 64, [1], id="one"),
        pytest.param(10, 64, [1, 2, 4, 3], id="doubling"),
        pytest.param(20, 4, [1, 2, 4, 4, 4, 4, 1], id="bounded"),
    ],
)
def test_batches(count: int, most: int, expected: list[int]) -> None:
    assert list(batches(count, most)) == expected


async def test_pods_have_names_labels_and_an_owner(world: World) -> None:
    await world.apply(replica_set(1))
    await world.settle()
    (pod,) = await world.all(Pod)
    rs = await world.get(ReplicaSet, "web")
    assert pod.name.startswith("web-")
    assert len(pod.name) == len("web-xxxxx")
    assert (pod.metadata.generate_name, pod.metadata.labels) == ("web-", {"app": "web"})
    owner = pod.metadata.controller
    assert (owner.kind, owner.name, owner.uid, owner.block_owner_deletion) == (
        "ReplicaSet", "web", rs.metadata.uid, True,
    )  # fmt: skip


async def test_a_cache_that_lags_makes_no_second_pod(world: World) -> None:
    await world.apply(replica_set(3))
    for tap in world.taps:
        if tap.cls is not Pod:
            tap.let()
    await world.work()
    await world.patch(ReplicaSet, "web", {"metadata": {"labels": {"touched": "yes"}}})
    for _ in range(5):
        for tap in world.taps:
            if tap.cls is not Pod:
                tap.let()
        await world.work()
        world.clock.at += 0.5
    assert len(await world.all(Pod)) == 3
    await world.settle()
    assert len(await world.all(Pod)) == 3


async def test_deleted_and_ended_pods_are_replaced(world: World) -> None:
    await world.apply(replica_set(3))
    await world.settle()
    first, second, _ = await world.all(Pod)
    await world.client.delete(Pod, first.name, "default", grace_period_s=0)
    await world.client.patch(Pod, second.name, {"status": {"phase": "Failed"}}, "default", "status")
    await world.settle()
    pods = await world.all(Pod)
    assert len(pods) == 3
    assert not {first.metadata.uid, second.metadata.uid} & {pod.metadata.uid for pod in pods}


async def test_a_pod_whose_label_is_changed_leaves_and_may_come_back(world: World) -> None:
    await world.apply(replica_set(2))
    await world.settle()
    stray = (await world.all(Pod))[0]
    await world.patch(Pod, stray.name, {"metadata": {"labels": {"app": "debug"}}})
    await world.settle()
    assert (await world.get(Pod, stray.name)).metadata.controller is None
    assert len(await world.all(Pod)) == 3
    await world.patch(Pod, stray.name, {"metadata": {"labels": {"app": "web"}}})
    await world.settle()
    assert len(await world.all(Pod)) == 2


async def test_a_refused_pod_is_told_and_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    create, tries = world.client.create, []

    async def refuse(obj: Object) -> Object:
        if isinstance(obj, Pod):
            tries.append(obj.name)
            raise Forbidden("exceeded quota")
        return await create(obj)

    monkeypatch.setattr(world.client, "create", refuse)
    await world.apply(replica_set(50))
    await world.settle(seconds=1)
    rs = await world.get(ReplicaSet, "web")
    assert [(c.type, c.reason, c.message) for c in rs.status.conditions] == [
        ("ReplicaFailure", "FailedCreate", "exceeded quota")
    ]
    assert "Error creating: exceeded quota" in [e.message for e in await world.events()]
    assert 1 < len(tries) < 20
    monkeypatch.undo()
    await world.settle(seconds=30)
    assert len(await world.all(Pod)) == 50
    assert (await world.get(ReplicaSet, "web")).status.conditions is None


async def test_min_ready_seconds_delay_availability(world: World) -> None:
    await world.apply(replica_set(1, minReadySeconds=10))
    await world.settle()
    status = (await world.get(ReplicaSet, "web")).status
    assert (status.ready_replicas, status.available_replicas) == (1, None)
    world.clock.at += 10
    await world.settle()
    assert (await world.get(ReplicaSet, "web")).status.available_replicas == 1
