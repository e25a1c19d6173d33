"""Does a pod get claims of its own, and do they go with it?"""

from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.api.storage import PersistentVolume, PersistentVolumeClaim
from mesh.controllers.actions import Create, Note
from mesh.controllers.ephemeral import plan_ephemeral
from tests.unit.controllers.storage import claim, storage_class
from tests.unit.controllers.world import World

SPEC = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def pod(**template: Any) -> dict[str, Any]:
    made = {"spec": SPEC, **template}
    volumes = [{"name": "cache", "ephemeral": {"volumeClaimTemplate": made}}, {"name": "rest", "emptyDir": {}}]
    spec = {"containers": [{"name": "c", "image": "i"}], "volumes": volumes}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


def owned(uid: str) -> PersistentVolumeClaim:
    data = claim("p-cache")
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": uid, "controller": True}
    data["metadata"]["ownerReferences"] = [owner]
    return PersistentVolumeClaim.model_validate(data)


@pytest.mark.parametrize(
    ("claims", "made", "said"),
    [
        pytest.param({}, ["p-cache"], [], id="missing"),
        pytest.param({"p-cache": owned("u")}, [], [], id="there"),
        pytest.param({"p-cache": owned("another")}, [], ["FailedBinding"], id="another-pods"),
        pytest.param({"p-cache": PersistentVolumeClaim.model_validate(claim("p-cache"))}, [], ["FailedBinding"],
                     id="somebodys"),
    ],
)  # fmt: skip
def test_plan(claims: dict[str, PersistentVolumeClaim], made: list[str], said: list[str]) -> None:
    data = pod()
    data["metadata"] |= {"uid": "u", "namespace": "default"}
    actions = plan_ephemeral(Pod.model_validate(data), claims).actions
    assert [action.obj.name for action in actions if isinstance(action, Create)] == made
    assert [action.reason for action in actions if isinstance(action, Note)] == said


async def test_the_claim_comes_and_goes_with_its_pod(world: World) -> None:
    await world.apply(storage_class("standard", default=True))
    await world.apply(pod(metadata={"labels": {"kind": "cache"}}))
    await world.settle()
    assert (await world.get(Pod, "p")).ready
    (made,) = await world.all(PersistentVolumeClaim)
    assert (made.name, made.status.phase, made.metadata.labels) == ("p-cache", "Bound", {"kind": "cache"})
    assert [event for event in await world.events() if event.type == "Warning"] == []
    await world.client.delete(Pod, "p", "default")
    await world.settle()
    assert await world.all(PersistentVolumeClaim) == []
    assert await world.all(PersistentVolume, None) == []


async def test_somebody_elses_claim_is_not_taken(world: World) -> None:
    await world.apply(storage_class("standard", default=True))
    await world.apply(claim("p-cache"))
    await world.settle()
    await world.apply(pod())
    await world.settle()
    assert not (await world.get(Pod, "p")).spec.node_name
    reasons = {event.reason for event in await world.events() if event.type == "Warning"}
    assert reasons == {"FailedBinding", "FailedScheduling"}


async def test_a_template_that_is_no_claim_is_told(world: World) -> None:
    await world.apply(pod(spec={"accessModes": []}))
    await world.settle()
    told = [event.message for event in await world.events() if event.reason == "FailedBinding"]
    assert len(told) == 1
    assert "accessModes" in told[0]
