"""Has every namespace its service account?"""

from mesh.api.config import ServiceAccount
from tests.unit.controllers.world import World


async def test_each_namespace_has_one_and_gets_it_back(world: World) -> None:
    await world.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "lab"}})
    await world.settle()
    for namespace in ("default", "kube-system", "lab"):
        assert [account.name for account in await world.all(ServiceAccount, namespace)] == ["default"]
    await world.client.delete(ServiceAccount, "default", "lab")
    await world.settle()
    assert [account.name for account in await world.all(ServiceAccount, "lab")] == ["default"]
