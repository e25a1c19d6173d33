"""What does a claim get, and what is said while it gets nothing?"""

from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from mesh.controllers.actions import Note, Patch, Plan
from mesh.controllers.claims_plan import Observed, default_class, plan_claim
from tests.unit.controllers import storage

BOUND = {"pv.kubernetes.io/bind-completed": "yes"}


def claim(phase: str = "Pending", uid: str = "u1", notes: dict[str, str] | None = None, **spec: Any) -> Any:
    data = storage.claim(**spec)
    data["metadata"] |= {
        "namespace": "default", "uid": uid, "resourceVersion": "5", "annotations": notes or {},
        "finalizers": ["kubernetes.io/pvc-protection"],
    }  # fmt: skip
    data["status"] = {"phase": phase}
    return PersistentVolumeClaim.model_validate(data)


def volume(name: str = "v", phase: str = "Available", ref: dict[str, str] | None = None, **spec: Any) -> Any:
    data = storage.volume(name, **spec)
    data["metadata"] |= {"resourceVersion": "7", "uid": f"uid-{name}"}
    data["status"] = {"phase": phase}
    if ref is not None:
        data["spec"]["claimRef"] = {"namespace": "default", "name": "data", **ref}
    return PersistentVolume.model_validate(data)


def made(name: str, **fields: Any) -> StorageClass:
    return StorageClass.model_validate(storage.storage_class(name, **fields))


def pod(**fields: Any) -> Pod:
    data = storage.with_claim("p")
    data["spec"] |= {"nodeName": fields.pop("node", "node-1")}
    data["status"] = {"phase": fields.pop("phase", "Running")}
    return Pod.model_validate(data)


def bound_name(plan: Plan) -> str | None:
    """The volume that the plan gives to the claim."""
    for action in plan.actions:
        if isinstance(action, Patch) and action.cls is PersistentVolume and "claimRef" in action.patch.get("spec", {}):
            return action.key[1]
    return None


def said(plan: Plan) -> list[tuple[str, str, str]]:
    return [(a.type, a.reason, a.message) for a in plan.actions if isinstance(a, Note)]


BIG, SMALL = volume("big", storage="5Gi"), volume("small", storage="2Gi")


@pytest.mark.parametrize(
    ("asked", "volumes", "expected"),
    [
        pytest.param({}, [BIG, SMALL], "small", id="smallest-that-fits"),
        pytest.param({"storage": "3Gi"}, [BIG, SMALL], "big", id="large-enough"),
        pytest.param({"storage": "9Gi"}, [BIG, SMALL], None, id="none-large-enough"),
        pytest.param({}, [BIG, volume("mine", storage="9Gi", ref={})], "mine", id="reserved-by-name-first"),
        pytest.param({}, [volume("mine", storage="9Gi", ref={"uid": "u1"})], None, id="reserved-by-uid-needs-no-write"),
        pytest.param({}, [volume("v", ref={"uid": "another"})], None, id="of-a-former-claim-of-that-name"),
        pytest.param({}, [volume("v", ref={"name": "other"})], None, id="reserved-for-another"),
        pytest.param({"storageClassName": ""}, [volume("v", storageClassName="fast")], None, id="another-class"),
        pytest.param({"storageClassName": "fast"}, [SMALL, volume("v", storageClassName="fast")], "v", id="same-class"),
        pytest.param({"accessModes": ["ReadWriteMany"]}, [SMALL], None, id="a-mode-that-is-not-given"),
        pytest.param({}, [volume("v", accessModes=["ReadWriteOnce", "ReadOnlyMany"])], "v", id="more-modes-are-fine"),
        pytest.param({"accessModes": ["ReadWriteOnce", "ReadOnlyMany"]}, [SMALL], None, id="all-modes-are-needed"),
        pytest.param({"selector": {"matchLabels": {"disk": "ssd"}}}, [SMALL, volume("v", labels={"disk": "ssd"})], "v",
                     id="selector"),
        pytest.param({"selector": {"matchLabels": {"disk": "ssd"}}}, [SMALL], None, id="selector-that-selects-nothing"),
        pytest.param({}, [volume("v", phase="Released")], None, id="released"),
        pytest.param({}, [volume("v", phase="Failed")], None, id="failed"),
        pytest.param({"volumeMode": "Block"}, [SMALL], None, id="another-volume-mode"),
        pytest.param({"volumeName": "big"}, [BIG, SMALL], "big", id="named"),
        pytest.param({"volumeName": "big", "storage": "9Gi"}, [BIG], None, id="named-too-small"),
    ],
)  # fmt: skip
def test_which_volume(asked: dict[str, Any], volumes: list[Any], expected: str | None) -> None:
    assert bound_name(plan_claim(Observed(claim=claim(**asked), volumes=volumes))) == expected


