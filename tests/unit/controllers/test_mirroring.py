"""Do hand-made Endpoints lead somewhere?"""

from mesh.api.services import Endpoints, EndpointSlice, Service
from tests.unit.controllers.world import World, service

HAND = {
    "apiVersion": "v1",
    "kind": "Endpoints",
    "metadata": {"name": "legacy", "namespace": "default"},
    "subsets": [{"addresses": [{"ip": "127.0.0.9"}], "ports": [{"port": 9000}]}],
}


async def test_endpoints_of_a_service_without_selector_are_mirrored(world: World) -> None:
    await world.apply(HAND)
    await world.settle()
    assert await world.all(EndpointSlice) == []
    await world.apply(service("legacy", selector=None))
    await world.settle()
    (piece,) = await world.all(EndpointSlice)
    assert (piece.service_name, piece.endpoints[0].addresses, piece.endpoints[0].conditions.ready) == (
        "legacy", ["127.0.0.9"], True,
    )  # fmt: skip
    assert (piece.ports[0].name, piece.ports[0].port) == ("", 9000)

    await world.patch(Endpoints, "legacy", {"subsets": [{"addresses": [{"ip": "127.0.0.8"}], "ports": [{"port": 9}]}]})
    await world.settle()
    (piece,) = await world.all(EndpointSlice)
    assert (piece.endpoints[0].addresses, piece.ports[0].port) == (["127.0.0.8"], 9)

    await world.client.delete(Service, "legacy", "default")
    await world.settle()
    assert await world.all(EndpointSlice) == []


async def test_a_service_with_selector_has_no_mirror(world: World) -> None:
    await world.apply(service())
    await world.settle()
    managers = [p.metadata.labels["endpointslice.kubernetes.io/managed-by"] for p in await world.all(EndpointSlice)]
    assert managers == ["endpointslice-controller.k8s.io"]
