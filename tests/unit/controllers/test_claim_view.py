"""What does the scheduler see of a pod's claims?"""

from mesh.api.core import Pod
from mesh.controllers.claim_view import ClaimView
from tests.unit.controllers.storage import claim, storage_class, volume, with_claim
from tests.unit.controllers.world import World


async def test_a_claim_with_all_that_belongs_to_it(world: World) -> None:
    await world.apply(storage_class("standard", default=True))
    await world.apply(claim())
    await world.apply(volume("free"))
    await world.apply(volume("anothers", claimRef={"namespace": "default", "name": "other"}))
    await world.apply(with_claim("first"))
    await world.settle()
    pod = Pod.model_validate({**with_claim("second"), "metadata": {"name": "second", "namespace": "default"}})
    view = ClaimView(world.manager.caches)
    (seen,) = view.of(pod, {})
    assert seen.claim is not None
    assert seen.volume is not None
    assert seen.storage_class is not None
    assert (seen.name, seen.volume.name, seen.storage_class.name) == ("data", seen.claim.spec.volume_name, "standard")
    assert seen.others == 1, "the first pod uses it"
    assert sorted(v.name for v in view.within_reach([seen])) == ["free", seen.volume.name]
    (placed,) = view.of(pod, {("default", "data"): {"not-in-the-cache-yet"}})
    assert placed.others == 2


async def test_a_claim_that_nobody_made(world: World) -> None:
    pod = Pod.model_validate({**with_claim("p", "none"), "metadata": {"name": "p", "namespace": "default"}})
    (seen,) = ClaimView(world.manager.caches).of(pod, {})
    assert (seen.name, seen.claim) == ("none", None)
