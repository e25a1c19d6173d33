"""Does a Deployment roll, pause, undo and fail as in a cluster?"""

from mesh.api.core import Pod
from mesh.api.workloads import Deployment, ReplicaSet
from mesh.store import StoreEvent
from tests.unit.controllers.world import World, deployment, image

CAUSE = "kubernetes.io/change-cause"
NUMBER = "deployment.kubernetes.io/revision"


async def images(world: World) -> set[str]:
    return {pod.spec.containers[0].image for pod in await world.all(Pod)}


async def history(world: World) -> dict[str, str | None]:
    """Revision -> cause, as `kubectl rollout history` prints it."""
    sets = await world.all(ReplicaSet)
    return {rs.metadata.annotation_map[NUMBER]: rs.metadata.annotation_map.get(CAUSE) for rs in sets}


async def reasons(world: World) -> dict[str, tuple[str, str]]:
    made = await world.get(Deployment, "web")
    return {c.type: (c.status, c.reason) for c in made.status.conditions}


async def test_history_causes_and_undo(world: World) -> None:
    await world.apply(deployment())
    for number, name in enumerate(("v1", "v2", "v3"), start=1):
        await world.patch(Deployment, "web", {**image(name), "metadata": {"annotations": {CAUSE: f"cause {number}"}}})
        await world.settle()
    assert await history(world) == {"1": "cause 1", "2": "cause 2", "3": "cause 3"}
    await world.patch(Deployment, "web", {**image("v1"), "metadata": {"annotations": {CAUSE: "cause 1"}}})
    await world.settle()
    assert await images(world) == {"v1"}
    assert await history(world) == {"2": "cause 2", "3": "cause 3", "4": "cause 1"}
    assert (await world.get(Deployment, "web")).metadata.annotation_map[NUMBER] == "4"


async def test_pause_holds_a_change_and_resume_lets_it_go(world: World) -> None:
    await world.apply(deployment())
    await world.settle()
    await world.patch(Deployment, "web", {"spec": {"paused": True}})
    await world.patch(Deployment, "web", image("v2"))
    await world.patch(Deployment, "web", {"spec": {"replicas": 5}})
    await world.settle()
    assert (await images(world), len(await world.all(Pod))) == ({"v1"}, 5)
    assert (await reasons(world))["Progressing"] == ("Unknown", "DeploymentPaused")
    await world.patch(Deployment, "web", {"spec": {"paused": None}})
    await world.settle()
    assert (await images(world), len(await world.all(Pod))) == ({"v2"}, 5)
    assert (await reasons(world))["Progressing"] == ("True", "NewReplicaSetAvailable")


async def test_a_rollout_that_never_gets_ready_keeps_the_old_pods_and_times_out(world: World) -> None:
    world.kubelet.never_ready.add("broken")
    await world.apply(deployment(replicas=4, progressDeadlineSeconds=60))
    await world.settle()
    await world.patch(Deployment, "web", image("broken"))
    await world.settle()
    ready = [pod.spec.containers[0].image for pod in await world.all(Pod) if pod.ready]
    assert ready == ["v1"] * 3
    assert (await reasons(world))["Progressing"] == ("True", "ReplicaSetUpdated")
    world.clock.at += 61
    await world.settle()
    assert (await reasons(world))["Progressing"] == ("False", "ProgressDeadlineExceeded")
    await world.patch(Deployment, "web", image("v1"))
    await world.settle()
    assert (await images(world), len(await world.all(Pod))) == ({"v1"}, 4)
    assert (await reasons(world))["Progressing"] == ("True", "NewReplicaSetAvailable")


async def test_scaling_in_mid_rollout_keeps_the_proportions(world: World) -> None:
    world.kubelet.never_ready.add("slow")
    strategy = {"rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}
    await world.apply(deployment(replicas=10, strategy=strategy))
    await world.settle()
    await world.patch(Deployment, "web", image("slow"))
    await world.settle()
    assert sorted(rs.spec.replicas for rs in await world.all(ReplicaSet)) == [5, 8]
    await world.patch(Deployment, "web", {"spec": {"replicas": 15}})
    await world.settle()
    assert sorted(rs.spec.replicas for rs in await world.all(ReplicaSet)) == [7, 11]


async def test_recreate_never_mixes_versions(world: World) -> None:
    await world.apply(deployment(replicas=3, strategy={"type": "Recreate"}))
    await world.settle()
    seen: set[frozenset[str]] = set()
    alive: dict[str, str] = {}

    def watch(event: StoreEvent) -> None:
        pod = Pod.model_validate_json(event.new.data)
        if event.type == "DELETED":
            alive.pop(pod.name, None)
        else:
            alive[pod.name] = pod.spec.containers[0].image
        seen.add(frozenset(alive.values()))

    end = world.store.subscribe("pods", watch)
    await world.patch(Deployment, "web", image("v2"))
    await world.settle()
    end()
    assert await images(world) == {"v2"}
    assert frozenset({"v1", "v2"}) not in seen


async def test_min_ready_seconds_slow_a_rollout_down(world: World) -> None:
    await world.apply(deployment(replicas=2, minReadySeconds=10))
    await world.settle(seconds=30)
    await world.patch(Deployment, "web", image("v2"))
    await world.settle(seconds=5)
    assert len([pod for pod in await world.all(Pod) if pod.spec.containers[0].image == "v1"]) == 2
    await world.settle(seconds=60)
    assert await images(world) == {"v2"}


async def test_old_sets_beyond_the_limit_are_deleted(world: World) -> None:
    await world.apply(deployment(revisionHistoryLimit=1))
    for name in ("v1", "v2", "v3", "v4"):
        await world.patch(Deployment, "web", image(name))
        await world.settle()
    assert sorted(await history(world)) == ["3", "4"]


async def test_a_taken_name_is_avoided(world: World) -> None:
    await world.apply(deployment())
    await world.settle()
    (rs,) = await world.all(ReplicaSet)
    await world.client.delete(Deployment, "web", "default")
    await world.settle()
    squatter = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": rs.name, "namespace": "default"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "other"}},
            "template": {**deployment("other")["spec"]["template"]},
        },
    }
    await world.apply(squatter)
    await world.apply(deployment())
    await world.settle()
    made = await world.get(Deployment, "web")
    assert (made.status.collision_count, made.status.available_replicas) == (1, 3)


async def test_the_steps_are_told_as_events(world: World) -> None:
    await world.apply(deployment(replicas=2))
    await world.settle()
    await world.patch(Deployment, "web", {"spec": {"replicas": 1}})
    await world.settle()
    (rs,) = await world.all(ReplicaSet)
    told = [e.message for e in await world.events() if e.reason == "ScalingReplicaSet"]
    assert told == [f"Scaled up replica set {rs.name} from 0 to 2", f"Scaled down replica set {rs.name} from 2 to 1"]


async def test_a_set_that_the_cache_does_not_show_yet_still_counts(world: World) -> None:
    """Two images in quick succession, while news of ReplicaSets is held back: never more than the surge."""
    await world.apply(deployment(replicas=3))
    await world.settle()
    for name in ("v2", "v3"):
        await world.patch(Deployment, "web", image(name))
        for _ in range(3):
            for tap in world.taps:
                if tap.cls is not ReplicaSet:
                    tap.let()
            await world.work()
            world.clock.at += 0.1
    assert sum(rs.spec.replicas for rs in await world.all(ReplicaSet)) <= 4
    await world.settle()
    assert (await images(world), len(await world.all(Pod))) == ({"v3"}, 3)
