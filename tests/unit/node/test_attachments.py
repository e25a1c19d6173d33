"""What a node says that it uses, and what it waits for."""

import asyncio
from typing import Any

import pytest

from mesh.api.core import Node
from mesh.api.meta import ObjectMeta
from mesh.node import attachments
from mesh.node.attachments import Attachments


@pytest.fixture
async def node(world: Any) -> Attachments:
    await world.client.create(Node(metadata=ObjectMeta(name="n")))
    made = Attachments(world.client, "n")
    await made.begin()
    return made


async def used(world: Any) -> list[str] | None:
    found: list[str] | None = (await world.client.get(Node, "n")).status.volumes_in_use
    return found


async def test_a_volume_is_in_use_until_its_last_pod_has_ended(world: Any, node: Attachments) -> None:
    assert await used(world) == []
    await node.use("u1", ["a", "b"])
    await node.use("u2", ["b"])
    assert await used(world) == ["a", "b"]
    await node.release("u1")
    assert await used(world) == ["b"]
    world.client.calls.clear()
    await node.release("u1")
    assert world.client.calls == [], "there is nothing to say"
    await node.release("u2")
    assert await used(world) == []


async def test_a_new_node_object_is_told_all(world: Any, node: Attachments) -> None:
    await node.use("u1", ["a"])
    await world.client.delete(Node, "n")
    await world.client.create(Node(metadata=ObjectMeta(name="n")))
    await node.again()
    assert await used(world) == ["a"]


async def test_the_api_may_be_away_when_a_pod_ends(
    world: Any, node: Attachments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments, "AGAIN_S", 0.01)
    await node.use("u1", ["a"])
    world.client.away = True
    releasing = asyncio.ensure_future(node.release("u1"))
    await asyncio.sleep(0.05)
    assert not releasing.done()
    world.client.away = False
    await asyncio.wait_for(releasing, 5)
    assert await used(world) == []


async def test_all_of_them_are_waited_for(world: Any, node: Attachments) -> None:
    waiting = asyncio.ensure_future(node.attached(["a", "b"]))
    for names in (["a"], ["a", "b"]):
        await asyncio.sleep(0.08)
        assert not waiting.done()
        attached = {"status": {"volumesAttached": [{"name": name, "devicePath": ""} for name in names]}}
        await world.client.patch(Node, "n", attached, subresource="status")
    await asyncio.wait_for(waiting, 5)
