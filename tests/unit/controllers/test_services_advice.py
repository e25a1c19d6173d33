"""Is a service that leads nowhere told of?"""

from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.api.services import Service
from mesh.controllers.services_advice import nearest
from tests.unit.controllers.world import World, deployment, service


async def told(world: World) -> list[tuple[str, str]]:
    await world.settle(seconds=5.0)
    return [(e.reason, e.message) for e in await world.events() if e.reason in ("SelectsNothing", "NoSuchPort")]


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        pytest.param({}, None, [], id="all is well"),
        pytest.param(
            {"selector": {"app": "wbe"}}, "SelectsNothing", ["app=wbe", "namespace default", "which has app=web"],
            id="a slip in the selector",
        ),
        pytest.param(
            {"ports": [{"port": 80, "targetPort": "htpp"}]}, "NoSuchPort", ["htpp", "they have http"],
            id="a slip in the port",
        ),
        pytest.param({"ports": [{"port": 80, "targetPort": 99}]}, None, [], id="a number may be anything"),
        pytest.param({"selector": None}, None, [], id="no selector"),
        pytest.param(
            {"type": "ExternalName", "externalName": "example.org", "selector": {"app": "x"}, "ports": None}, None, [],
            id="external name",
        ),
    ],
)  # fmt: skip
async def test_slips(world: World, spec: dict[str, Any], reason: str | None, words: list[str]) -> None:
    await world.apply(deployment())
    await world.apply(service("web", **spec))
    found = await told(world)
    assert [one for one, _ in found] == ([reason] if reason else [])
    assert all(word in found[0][1] for word in words)


async def test_endpoints_that_nobody_reaches_are_told(world: World) -> None:
    await world.apply(service("db", selector=None, ports=[{"port": 5432}]))
    subset = {"addresses": [{"ip": "127.0.0.5"}, {"ip": "10.0.0.7"}], "ports": [{"port": 5432}]}
    await world.apply({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "db"}, "subsets": [subset]})
    await world.settle()
    (message,) = [e.message for e in await world.events() if e.reason == "EndpointOutOfReach"]
    assert message.startswith("endpoints 10.0.0.7 are outside 127.0.0.0/8")


async def test_a_workload_without_pods_yet_is_no_slip(world: World) -> None:
    await world.apply(deployment(replicas=0))
    await world.apply(service())
    assert await told(world) == []


async def test_a_changed_selector_is_looked_at_again(world: World) -> None:
    await world.apply(deployment())
    await world.apply(service())
    assert await told(world) == []
    await world.patch(Service, "web", {"spec": {"selector": {"app": "web", "version": "v2"}}})
    ((reason, message),) = await told(world)
    assert reason == "SelectsNothing"
    assert "which has no label version" in message
    assert len(await world.all(Pod)) == 3


@pytest.mark.parametrize(
    ("pods", "wanted"),
    [
        ([], ""),
        ([("a", {"colour": "red"})], ""),
        ([("a", {"app": "x"}), ("b", {"app": "web", "tier": "y"})], "the nearest is pod b, which has tier=y"),
        ([("b", {"app": "x"}), ("a", {"app": "z"})], "the nearest is pod a, which has app=z and no label tier"),
    ],
)
def test_nearest(pods: list[tuple[str, dict[str, str]]], wanted: str) -> None:
    assert nearest({"app": "web", "tier": "front"}, pods) == wanted
