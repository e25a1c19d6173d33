"""Do stateful pods come and go in their order, under their names?"""

from typing import Any

import pytest

from mesh.api.core import Node, Pod
from mesh.api.errors import NotFound
from mesh.api.storage import PersistentVolumeClaim
from mesh.api.workloads import ControllerRevision, StatefulSet
from tests.unit.controllers.storage import storage_class
from tests.unit.controllers.world import World, service, stateful_set, template

CLAIM = {
    "metadata": {"name": "data", "labels": {"tier": "disk"}},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def changed(image: str, **spec: Any) -> dict[str, Any]:
    """A patch to another image."""
    return {"spec": {"template": {"spec": template("db", image)["spec"]}, **spec}}


async def claims(world: World) -> dict[str, list[str]]:
    """Claim -> the kinds of its owners."""
    found: list[PersistentVolumeClaim] = await world.all(PersistentVolumeClaim)
    return {claim.name: [ref.kind for ref in claim.metadata.owner_references or ()] for claim in found}


async def revisions(world: World) -> list[tuple[int, str]]:
    """(number, image) of each, lowest first."""
    found: list[ControllerRevision] = await world.all(ControllerRevision)
    images = ((r.revision, (r.data or {})["spec"]["template"]["spec"]["containers"][0]["image"]) for r in found)
    return sorted(images)


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
    await world.apply(storage_class("standard", default=True))
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
    await world.apply(storage_class("standard", default=True))
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
    await world.patch(StatefulSet, "db", changed("broken"))
    await world.settle()
    images = {pod.name: pod.spec.containers[0].image for pod in await world.all(Pod)}
    assert images == {"db-0": "v1", "db-1": "v1", "db-2": "broken"}
    status = (await world.get(StatefulSet, "db")).status
    assert (status.updated_replicas, status.current_replicas, status.ready_replicas) == (1, 2, 2)
    assert status.current_revision != status.update_revision


async def test_a_finished_update_becomes_current(world: World) -> None:
    await world.apply(stateful_set(replicas=2))
    await world.settle()
    await world.patch(StatefulSet, "db", changed("v2"))
    await world.settle()
    status = (await world.get(StatefulSet, "db")).status
    assert status.current_revision == status.update_revision
    assert (status.replicas, status.ready_replicas, status.updated_replicas, status.current_replicas) == (2, 2, 2, 2)


async def test_a_partition_keeps_the_lower_ones(world: World) -> None:
    await world.apply(stateful_set(replicas=3, updateStrategy={"rollingUpdate": {"partition": 2}}))
    await world.settle()
    await world.patch(StatefulSet, "db", changed("v2"))
    await world.settle()
    await world.client.delete(Pod, "db-0", "default", grace_period_s=0)
    await world.settle()
    images = {pod.name: pod.spec.containers[0].image for pod in await world.all(Pod)}
    assert images == {"db-0": "v1", "db-1": "v1", "db-2": "v2"}


async def test_on_delete_waits_for_people(world: World) -> None:
    await world.apply(stateful_set(replicas=2, updateStrategy={"type": "OnDelete"}))
    await world.settle()
    await world.patch(StatefulSet, "db", changed("v2"))
    await world.settle()
    assert {pod.spec.containers[0].image for pod in await world.all(Pod)} == {"v1"}
    await world.client.delete(Pod, "db-0", "default", grace_period_s=0)
    await world.settle()
    assert (await world.get(Pod, "db-0")).spec.containers[0].image == "v2"


async def test_a_broken_revision_blocks_until_its_pod_is_deleted(world: World) -> None:
    """As in Kubernetes: going back to a good template does not mend the pod that never became ready."""
    await world.apply(stateful_set(replicas=2))
    await world.settle()
    world.kubelet.never_ready.add("broken")
    await world.patch(StatefulSet, "db", changed("broken"))
    await world.settle()
    await world.patch(StatefulSet, "db", changed("v3"))
    await world.settle()
    images = {pod.name: pod.spec.containers[0].image for pod in await world.all(Pod)}
    assert images == {"db-0": "v1", "db-1": "broken"}
    await world.client.delete(Pod, "db-1", "default", grace_period_s=0)
    await world.settle()
    assert {pod.spec.containers[0].image for pod in await world.all(Pod)} == {"v3"}


@pytest.mark.parametrize(
    ("policy", "while_wanted", "scaled_away", "set_gone"),
    [
        pytest.param({}, [], [], [], id="retain"),
        pytest.param({"whenScaled": "Delete"}, [], None, [], id="with-their-pods"),
        pytest.param({"whenDeleted": "Delete"}, ["StatefulSet"], ["StatefulSet"], None, id="with-the-set"),
        pytest.param({"whenScaled": "Delete", "whenDeleted": "Delete"}, ["StatefulSet"], None, None, id="with-either"),
    ],
)
async def test_claims_stay_or_go(
    world: World,
    policy: dict[str, str],
    while_wanted: list[str],
    scaled_away: list[str] | None,
    set_gone: list[str] | None,
) -> None:
    """The lists hold the kinds of the owners of the claim that is looked at; None: it is gone."""
    await world.apply(storage_class("standard", default=True))
    given = {"whenScaled": "Retain", "whenDeleted": "Retain", **policy}
    spec = {"volumeClaimTemplates": [CLAIM], "persistentVolumeClaimRetentionPolicy": given}
    await world.apply(stateful_set(replicas=2, **spec))
    await world.settle()
    assert await claims(world) == {"data-db-0": while_wanted, "data-db-1": while_wanted}
    await world.patch(StatefulSet, "db", {"spec": {"replicas": 1}})
    await world.settle()
    assert (await claims(world)).get("data-db-1") == scaled_away
    await world.client.delete(StatefulSet, "db", "default")
    await world.settle()
    assert await names(world) == []
    assert (await claims(world)).get("data-db-0") == set_gone


async def test_a_pod_waits_for_the_end_of_a_claim_that_goes_with_its_predecessor(world: World) -> None:
    await world.apply(storage_class("standard", default=True))
    spec = {"volumeClaimTemplates": [CLAIM], "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}
    await world.apply(stateful_set(replicas=2, **spec))
    await world.settle()
    first = await world.get(PersistentVolumeClaim, "data-db-1")
    await world.patch(StatefulSet, "db", {"spec": {"replicas": 1}})
    await world.settle(kubelet=False)
    await world.patch(StatefulSet, "db", {"spec": {"replicas": 2}})
    await world.settle()
    assert await names(world) == ["db-0", "db-1"]
    assert (await world.get(PersistentVolumeClaim, "data-db-1")).metadata.uid != first.metadata.uid


async def test_claims_carry_the_labels_of_template_and_selector(world: World) -> None:
    await world.apply(stateful_set(replicas=1, volumeClaimTemplates=[CLAIM]))
    await world.settle(kubelet=False)
    claim = await world.get(PersistentVolumeClaim, "data-db-0")
    assert claim.metadata.labels == {"tier": "disk", "app": "db"}
    assert claim.spec.wanted == "1Gi"
    told = [event.message for event in await world.events() if event.reason == "SuccessfulCreate"]
    assert told[0] == "create Claim data-db-0 Pod db-0 in StatefulSet db success"


async def test_history_is_kept_and_an_undo_is_its_next_number(world: World) -> None:
    await world.apply(stateful_set(replicas=1))
    await world.settle()
    await world.patch(StatefulSet, "db", changed("v2"))
    await world.settle()
    assert await revisions(world) == [(1, "v1"), (2, "v2")]
    await world.patch(StatefulSet, "db", changed("v1"))
    await world.settle()
    assert await revisions(world) == [(2, "v2"), (3, "v1")]
    (owned,) = {r.metadata.controller.name for r in await world.all(ControllerRevision)}
    assert owned == "db"
    status = (await world.get(StatefulSet, "db")).status
    assert status.current_revision == (await world.get(Pod, "db-0")).metadata.labels["controller-revision-hash"]


async def test_old_revisions_are_forgotten(world: World) -> None:
    await world.apply(stateful_set(replicas=1, revisionHistoryLimit=1))
    await world.settle()
    for image in ("v2", "v3", "v4"):
        await world.patch(StatefulSet, "db", changed(image))
        await world.settle()
    assert await revisions(world) == [(3, "v3"), (4, "v4")]


async def test_a_taken_revision_name_is_counted(world: World) -> None:
    await world.apply(stateful_set(replicas=1))
    await world.settle()
    (own,) = await world.all(ControllerRevision)
    await world.client.delete(StatefulSet, "db", "default", propagation="Orphan")
    await world.settle()
    patch = {"metadata": {"labels": {"app": "other"}}}
    await world.patch(ControllerRevision, own.name, patch)
    await world.apply(stateful_set(replicas=1))
    await world.settle()
    status = (await world.get(StatefulSet, "db")).status
    assert status.collision_count == 1
    assert status.update_revision != own.name
    assert status.ready_replicas == 1


async def test_orphans_are_adopted_with_their_history(world: World) -> None:
    await world.apply(stateful_set(replicas=2))
    await world.settle()
    before = {pod.name: pod.metadata.uid for pod in await world.all(Pod)}
    await world.client.delete(StatefulSet, "db", "default", propagation="Orphan")
    await world.settle()
    await world.apply(stateful_set(replicas=2))
    await world.settle()
    assert {pod.name: pod.metadata.uid for pod in await world.all(Pod)} == before
    assert await revisions(world) == [(1, "v1")]


@pytest.mark.parametrize(
    ("obj", "word"),
    [
        pytest.param(None, "there is no Service", id="missing"),
        pytest.param(service("db"), "is not headless", id="with-an-address"),
        pytest.param(service("db", clusterIP="None"), None, id="as-it-should-be"),
    ],
)
async def test_people_hear_of_a_service_that_does_not_fit(
    world: World, obj: dict[str, Any] | None, word: str | None
) -> None:
    await world.apply(stateful_set(replicas=1))
    if obj is not None:
        await world.apply(obj)
    await world.settle()
    told = [event for event in await world.events() if event.reason == "NoHeadlessService"]
    assert [event.type for event in told] == (["Warning"] if word else [])
    assert all(word in (event.message or "") for event in told if word)
    assert (await world.get(Pod, "db-0")).ready


async def test_a_node_that_goes_and_comes_has_each_name_once(world: World) -> None:
    world.kubelet.silent.add("node-2")
    await world.apply(stateful_set(replicas=2, podManagementPolicy="Parallel"))
    await world.settle()
    await world.client.delete(Node, "node-2")
    await world.client.delete(Pod, "db-1", "default")
    await world.settle()
    pods = await world.all(Pod)
    assert [(pod.name, bool(pod.metadata.deletion_timestamp)) for pod in pods] == [("db-0", False), ("db-1", True)]
    await world.client.delete(Pod, "db-1", "default", grace_period_s=0)
    await world.settle()
    assert (await world.get(Pod, "db-1")).spec.node_name == "node-1"


async def test_at_most_so_many_are_away_during_an_update(world: World) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2, "partition": 1}}
    await world.apply(stateful_set(replicas=4, updateStrategy=strategy, podManagementPolicy="Parallel"))
    await world.settle()
    await world.patch(StatefulSet, "db", changed("v2"))
    await world.settle(kubelet=False)
    assert [pod.name for pod in await world.all(Pod) if pod.metadata.deletion_timestamp] == ["db-2", "db-3"]
    await world.settle()
    images = {pod.name: pod.spec.containers[0].image for pod in await world.all(Pod)}
    assert images == {"db-0": "v1", "db-1": "v2", "db-2": "v2", "db-3": "v2"}


async def test_the_next_pod_waits_until_this_one_was_ready_for_long_enough(world: World) -> None:
    await world.apply(stateful_set(replicas=2, minReadySeconds=10))
    await world.settle()
    assert await names(world) == ["db-0"]
    assert (await world.get(StatefulSet, "db")).status.available_replicas == 0
    await world.settle(seconds=15)
    assert await names(world) == ["db-0", "db-1"]


async def test_a_pod_of_somebody_else_holds_the_name(world: World) -> None:
    await world.apply(stateful_set(replicas=1))
    await world.settle()
    await world.client.delete(Pod, "db-0", "default", grace_period_s=0)
    blocker = {"metadata": {"name": "db-0"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    await world.apply({"apiVersion": "v1", "kind": "Pod", **blocker})
    await world.settle()
    assert (await world.get(StatefulSet, "db")).status.ready_replicas is None
    with pytest.raises(NotFound):
        await world.get(Pod, "db-1")