LATE = made("late", volumeBindingMode="WaitForFirstConsumer")
SELECTED = {"volume.kubernetes.io/selected-node": "node-1"}
NO_CLASS = "no persistent volumes available for this claim and no storage class is set"
HAND_MADE = "no persistent volumes available for this claim, and its class has hand-made volumes only"
OTHER_CLASS = 'Cannot bind to requested volume "v": storageClassName does not match'


@pytest.mark.parametrize(
    ("asked", "seen", "expected"),
    [
        pytest.param(claim(), {}, [("Normal", "FailedBinding", NO_CLASS)], id="no-class"),
        pytest.param(claim(storageClassName=""), {"classes": [made("s", default=True)]},
                     [("Normal", "FailedBinding", NO_CLASS)], id="no-class-on-purpose"),
        pytest.param(claim(storageClassName="x"), {},
                     [("Warning", "ProvisioningFailed", 'storageclass.storage.k8s.io "x" not found')],
                     id="unknown-class"),
        pytest.param(claim(storageClassName="local"),
                     {"classes": [made("local", provisioner="kubernetes.io/no-provisioner")]},
                     [("Warning", "ProvisioningFailed", HAND_MADE)], id="hand-made-only"),
        pytest.param(claim(storageClassName="gp2"),
                     {"classes": [made("gp2", provisioner="kubernetes.io/aws-ebs")]},
                     [("Warning", "ProvisioningFailed", "no volume plugin matched name: kubernetes.io/aws-ebs")],
                     id="in-tree-plugin"),
        pytest.param(claim(storageClassName="late"), {"classes": [LATE]},
                     [("Normal", "WaitForFirstConsumer", "waiting for first consumer to be created before binding")],
                     id="late"),
        pytest.param(claim(storageClassName="late"), {"classes": [LATE], "pods": [pod(node=None)]},
                     [("Normal", "WaitForPodScheduled", "waiting for pod p to be scheduled")], id="late-with-a-pod"),
        pytest.param(claim(volumeName="v"), {},
                     [("Warning", "FailedBinding", 'persistentvolume "v" not found')], id="named-volume-missing"),
        pytest.param(claim(volumeName="v"), {"volumes": [volume("v", ref={"name": "other", "uid": "x"})]},
                     [("Warning", "FailedBinding", 'volume "v" already bound to a different claim.')],
                     id="named-volume-taken"),
        pytest.param(claim(volumeName="v", storage="9Gi"), {"volumes": [volume("v")]},
                     [("Warning", "VolumeMismatch", 'Cannot bind to requested volume "v": requested PV is too small')],
                     id="named-volume-too-small"),
        pytest.param(claim(volumeName="v", accessModes=["ReadWriteMany"]), {"volumes": [volume("v")]},
                     [("Warning", "VolumeMismatch", 'Cannot bind to requested volume "v": incompatible accessMode')],
                     id="named-volume-other-modes"),
        pytest.param(claim(volumeName="v", storageClassName="x"), {"volumes": [volume("v")]},
                     [("Warning", "VolumeMismatch", OTHER_CLASS)], id="named-volume-other-class"),
    ],
)  # fmt: skip
def test_what_is_said(asked: Any, seen: dict[str, Any], expected: list[tuple[str, str, str]]) -> None:
    plan = plan_claim(Observed(claim=asked, **seen))
    assert said(plan) == expected
    assert bound_name(plan) is None


@pytest.mark.parametrize(
    ("asked", "storage_class", "foreign"),
    [
        pytest.param(claim(storageClassName="s"), made("s"), False, id="named"),
        pytest.param(claim(), made("s", default=True), False, id="default"),
        pytest.param(claim(storageClassName="late", notes=SELECTED), LATE, False, id="late-and-selected"),
        pytest.param(claim(storageClassName="ebs"), made("ebs", provisioner="ebs.csi.aws.com"), True, id="foreign"),
    ],
)
def test_a_provisioner_is_asked(asked: Any, storage_class: StorageClass, foreign: bool) -> None:
    plan = plan_claim(Observed(claim=asked, classes=[storage_class]))
    maker = storage_class.provisioner
    patches = [a.patch for a in plan.actions if isinstance(a, Patch)]
    assert {
        "volume.kubernetes.io/storage-provisioner": maker, "volume.beta.kubernetes.io/storage-provisioner": maker,
    } in [patch["metadata"].get("annotations") for patch in patches]  # fmt: skip
    if asked.spec.storage_class_name is None:
        assert {"storageClassName": "s"} in [patch.get("spec") for patch in patches]
    (first, *rest) = said(plan)
    assert first[1] == "ExternalProvisioning"
    assert [(kind, reason) for kind, reason, _ in rest] == ([("Warning", "ProvisioningFailed")] if foreign else [])


