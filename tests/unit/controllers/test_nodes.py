"""Is a lost node noticed in time, and only then?"""

from collections.abc import Iterator

import pytest

from mesh.api.core import Node, Pod
from mesh.api.services import EndpointSlice
from mesh.api.workloads import DaemonSet
from mesh.controllers.nodes import NodeController
from mesh.controllers.settings import Settings
from tests.unit.controllers.test_daemonset import daemon_set
from tests.unit.controllers.world import World, deployment, service, stateful_set


@pytest.fixture
def world() -> Iterator[World]:
    """Nodes are lost after four seconds."""
    made = World(Settings())
    yield made
    made.close()


def controller(world: World) -> NodeController:
    (found,) = [c for c in world.manager.controllers if isinstance(c, NodeController)]
    return found


async def pass_time(world: World, seconds: float, *beating: str) -> None:
    """Time goes by in ticks; the nodes that beat do so every second."""
    nodes = controller(world)
    ticks = round(seconds / nodes.tick_s)
    for number in range(ticks):
        world.clock.at += nodes.tick_s
        if number % round(1 / nodes.tick_s) == 0:
            await world.beat(*beating)
        nodes.tick()
        await world.settle(seconds=0)


async def ready(world: World, name: str) -> str:
    node = await world.get(Node, name, None)
    return str(node.status.conditions[0].status)


async def test_a_silent_node_is_lost_and_its_pods_are_replaced(world: World) -> None:
    await world.apply(deployment(replicas=4))
    await world.apply(service())
    await world.settle()
    world.kubelet.silent.add("node-2")
    await pass_time(world, 3.5, "node-1")
    assert await ready(world, "node-2") == "True"
    assert await world.spread() == {"node-1": 2, "node-2": 2}

    await pass_time(world, 1.5, "node-1")
    assert await ready(world, "node-2") == "Unknown"
    assert await world.spread() == {"node-1": 4}
    assert all(pod.ready for pod in await world.all(Pod))
    (piece,) = await world.all(EndpointSlice)
    assert {e.node_name for e in piece.endpoints} == {"node-1"}
    taints = {(t.key, t.effect) for t in (await world.get(Node, "node-2", None)).spec.taints}
    assert taints == {("node.kubernetes.io/unreachable", effect) for effect in ("NoSchedule", "NoExecute")}
    told = {(e.reason, e.involved_object.kind) for e in await world.events()}
    assert {("NodeNotReady", "Node"), ("TaintManagerEviction", "Pod")} <= told


async def test_a_node_that_comes_back_takes_pods_again(world: World) -> None:
    await pass_time(world, 5, "node-1")
    await pass_time(world, 1, "node-1", "node-2")
    node = await world.get(Node, "node-2", None)
    assert (await ready(world, "node-2"), node.spec.taints) == ("True", None)
    await world.apply(deployment(replicas=4))
    await world.settle()
    assert await world.spread() == {"node-1": 2, "node-2": 2}


async def test_a_held_up_controller_blames_nobody(world: World) -> None:
    nodes = controller(world)
    await pass_time(world, 1, "node-1", "node-2")
    world.clock.at += 30
    nodes.tick()
    await world.settle(seconds=0)
    assert [await ready(world, name) for name in ("node-1", "node-2")] == ["True", "True"]


async def test_a_restarted_controller_gives_nodes_their_grace(world: World) -> None:
    await world.apply(deployment(replicas=2))
    await world.settle()
    await pass_time(world, 5, "node-1")
    world.restart()
    await pass_time(world, 3, "node-1")
    assert await ready(world, "node-2") == "Unknown"
    await pass_time(world, 2, "node-1", "node-2")
    assert await ready(world, "node-2") == "True"


async def test_a_stateful_pod_moves_with_its_name(world: World) -> None:
    await world.apply(stateful_set(replicas=2))
    await world.settle()
    before = {pod.name: pod.metadata.uid for pod in await world.all(Pod)}
    world.kubelet.silent.add("node-1")
    await pass_time(world, 5, "node-2")
    after = {pod.name: pod.metadata.uid for pod in await world.all(Pod)}
    assert set(after) == set(before) == {"db-0", "db-1"}
    assert after != before
    assert await world.spread() == {"node-2": 2}


async def test_a_daemon_stays_on_a_lost_node_until_it_is_deleted(world: World) -> None:
    await world.apply(daemon_set())
    await world.settle()
    world.kubelet.silent.add("node-2")
    await pass_time(world, 5, "node-1")
    assert {pod.spec.node_name: pod.ready for pod in await world.all(Pod)} == {"node-1": True, "node-2": False}
    status = (await world.get(DaemonSet, "agent")).status
    assert (status.desired_number_scheduled, status.number_misscheduled, status.number_ready) == (1, 1, 1)
    await world.client.delete(DaemonSet, "agent", "default")
    await pass_time(world, 1, "node-1")
    assert await world.all(Pod) == [], "nobody is left on that node who could end its pod"


async def test_a_silent_node_that_lives_ends_its_pods_itself() -> None:
    world = World(Settings(node_alive=lambda name: name == "node-1"))
    try:
        await world.apply(stateful_set(replicas=2))
        await world.settle()
        held = next(pod for pod in await world.all(Pod) if pod.spec.node_name == "node-1")
        world.kubelet.silent.add("node-1")
        await pass_time(world, 8, "node-2")
        now = await world.get(Pod, held.name)
        assert (now.metadata.uid, bool(now.metadata.deletion_timestamp)) == (held.metadata.uid, True)
        world.kubelet.silent.clear()
        await pass_time(world, 2, "node-1", "node-2")
        after = await world.get(Pod, held.name)
        assert after.metadata.uid != held.metadata.uid
        assert after.ready
    finally:
        world.close()


async def test_a_removed_node_gives_its_pods_away(world: World) -> None:
    await world.apply(deployment(replicas=2))
    await world.settle()
    world.kubelet.silent.add("node-1")
    await world.client.delete(Node, "node-1")
    await world.settle(seconds=0)
    assert await world.spread() == {"node-1": 1, "node-2": 1}
    await pass_time(world, 5, "node-2")
    assert await world.spread() == {"node-2": 2}


@pytest.mark.parametrize("effect", ["NoSchedule", "NoExecute"])
async def test_cordon_and_taints_of_people(world: World, effect: str) -> None:
    await world.apply(deployment(replicas=2))
    await world.settle()
    taint = {"key": "dedicated", "value": "db", "effect": effect}
    await world.client.patch(Node, "node-1", {"spec": {"taints": [taint]}})
    await pass_time(world, 1, "node-1", "node-2")
    assert await world.spread() == ({"node-2": 2} if effect == "NoExecute" else {"node-1": 1, "node-2": 1})
    await world.client.patch(Node, "node-1", {"spec": {"unschedulable": True}})
    await pass_time(world, 1, "node-1", "node-2")
    taints = {t.key for t in (await world.get(Node, "node-1", None)).spec.taints}
    assert taints == {"dedicated", "node.kubernetes.io/unschedulable"}
