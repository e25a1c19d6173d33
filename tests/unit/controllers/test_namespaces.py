"""Does a namespace that is deleted go, with all that is in it?"""

from mesh.api.core import Namespace, Pod
from mesh.api.services import EndpointSlice, Service
from mesh.api.workloads import Deployment, ReplicaSet
from tests.unit.controllers.world import World, deployment, service


async def test_a_namespace_goes_with_its_contents(world: World) -> None:
    await world.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "lab"}})
    for obj in (deployment(), service()):
        obj["metadata"]["namespace"] = "lab"
        await world.apply(obj)
    await world.apply(deployment("other"))
    await world.settle()
    assert len(await world.all(Pod, "lab")) == 3

    await world.client.delete(Namespace, "lab")
    assert (await world.get(Namespace, "lab", None)).status.phase == "Terminating"
    await world.settle(kubelet=False)
    assert all(pod.metadata.deletion_timestamp for pod in await world.all(Pod, "lab"))
    assert (await world.get(Namespace, "lab", None)).status.phase == "Terminating"
    await world.settle()
    assert "lab" not in {ns.name for ns in (await world.client.list(Namespace)).items}
    for kind in (Deployment, ReplicaSet, Pod, Service, EndpointSlice):
        assert await world.all(kind, "lab") == []
    assert len(await world.all(Pod)) == 3