def test_a_claim_that_waits_for_its_first_consumer_takes_only_what_is_reserved() -> None:
    free, reserved = volume("free", storageClassName="late"), volume("kept", storageClassName="late", ref={})
    late = claim(storageClassName="late")
    assert bound_name(plan_claim(Observed(claim=late, volumes=[free], classes=[LATE]))) is None
    assert bound_name(plan_claim(Observed(claim=late, volumes=[free, reserved], classes=[LATE]))) == "kept"


def test_binding_is_four_writes() -> None:
    plan = plan_claim(Observed(claim=claim(), volumes=[volume("v")]))
    taken, phase, named, status = plan.actions
    assert isinstance(taken, Patch)
    assert taken.patch["metadata"] == {
        "annotations": {"pv.kubernetes.io/bound-by-controller": "yes"}, "resourceVersion": "7",
    }  # fmt: skip
    assert taken.patch["spec"]["claimRef"]["uid"] == "u1"
    assert isinstance(phase, Patch)
    assert (phase.subresource, phase.patch) == ("status", {"status": {"phase": "Bound"}})
    assert isinstance(named, Patch)
    assert named.patch == {
        "metadata": {
            "annotations": {**BOUND, "pv.kubernetes.io/bound-by-controller": "yes"},
            "uid": "u1",
        },
        "spec": {"volumeName": "v"},
    }
    assert isinstance(status, Patch)
    assert status.patch["status"] == {
        "phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"},
    }  # fmt: skip


def test_what_somebody_reserved_is_not_marked_as_chosen() -> None:
    plan = plan_claim(Observed(claim=claim(volumeName="v"), volumes=[volume("v", ref={})]))
    patches = [a.patch for a in plan.actions if isinstance(a, Patch)]
    assert all("pv.kubernetes.io/bound-by-controller" not in (p.get("metadata", {}).get("annotations") or {})
               for p in patches)  # fmt: skip


@pytest.mark.parametrize(
    ("volumes", "phase", "reason"),
    [
        pytest.param([volume("v", phase="Bound", ref={"uid": "u1"})], None, None, id="all-is-well"),
        pytest.param([], "Lost", "ClaimLost", id="volume-gone"),
        pytest.param([volume("v", ref={"uid": "x", "name": "other"})], "Lost", "ClaimMisbound", id="somebody-elses"),
    ],
)
def test_a_bound_claim(volumes: list[Any], phase: str | None, reason: str | None) -> None:
    bound = claim("Bound", notes=BOUND, volumeName="v")
    bound.status.capacity, bound.status.access_modes = {"storage": "1Gi"}, ["ReadWriteOnce"]
    plan = plan_claim(Observed(claim=bound, volumes=volumes))
    assert [r for _, r, _ in said(plan)] == ([reason] if reason else [])
    statuses = [a.patch["status"]["phase"] for a in plan.actions if isinstance(a, Patch)]
    assert statuses == ([phase] if phase else [])


@pytest.mark.parametrize(
    ("pods", "released"),
    [
        pytest.param([], True, id="unused"),
        pytest.param([pod()], False, id="in-use"),
        pytest.param([pod(phase="Succeeded")], True, id="its-pod-has-ended"),
        pytest.param([pod(node=None)], True, id="its-pod-has-no-node"),
        pytest.param([pod(phase="Failed"), pod()], False, id="one-of-two"),
    ],
)
def test_a_claim_that_is_going(pods: list[Pod], released: bool) -> None:
    going = claim("Bound", notes=BOUND, volumeName="v")
    going.metadata.deletion_timestamp = "2026-01-01T00:00:00Z"
    plan = plan_claim(Observed(claim=going, pods=pods))
    freed = [a.patch["metadata"]["finalizers"] for a in plan.actions if isinstance(a, Patch)]
    assert freed == ([None] if released else [])


def test_a_claim_is_protected_first() -> None:
    bare = claim()
    bare.metadata.finalizers = None
    (action,) = plan_claim(Observed(claim=bare, volumes=[volume("v")])).actions
    assert isinstance(action, Patch)
    assert action.patch["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]


def test_of_several_default_classes_the_newest_counts() -> None:
    old, new, other = made("old", default=True), made("new", default=True), made("other")
    old.metadata.creation_timestamp, new.metadata.creation_timestamp = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    assert default_class([new, old, other]) is new
    assert default_class([other]) is None
