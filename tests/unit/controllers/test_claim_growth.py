"""May a claim grow, and what is written?"""

from typing import Any

import pytest

from mesh.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from mesh.controllers.actions import Note, Patch
from mesh.controllers.claim_growth import plan_growth
from tests.unit.controllers import storage

OURS = {"driver": "loopmesh.io/directory", "volumeHandle": "v"}
GROWS = StorageClass.model_validate(storage.storage_class("s"))
FIXED = StorageClass.model_validate(storage.storage_class("s", allowVolumeExpansion=False))


@pytest.mark.parametrize(
    ("wanted", "source", "storage_class", "reasons", "written"),
    [
        pytest.param("1Gi", OURS, GROWS, [], [], id="large-enough"),
        pytest.param("1Mi", OURS, GROWS, [], [], id="less-is-no-matter"),
        pytest.param("2Gi", OURS, GROWS, ["Resizing", "VolumeResizeSuccessful"],
                     [{"spec": {"capacity": {"storage": "2Gi"}}, "metadata": {"resourceVersion": "3"}},
                      {"status": {"conditions": [{"type": "Resizing", "status": "True", "lastTransitionTime": "T"}]}},
                      {"status": {"capacity": {"storage": "2Gi"}, "conditions": None}}], id="grows"),
        pytest.param("2Gi", OURS, FIXED, ["VolumeResizeFailed"], [], id="its-class-forbids-it"),
        pytest.param("2Gi", OURS, None, ["VolumeResizeFailed"], [], id="it-has-no-class"),
        pytest.param("2Gi", {**OURS, "driver": "x"}, GROWS, ["ExternalExpanding"], [], id="nobody-here-can"),
    ],
)  # fmt: skip
def test_growth(
    wanted: str, source: dict[str, str], storage_class: StorageClass | None, reasons: list[str], written: list[Any]
) -> None:
    data = storage.volume("v", csi=source)
    data["metadata"]["resourceVersion"] = "3"
    volume = PersistentVolume.model_validate(data)
    claim = PersistentVolumeClaim.model_validate(storage.claim(storage=wanted))
    actions = plan_growth(claim, volume, storage_class, "T")
    assert [action.reason for action in actions if isinstance(action, Note)] == reasons
    assert [action.patch for action in actions if isinstance(action, Patch)] == written
