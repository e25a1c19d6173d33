"""Which claims does a pod use?"""

from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.api.storage import PersistentVolume
from mesh.controllers.volume_users import claim_named, claims_of
from tests.unit.controllers import storage


def claimed(name: str, claim: str) -> dict[str, Any]:
    return {"name": name, "persistentVolumeClaim": {"claimName": claim}}


@pytest.mark.parametrize(
    ("volumes", "names"),
    [
        pytest.param(None, [], id="no-volumes"),
        pytest.param([{"name": "a", "emptyDir": {}}], [], id="no-claims"),
        pytest.param([claimed("a", "x"), claimed("b", "y"), claimed("c", "x")], ["x", "y"], id="each-once"),
        pytest.param([{"name": "a", "ephemeral": {}}], ["p-a"], id="its-own"),
    ],
)
def test_claims_of(volumes: list[dict[str, Any]] | None, names: list[str]) -> None:
    metadata = {"name": "p", "namespace": "default"}
    pod = Pod.model_validate({"metadata": metadata, "spec": {"containers": [], "volumes": volumes}})
    assert claims_of(pod) == tuple(("default", name) for name in names)


@pytest.mark.parametrize(
    ("ref", "key"), [(None, ("", "")), ({"namespace": "default", "name": "data", "uid": "u"}, ("default", "data"))]
)
def test_claim_named(ref: dict[str, str] | None, key: tuple[str, str]) -> None:
    volume = PersistentVolume.model_validate(storage.volume())
    volume.spec.claim_ref = ref
    assert claim_named(volume) == key
