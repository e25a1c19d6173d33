"""Has every node that takes one its daemon, and does an update change them one after the other?"""

from typing import Any

import pytest

from mesh.api.core import Node, Pod
from mesh.api.workloads import ControllerRevision, DaemonSet
from tests.unit.controllers.world import World, template


def daemon_set(image: str = "v1", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "agent", "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": "agent"}}, "template": template("agent", image), **spec},
    }


def changed(image: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": template("agent", image)["spec"]["containers"]}}}}


async def places(world: World) -> dict[str, str]:
    """Node -> image of its daemon; one that is on its way out is marked."""
    found = {}
    for pod in await world.all(Pod):
        assert pod.spec.node_name not in found, "two daemons on one node"
        found[pod.spec.node_name] = pod.spec.containers[0].image + ("-" if pod.metadata.deletion_timestamp else "")
    return found


async def status(world: World) -> tuple[int, int, int, int | None, int | None, int | None]:
    now = (await world.get(DaemonSet, "agent")).status
    return (
        now.desired_number_scheduled,
        now.current_number_scheduled,
        now.number_ready,
        now.updated_number_scheduled,
        now.number_available,
        now.number_unavailable,
    )


async def test_each_node_has_one_and_a_new_node_gets_its_own(world: World) -> None:
    await world.apply(daemon_set())
    await world.settle()
    assert await places(world) == {"node-1": "v1", "node-2": "v1"}
    assert await status(world) == (2, 2, 2, 2, 2, None)
    world.add_node("node-3")
    await world.settle()
    assert await places(world) == {"node-1": "v1", "node-2": "v1", "node-3": "v1"}
    assert "Created pod: agent-" in "".join(event.message or "" for event in await world.events())


async def test_a_daemon_stays_on_a_cordoned_node_and_leaves_a_deleted_one(world: World) -> None:
    await world.apply(daemon_set())
    await world.client.patch(Node, "node-1", {"spec": {"unschedulable": True}})
    await world.settle()
    assert sorted(await places(world)) == ["node-1", "node-2"]
    before = {pod.metadata.uid for pod in await world.all(Pod)}
    await world.client.delete(Node, "node-2")
    await world.settle()
    assert (await status(world))[:2] == (1, 1)
    assert {pod.metadata.uid for pod in await world.all(Pod)} <= before


async def test_labels_and_taints_decide(world: World) -> None:
    world.add_node("node-3", taints=[{"key": "own", "effect": "NoExecute"}])
    template_ = template("agent")
    template_["spec"]["nodeSelector"] = {"kind": "store"}
    await world.apply(daemon_set(template=template_))
    await world.settle()
    assert await status(world) == (0, 0, 0, None, None, None)
    for name in ("node-1", "node-3"):
        await world.client.patch(Node, name, {"metadata": {"labels": {"kind": "store"}}})
    await world.settle()
    assert await places(world) == {"node-1": "v1"}
    await world.client.patch(Node, "node-1", {"metadata": {"labels": {"kind": None}}})
    await world.settle()
    assert await places(world) == {}


async def test_an_update_takes_one_node_after_the_other(world: World) -> None:
    world.add_node("node-3")
    await world.apply(daemon_set())
    await world.settle()
    await world.patch(DaemonSet, "agent", changed("v2"))
    await world.settle(kubelet=False)
    assert sorted((await places(world)).values()) == ["v1", "v1", "v1-"]
    await world.settle()
    assert set((await places(world)).values()) == {"v2"}
    assert await status(world) == (3, 3, 3, 3, 3, None)


async def test_an_update_may_take_several_and_stops_at_what_is_broken(world: World) -> None:
    world.add_node("node-3")
    await world.apply(daemon_set(updateStrategy={"rollingUpdate": {"maxUnavailable": "50%"}}))
    await world.settle()
    world.kubelet.never_ready.add("broken")
    await world.patch(DaemonSet, "agent", changed("broken"))
    await world.settle()
    assert sorted((await places(world)).values()) == ["broken", "broken", "v1"]
    assert await status(world) == (3, 3, 1, 2, 1, 2)
    await world.patch(DaemonSet, "agent", changed("v3"))
    await world.settle()
    assert set((await places(world)).values()) == {"v3"}


async def test_on_delete_waits_for_people(world: World) -> None:
    await world.apply(daemon_set(updateStrategy={"type": "OnDelete"}))
    await world.settle()
    await world.patch(DaemonSet, "agent", changed("v2"))
    await world.settle()
    assert set((await places(world)).values()) == {"v1"}
    (first, *_) = await world.all(Pod)
    await world.client.delete(Pod, first.name, "default")
    await world.settle()
    assert sorted((await places(world)).values()) == ["v1", "v2"]


async def test_history_is_numbered_and_short(world: World) -> None:
    await world.apply(daemon_set(revisionHistoryLimit=1))
    await world.settle()
    for image in ("v2", "v3", "v2"):
        await world.patch(DaemonSet, "agent", changed(image))
        await world.settle()
    revisions = await world.all(ControllerRevision)
    numbers = {r.revision: (r.data or {})["spec"]["template"]["spec"]["containers"][0]["image"] for r in revisions}
    assert numbers == {3: "v3", 4: "v2"}
    (pod, *_) = await world.all(Pod)
    present = max(revisions, key=lambda r: r.revision)
    assert present.name == f"agent-{pod.metadata.labels['controller-revision-hash']}"


@pytest.mark.parametrize(
    ("phase", "reason"),
    [pytest.param("Failed", "FailedDaemonPod", id="badly"), pytest.param("Succeeded", "SucceededDaemonPod", id="well")],
)
async def test_a_daemon_that_ended_is_replaced(world: World, phase: str, reason: str) -> None:
    await world.apply(daemon_set())
    await world.settle()
    (first, *_) = await world.all(Pod)
    await world.client.patch(Pod, first.name, {"status": {"phase": phase, "conditions": []}}, "default", "status")
    await world.settle()
    assert sorted(await places(world)) == ["node-1", "node-2"]
    assert first.name not in {pod.name for pod in await world.all(Pod)}
    assert reason in {event.reason for event in await world.events()}


async def test_running_again_changes_nothing(world: World) -> None:
    await world.apply(daemon_set())
    await world.settle()
    version = world.store.version
    world.restart()
    await world.settle()
    assert world.store.version == version
