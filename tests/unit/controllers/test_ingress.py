"""Does an Ingress say where it is served?"""

from typing import Any

import pytest

from mesh.api.services import Ingress
from tests.unit.controllers.world import World

INGRESS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
}


async def test_the_gateways_address_is_written_once(world: World) -> None:
    await world.apply(INGRESS)
    await world.settle()
    ingress = await world.get(Ingress, "web")
    assert [i.ip for i in ingress.status.load_balancer.ingress] == ["127.0.0.1"]
    version = world.store.version
    world.restart()
    await world.settle()
    assert world.store.version == version


def of_class(name: str | None, annotation: str | None = None) -> dict[str, Any]:
    notes = {"kubernetes.io/ingress.class": annotation} if annotation else {}
    spec = {**INGRESS["spec"], **({"ingressClassName": name} if name else {})}  # type: ignore[dict-item]
    return {**INGRESS, "metadata": {"name": "web", "namespace": "default", "annotations": notes}, "spec": spec}


def ingress_class(controller: str) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": "own"},
        "spec": {"controller": controller},
    }


async def shown(world: World) -> list[str | None]:
    await world.settle()
    found = (await world.get(Ingress, "web")).status.load_balancer.ingress
    return [entry.ip for entry in found or ()]


@pytest.mark.parametrize(
    ("ingress", "served"),
    [
        pytest.param(of_class("nginx"), True, id="a class that we stand for"),
        pytest.param(of_class(None, "istio"), True, id="by the older annotation"),
        pytest.param(of_class("alb"), False, id="a class of nobody"),
        pytest.param(of_class(None, "gce"), False, id="of nobody, by the annotation"),
        pytest.param(of_class("own"), False, id="a class that is not there"),
    ],
)
async def test_classes(world: World, ingress: dict[str, Any], served: bool) -> None:
    await world.apply(ingress)
    assert await shown(world) == (["127.0.0.1"] if served else [])


async def test_a_class_says_whose_it_is(world: World) -> None:
    await world.apply(of_class("own"))
    assert await shown(world) == []
    await world.apply(ingress_class("k8s.io/ingress-nginx"))
    assert await shown(world) == ["127.0.0.1"]


async def test_an_ingress_that_goes_to_somebody_else_loses_our_address(world: World) -> None:
    await world.apply(of_class("mesh"))
    assert await shown(world) == ["127.0.0.1"]
    await world.patch(Ingress, "web", {"spec": {"ingressClassName": "alb"}})
    assert await shown(world) == []
