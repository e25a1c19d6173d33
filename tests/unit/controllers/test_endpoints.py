"""Which pods answer for a Service, as slices and Endpoints show it?"""

from typing import Any

import pytest

from mesh.api.core import Node, Pod
from mesh.api.services import Endpoints, EndpointSlice, Service
from mesh.api.workloads import Deployment
from tests.unit.controllers.world import World, deployment, service, stateful_set


async def slices(world: World, name: str = "web") -> list[Any]:
    return [piece for piece in await world.all(EndpointSlice) if piece.service_name == name]


async def conditions(world: World) -> list[tuple[bool, bool, bool]]:
    found = [e.conditions for piece in await slices(world) for e in piece.endpoints]
    return sorted((c.ready, c.serving, c.terminating) for c in found)


async def test_readiness_and_termination_show(world: World) -> None:
    world.kubelet.never_ready.add("slow")
    await world.apply(deployment(replicas=2))
    await world.apply(deployment("late", replicas=1, image="slow", selector={"matchLabels": {"app": "late"}}))
    await world.apply(service())
    await world.settle()
    assert await conditions(world) == [(True, True, False)] * 2
    await world.patch(Pod, (await world.all(Pod))[-1].name, {"metadata": {"labels": {"x": "y"}}})
    world.kubelet.silent.update({"node-1", "node-2"})
    await world.patch(Deployment, "web", {"spec": {"replicas": 1}})
    await world.settle()
    assert await conditions(world) == [(False, True, True), (True, True, False)]
    old = await world.get(Endpoints, "web")
    assert [len(old.subsets[0].addresses), old.subsets[0].not_ready_addresses] == [1, None]


async def test_pods_that_are_not_ready_are_listed_apart(world: World) -> None:
    world.kubelet.never_ready.add("v1")
    await world.apply(deployment(replicas=2))
    await world.apply(service())
    await world.apply(service("all", "web", publishNotReadyAddresses=True))
    await world.settle()
    assert await conditions(world) == [(False, False, False)] * 2
    old = await world.get(Endpoints, "web")
    assert (old.subsets[0].addresses, len(old.subsets[0].not_ready_addresses)) == (None, 2)
    (published,) = await slices(world, "all")
    assert [e.conditions.ready for e in published.endpoints] == [True, True]
    assert len((await world.get(Endpoints, "all")).subsets[0].addresses) == 2


async def test_stateful_pods_have_hostnames(world: World) -> None:
    await world.apply(stateful_set(replicas=2))
    await world.apply(service("db", clusterIP="None"))
    await world.settle()
    (piece,) = await slices(world, "db")
    assert sorted(e.hostname for e in piece.endpoints) == ["db-0", "db-1"]
    assert piece.metadata.labels["service.kubernetes.io/headless"] == ""
    assert sorted(a.hostname for a in (await world.get(Endpoints, "db")).subsets[0].addresses) == ["db-0", "db-1"]


async def test_named_targets_are_looked_up_in_each_pod(world: World) -> None:
    other = deployment("b")
    other["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": 9090}]
    for obj in (deployment("a"), other):
        obj["spec"]["template"]["metadata"]["labels"]["tier"] = "front"
        await world.apply(obj)
    await world.apply(service("both", selector={"tier": "front"}))
    await world.settle()
    found = {(piece.ports[0].port, len(piece.endpoints)) for piece in await slices(world, "both")}
    assert found == {(8080, 3), (9090, 3)}
    assert [s.ports[0].port for s in (await world.get(Endpoints, "both")).subsets] == [8080, 9090]


async def test_a_selector_that_moves_moves_the_endpoints(world: World) -> None:
    """Blue and green."""
    await world.apply(deployment("blue", replicas=2))
    await world.apply(deployment("green", replicas=3))
    await world.apply(service("web", "blue"))
    await world.settle()
    await world.patch(Service, "web", {"spec": {"selector": {"app": "green"}}})
    await world.settle()
    (piece,) = await slices(world)
    assert {e.target_ref.name.split("-")[0] for e in piece.endpoints} == {"green"}
    assert len(piece.endpoints) == 3


async def test_a_service_without_pods_has_an_empty_slice(world: World) -> None:
    await world.apply(service())
    await world.settle()
    assert [piece.endpoints for piece in await slices(world)] == [[]]
    assert (await world.get(Endpoints, "web")).subsets is None


async def test_a_service_without_selector_is_left_alone(world: World) -> None:
    await world.apply(service("hand", selector=None))
    await world.settle()
    assert await slices(world, "hand") == []
    assert await world.all(Endpoints) == []


async def test_what_somebody_breaks_is_mended(world: World) -> None:
    await world.apply(deployment(replicas=2))
    await world.apply(service())
    await world.settle()
    (piece,) = await slices(world)
    await world.patch(EndpointSlice, piece.name, {"endpoints": []})
    await world.settle()
    assert await conditions(world) == [(True, True, False)] * 2
    await world.client.delete(EndpointSlice, piece.name, "default")
    await world.client.delete(Endpoints, "web", "default")
    await world.settle()
    assert await conditions(world) == [(True, True, False)] * 2
    assert len((await world.get(Endpoints, "web")).subsets[0].addresses) == 2


@pytest.mark.parametrize("replicas", [100, 230])
async def test_slices_hold_a_hundred_each_and_change_alone(world: World, replicas: int) -> None:
    await world.apply(deployment(replicas=replicas))
    await world.apply(service())
    await world.settle()
    sizes = sorted(len(piece.endpoints) for piece in await slices(world))
    assert (sum(sizes), max(sizes), len(sizes)) == (replicas, 100, -(-replicas // 100))
    before = {piece.name: piece.metadata.resource_version for piece in await slices(world)}
    (first, *_) = await slices(world)
    await world.client.delete(Pod, first.endpoints[0].target_ref.name, "default", grace_period_s=0)
    await world.settle()
    after = {piece.name: piece.metadata.resource_version for piece in await slices(world)}
    changed = [name for name, version in after.items() if before.get(name) != version]
    assert len(changed) <= 2


async def test_a_large_service_tells_of_losses_soon_and_of_gains_later(world: World) -> None:
    await world.apply(deployment(replicas=300))
    await world.apply(service())
    await world.settle()

    async def ready() -> int:
        return sum(bool(e.conditions.ready) for piece in await slices(world) for e in piece.endpoints)

    assert await ready() == 300
    lost = (await world.all(Pod))[0]
    await world.client.delete(Pod, lost.name, "default")
    await world.settle(kubelet=False, seconds=0.05)
    assert await ready() == 299
    await world.settle()
    await world.patch(Deployment, "web", {"spec": {"replicas": 301}})
    await world.settle(seconds=0.15)
    assert len([pod for pod in await world.all(Pod) if pod.ready]) == 301
    assert await ready() == 300
    await world.settle()
    assert await ready() == 301


async def test_endpoints_tell_the_zone_of_their_node(world: World) -> None:
    await world.apply(deployment(replicas=4))
    await world.apply(service())
    await world.settle()
    for name, zone in (("node-1", "a"), ("node-2", "b")):
        await world.client.patch(Node, name, {"metadata": {"labels": {"topology.kubernetes.io/zone": zone}}})
    await world.settle()
    found = {(e.node_name, e.zone) for piece in await slices(world) for e in piece.endpoints}
    assert found == {("node-1", "a"), ("node-2", "b")}
