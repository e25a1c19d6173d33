import asyncio
from typing import Any

import pytest

from mesh.api.core import Node
from mesh.node import registration
from mesh.node.addresses import Plan
from mesh.node.registration import Registration
from mesh.runtime.clock import parse_rfc3339
from mesh.runtime.tasks import Tasks


@pytest.fixture
def node(world: Any, monkeypatch: pytest.MonkeyPatch) -> Registration:
    monkeypatch.setattr(registration, "HEARTBEAT_S", 0.02)
    return Registration(world.client, "node-1", 0, Plan(), world.clock)


async def stored(world: Any) -> Node:
    found: Node = await world.client.get(Node, "node-1")
    return found


async def test_a_node_describes_itself(world: Any, node: Registration) -> None:
    await node.register()
    found = await stored(world)
    assert [(a.type, a.address) for a in found.status.addresses or ()] == [
        ("InternalIP", "127.18.0.1"), ("Hostname", "node-1"),
    ]  # fmt: skip
    assert found.spec.pod_cidr == "127.244.0.0/22"
    assert found.metadata.label_map["kubernetes.io/hostname"] == "node-1"
    assert len(found.status.node_info or {}) == 10
    (ready,) = found.status.conditions or ()
    assert (ready.type, ready.status, ready.reason) == ("Ready", "True", "KubeletReady")


async def test_registering_again_keeps_what_users_wrote(world: Any, node: Registration) -> None:
    await node.register()
    await world.client.patch(Node, "node-1", {"metadata": {"labels": {"disk": "ssd"}}, "spec": {"unschedulable": True}})
    await world.client.patch(Node, "node-1", {"status": {"conditions": []}}, subresource="status")
    await node.register()
    found = await stored(world)
    assert (found.metadata.label_map["disk"], found.spec.unschedulable) == ("ssd", True)
    assert [c.type for c in found.status.conditions or ()] == ["Ready"]


async def test_heartbeats_move_on_and_the_transition_stays(world: Any, node: Registration) -> None:
    await node.register()
    tasks = Tasks("test")
    tasks.start(node.beat(), "beat")
    before = (await stored(world)).status.conditions or []
    await asyncio.sleep(0.15)
    after = (await stored(world)).status.conditions or []
    await tasks.close()
    assert parse_rfc3339(after[0].last_heartbeat_time or "") > parse_rfc3339(before[0].last_heartbeat_time or "")
    assert after[0].last_transition_time == before[0].last_transition_time


async def test_a_node_that_was_silent_is_newly_ready(
    world: Any, node: Registration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration, "MISSED_S", 0.05)
    await node.register()
    tasks = Tasks("test")
    tasks.start(node.beat(), "beat")
    world.client.away = True
    await asyncio.sleep(1.1)
    world.client.away = False
    before = await stored(world)
    await asyncio.sleep(0.1)
    after = await stored(world)
    await tasks.close()
    times = [(n.status.conditions or [])[0].last_transition_time or "" for n in (before, after)]
    assert parse_rfc3339(times[1]) > parse_rfc3339(times[0])


async def test_a_node_that_was_deleted_comes_back(world: Any, node: Registration) -> None:
    await node.register()
    tasks = Tasks("test")
    tasks.start(node.beat(), "beat")
    await world.client.delete(Node, "node-1")
    await asyncio.sleep(0.2)
    await tasks.close()
    assert (await stored(world)).status.addresses


async def test_registration_waits_for_the_api(world: Any, node: Registration) -> None:
    world.client.away = True
    registering = asyncio.ensure_future(node.register())
    await asyncio.sleep(0.15)
    assert not registering.done()
    world.client.away = False
    await asyncio.wait_for(registering, 3)
    assert (await stored(world)).name == "node-1"


async def test_a_node_says_which_zone_it_is_in(world: Any) -> None:
    await Registration(world.client, "node-1", 0, Plan(), world.clock, "a").register()
    labels = (await stored(world)).metadata.label_map
    assert (labels["topology.kubernetes.io/zone"], labels["failure-domain.beta.kubernetes.io/zone"]) == ("a", "a")
