"""What is made for a claim, what is refused, and when does data go?"""

from typing import Any

import pytest

from mesh.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from mesh.controllers.actions import Create, Note, Patch
from mesh.controllers.provisioner_plan import is_asked, plan_farewell, plan_provision, refusal, volume_for
from tests.unit.controllers import storage

ASKED = {"volume.kubernetes.io/storage-provisioner": "loopmesh.io/directory"}
SELECTED = {"volume.kubernetes.io/selected-node": "node-1"}
OURS = {"driver": "loopmesh.io/directory", "volumeHandle": "v"}
PROTECTED = "kubernetes.io/pv-protection"
OWN = "external-provisioner.volume.kubernetes.io/finalizer"


def claim(notes: dict[str, str] | None = None, going: bool = False, **spec: Any) -> PersistentVolumeClaim:
    data = storage.claim(**{"storageClassName": "s", **spec})
    data["metadata"] |= {"namespace": "default", "uid": "u1", "annotations": ASKED if notes is None else notes}
    if going:
        data["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return PersistentVolumeClaim.model_validate(data)


def made(name: str = "s", **fields: Any) -> StorageClass:
    return StorageClass.model_validate(storage.storage_class(name, **fields))


@pytest.mark.parametrize(
    ("of", "storage_class", "expected"),
    [
        pytest.param(claim(), made(), True, id="asked"),
        pytest.param(claim({}), made(), False, id="not-asked"),
        pytest.param(claim({"volume.kubernetes.io/storage-provisioner": "x"}), made(), False, id="another-is-asked"),
        pytest.param(claim(volumeName="v"), made(), False, id="has-one"),
        pytest.param(claim(going=True), made(), False, id="going"),
        pytest.param(claim(), made(volumeBindingMode="WaitForFirstConsumer"), False, id="no-consumer-yet"),
        pytest.param(claim({**ASKED, **SELECTED}), made(volumeBindingMode="WaitForFirstConsumer"), True, id="consumer"),
    ],
)
def test_is_asked(of: PersistentVolumeClaim, storage_class: StorageClass, expected: bool) -> None:
    assert is_asked(of, storage_class) is expected


@pytest.mark.parametrize(
    ("of", "storage_class", "words"),
    [
        pytest.param(claim(), made(), None, id="fine"),
        pytest.param(claim(accessModes=["ReadWriteOncePod"]), made(), None, id="one-pod"),
        pytest.param(claim(accessModes=["ReadWriteMany"]), made(),
                     "access mode ReadWriteMany cannot be had from a volume of kind directory, only ReadWriteOnce, "
                     "ReadWriteOncePod; a class with parameter kind: objects or shared gives it", id="many-writers"),
        pytest.param(claim(accessModes=["ReadWriteMany", "ReadOnlyMany"]), made(kind="shared"), None, id="shared"),
        pytest.param(claim(accessModes=["ReadWriteOncePod"]), made(kind="shared"),
                     "access mode ReadWriteOncePod cannot be had from a volume of kind shared", id="one-pod-on-a-share"),
        pytest.param(claim(accessModes=["ReadWriteMany"]), made(kind="objects"), None, id="objects"),
        pytest.param(claim(), made(kind="tape"),
                     'parameter kind "tape" does not exist: use one of directory, shared, objects', id="unknown-kind"),
        pytest.param(claim(), made(parameters={"type": "ssd"}), "parameter type does not exist", id="unknown-parameter"),
        pytest.param(claim(), made(mountOptions=["hard"]), "mount options are not supported", id="mount-options"),
        pytest.param(claim(volumeMode="Block"), made(), "no block devices", id="block"),
        pytest.param(claim(selector={"matchLabels": {"a": "b"}}), made(), "claim Selector is not supported",
                     id="selector"),
        pytest.param(claim(dataSource={"kind": "VolumeSnapshot", "name": "x"}), made(), "spec.dataSource is not",
                     id="snapshot"),
    ],
)  # fmt: skip
def test_refusals(of: PersistentVolumeClaim, storage_class: StorageClass, words: str | None) -> None:
    said = refusal(of, storage_class)
    assert (said is None) == (words is None)
    if said is not None and words is not None:
        assert words in said


def test_a_volume_is_made() -> None:
    before, volume, after = plan_provision(claim(storage="3Gi"), made(reclaimPolicy="Retain")).actions
    assert isinstance(before, Note)
    assert isinstance(after, Note)
    assert (before.reason, after.reason) == ("Provisioning", "ProvisioningSucceeded")
    assert isinstance(volume, Create)
    spec = volume.obj.model_dump(by_alias=True, exclude_none=True)["spec"]
    assert (spec["capacity"], spec["persistentVolumeReclaimPolicy"]) == ({"storage": "3Gi"}, "Retain")
    assert volume.obj.metadata.finalizers == [PROTECTED, OWN]


@pytest.mark.parametrize("storage_class", [None, made(kind="tape")])
def test_what_cannot_be_made_is_told(storage_class: StorageClass | None) -> None:
    (told,) = plan_provision(claim(), storage_class).actions
    assert isinstance(told, Note)
    assert (told.type, told.reason) == ("Warning", "ProvisioningFailed")


def test_allowed_topologies_bind_the_volume_to_nodes() -> None:
    topologies = [{"matchLabelExpressions": [{"key": "zone", "values": ["a", "b"]}]}]
    volume = volume_for(claim(), made(allowedTopologies=topologies))
    expressions = [{"key": "zone", "operator": "In", "values": ["a", "b"]}]
    assert volume.spec.node_affinity == {"required": {"nodeSelectorTerms": [{"matchExpressions": expressions}]}}


def volume(name: str = "v", policy: str = "Delete", finalizers: Any = (OWN,), going: bool = True,
           csi: Any = OURS) -> PersistentVolume:  # fmt: skip
    data = storage.volume(name, persistentVolumeReclaimPolicy=policy, csi=csi)
    data["metadata"] |= {"uid": f"uid-{name}", "resourceVersion": "3", "finalizers": list(finalizers)}
    if going:
        data["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return PersistentVolume.model_validate(data)


@pytest.mark.parametrize(
    ("going", "others", "attached", "directory", "released"),
    [
        pytest.param(volume(), [], [], "v", True, id="delete"),
        pytest.param(volume(policy="Retain"), [], [], None, True, id="retain"),
        pytest.param(volume(going=False), [], [], None, False, id="not-going"),
        pytest.param(volume(finalizers=[PROTECTED, OWN]), [], [], None, False, id="bound"),
        pytest.param(volume(), [], ["node-1"], None, False, id="attached"),
        pytest.param(volume(finalizers=[]), [], [], None, False, id="not-kept-by-us"),
        pytest.param(volume(), [volume("w", going=False)], [], None, True, id="another-volume-of-the-same-data"),
        pytest.param(volume(csi={**OURS, "volumeHandle": "../x"}), [], [], None, True, id="out-of-the-directory"),
    ],
)
def test_farewell(
    going: PersistentVolume, others: list[Any], attached: list[str], directory: str | None, released: bool
) -> None:  # fmt: skip
    farewell = plan_farewell(going, [going, *others], attached)
    assert farewell.directory == directory
    patches = [a.patch["metadata"]["finalizers"] for a in farewell.plan.actions if isinstance(a, Patch)]
    assert patches == ([None] if released else [])
