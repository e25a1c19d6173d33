"""Does an Ingress say where it is served?"""

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
