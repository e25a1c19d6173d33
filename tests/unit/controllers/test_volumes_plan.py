"""Which phase is a volume in, and what becomes of it?"""

from typing import Any

import pytest

from mesh.api.storage import PersistentVolume, PersistentVolumeClaim
from mesh.controllers.actions import Delete, Note, Patch
from mesh.controllers.volumes_plan import Observed, judge, plan_volume
from tests.unit.controllers import storage

OURS = {"driver": "loopmesh.io/directory", "volumeHandle": "v"}
FOREIGN = {"driver": "ebs.csi.aws.com", "volumeHandle": "v"}
BOTH = ["kubernetes.io/pv-protection", "external-provisioner.volume.kubernetes.io/finalizer"]


def volume(ref: str | None = None, policy: str = "Retain", going: bool = False, **fields: Any) -> PersistentVolume:
    """ref: uid of the claim that it names, "" for a name alone."""
    finalizers, notes = fields.pop("finalizers", BOTH[:1]), fields.pop("notes", {})
    phase, message = fields.pop("phase", "Available"), fields.pop("message", None)
    data = storage.volume("v", persistentVolumeReclaimPolicy=policy, **fields)
    data["metadata"] |= {"uid": "uv", "resourceVersion": "3", "finalizers": finalizers, "annotations": notes}
    if going:
        data["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    if ref is not None:
        data["spec"]["claimRef"] = {"namespace": "default", "name": "data", **({"uid": ref} if ref else {})}
    data["status"] = {"phase": phase, "message": message}
    return PersistentVolume.model_validate(data)


def claim(uid: str = "u1", volume_name: str = "v") -> PersistentVolumeClaim:
    data = storage.claim(volumeName=volume_name)
    data["metadata"] |= {"namespace": "default", "uid": uid}
    return PersistentVolumeClaim.model_validate(data)


@pytest.mark.parametrize(
    ("seen", "of", "phase"),
    [
        pytest.param(volume(), None, "Available", id="free"),
        pytest.param(volume(""), None, "Available", id="reserved"),
        pytest.param(volume(""), claim(volume_name=""), "Available", id="reserved-and-not-taken-yet"),
        pytest.param(volume("u1"), claim(), "Bound", id="bound"),
        pytest.param(volume("u1"), claim(volume_name=""), "Bound", id="half-bound"),
        pytest.param(volume("u1"), None, "Released", id="claim-gone"),
        pytest.param(volume("u1"), claim("u2"), "Released", id="another-claim-of-that-name"),
        pytest.param(volume("u1", "Delete", csi=OURS), None, "Released", id="to-be-deleted"),
        pytest.param(volume("u1", "Delete"), None, "Failed", id="nobody-can-delete-it"),
        pytest.param(volume("u1", "Delete", csi=FOREIGN), None, "Failed", id="nobody-here-can"),
        pytest.param(volume("u1", "Recycle"), None, "Failed", id="recycle"),
        pytest.param(volume(phase="Released"), None, "Available", id="given-free-by-hand"),
        pytest.param(volume(csi={**OURS, "volumeHandle": "../../etc"}), None, "Failed", id="leads-upwards"),
        pytest.param(volume(csi={**OURS, "volumeAttributes": {"kind": "tape"}}), None, "Failed", id="unknown-kind"),
    ],
)
def test_phase(seen: PersistentVolume, of: PersistentVolumeClaim | None, phase: str) -> None:
    assert judge(Observed(volume=seen, claim=of))[0] == phase


@pytest.mark.parametrize(
    ("seen", "of", "deleted"),
    [
        pytest.param(volume("u1", "Delete", csi=OURS, finalizers=BOTH), None, True, id="delete"),
        pytest.param(volume("u1", "Retain", csi=OURS, finalizers=BOTH), None, False, id="retain"),
        pytest.param(volume("u1", "Delete", csi=OURS, finalizers=BOTH), claim(), False, id="in-use"),
        pytest.param(volume("u1", "Delete", csi=FOREIGN), None, False, id="not-ours"),
        pytest.param(volume("u1", "Delete", csi=OURS, finalizers=BOTH,
                            notes={"pv.kubernetes.io/provisioned-by": "loopmesh.io/directory"}),
                     claim(volume_name="other"), True, id="made-for-a-claim-that-took-another"),
    ],
)  # fmt: skip
def test_reclaim(seen: PersistentVolume, of: PersistentVolumeClaim | None, deleted: bool) -> None:
    plan = plan_volume(Observed(volume=seen, claim=of))
    assert [a.uid for a in plan.actions if isinstance(a, Delete)] == (["uv"] if deleted else [])


@pytest.mark.parametrize(
    ("seen", "of", "left"),
    [
        pytest.param(volume(going=True), None, None, id="free"),
        pytest.param(volume("u1", going=True, phase="Bound"), claim(), BOTH[:1], id="bound"),
        pytest.param(volume("u1", going=True, finalizers=BOTH), None, BOTH[1:], id="its-data-goes-next"),
    ],
)
def test_a_volume_that_is_going(
    seen: PersistentVolume, of: PersistentVolumeClaim | None, left: list[str] | None
) -> None:  # fmt: skip
    patches = [a.patch for a in plan_volume(Observed(volume=seen, claim=of)).actions if isinstance(a, Patch)]
    assert (patches[0]["metadata"]["finalizers"] if patches else BOTH[:1]) == left


@pytest.mark.parametrize(
    ("seen", "wanted"),
    [
        pytest.param(volume(finalizers=[]), BOTH[:1], id="any"),
        pytest.param(volume(finalizers=BOTH[:1], csi=OURS), BOTH, id="ours"),
    ],
)
def test_finalizers_come_first(seen: PersistentVolume, wanted: list[str]) -> None:
    (action,) = plan_volume(Observed(volume=seen)).actions
    assert isinstance(action, Patch)
    assert action.patch["metadata"]["finalizers"] == wanted


@pytest.mark.parametrize(
    ("notes", "cleared"),
    [
        pytest.param({"pv.kubernetes.io/bound-by-controller": "yes"}, None, id="chosen-here"),
        pytest.param({}, {"uid": None, "resourceVersion": None}, id="reserved-by-hand"),
    ],
)
def test_what_the_claim_did_not_take_is_given_back(notes: dict[str, str], cleared: Any) -> None:
    seen = Observed(volume=volume("u1", notes=notes), claim=claim(volume_name="other"))
    (action,) = plan_volume(seen).actions
    assert isinstance(action, Patch)
    assert action.patch["spec"] == {"claimRef": cleared}


@pytest.mark.parametrize(
    ("policy", "reason", "words"),
    [
        pytest.param("Recycle", "VolumeFailedRecycle", "not carried out here", id="recycle"),
        pytest.param("Delete", "VolumeFailedDelete", 'for volume "v": no deletable volume plugin matched', id="delete"),
    ],
)
def test_a_failure_is_told_once(policy: str, reason: str, words: str) -> None:
    plan = plan_volume(Observed(volume=volume("u1", policy)))
    (told,) = [a for a in plan.actions if isinstance(a, Note)]
    assert (told.type, told.reason) == ("Warning", reason)
    assert words in told.message
    again = volume("u1", policy, phase="Failed", message=told.message)
    again.status.reason = reason
    assert plan_volume(Observed(volume=again)).actions == ()
