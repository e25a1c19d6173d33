"""What is refused of volumes, claims and classes, by field."""

from typing import Any

import pytest

from mesh.api.validation_storage import (
    claim_causes,
    claim_update_causes,
    class_causes,
    class_update_causes,
    volume_causes,
    volume_update_causes,
)

HERE = {"required": {"nodeSelectorTerms": [{"matchExpressions": []}]}}


def claim(**more: Any) -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "volumeMode": "Filesystem"}
    return {name: value for name, value in {**spec, **more}.items() if value is not None}


def volume(**more: Any) -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/data"}}
    return {name: value for name, value in {**spec, **more}.items() if value is not None}


def asks(amount: Any) -> dict[str, Any]:
    return {"requests": {"storage": amount}}


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param(claim(), [], id="good"),
        pytest.param(claim(storageClassName=""), [], id="no-class-at-all"),
        pytest.param(claim(accessModes=None), ["spec.accessModes"], id="no-modes"),
        pytest.param(claim(accessModes=["ReadWrite"]), ["spec.accessModes"], id="unknown-mode"),
        pytest.param(claim(accessModes=["ReadWriteOncePod"]), [], id="one-pod"),
        pytest.param(claim(accessModes=["ReadWriteOncePod", "ReadOnlyMany"]), ["spec.accessModes"], id="one-pod-and"),
        pytest.param(claim(resources=None), ["spec.resources[storage]"], id="no-amount"),
        pytest.param(claim(resources={"requests": {"cpu": "1"}}), ["spec.resources[storage]"], id="other-amount"),
        pytest.param(claim(resources=asks("0")), ["spec.resources[storage]"], id="nothing"),
        pytest.param(claim(resources=asks("-1Gi")), ["spec.resources[storage]"], id="less-than-nothing"),
        pytest.param(claim(resources=asks("much")), ["spec.resources[storage]"], id="no-quantity"),
        pytest.param(claim(volumeMode="Block"), ["spec.volumeMode"], id="block"),
        pytest.param(claim(storageClassName="My_Class"), ["spec.storageClassName"], id="class-name"),
        pytest.param(claim(volumeName="../x"), ["spec.volumeName"], id="volume-name"),
        pytest.param(
            claim(selector={"matchExpressions": [{"key": "a", "operator": "Near"}]}),
            ["spec.selector.matchExpressions[0].operator"],
            id="selector",
        ),
    ],
)
def test_claim(spec: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in claim_causes({"spec": spec})] == fields


@pytest.mark.parametrize(
    ("before", "after", "phase", "fields"),
    [
        pytest.param(claim(), claim(), "Bound", [], id="same"),
        pytest.param(claim(), claim(volumeName="pv"), "Pending", [], id="given-a-volume"),
        pytest.param(claim(volumeName="pv"), claim(volumeName="other"), "Bound", ["spec"], id="another-volume"),
        pytest.param(claim(), claim(storageClassName="standard"), "Pending", [], id="given-a-class"),
        pytest.param(claim(storageClassName=""), claim(storageClassName="a"), "Pending", ["spec"], id="no-class-stays"),
        pytest.param(claim(), claim(accessModes=["ReadOnlyMany"]), "Pending", ["spec"], id="other-modes"),
        pytest.param(claim(), claim(resources=asks("2Gi")), "Bound", [], id="grows"),
        pytest.param(claim(), claim(resources=asks("2Gi")), "Pending", ["spec"], id="grows-before-it-is-bound"),
        pytest.param(claim(), claim(resources=asks("1Mi")), "Bound", ["spec.resources.requests.storage"], id="shrinks"),
    ],
)
def test_claim_update(before: dict[str, Any], after: dict[str, Any], phase: str, fields: list[str]) -> None:
    old = {"spec": before, "status": {"phase": phase, "capacity": {"storage": "1Gi"}}}
    assert [cause.field for cause in claim_update_causes({"spec": after}, old)] == fields


def test_a_growth_that_failed_can_be_taken_back() -> None:
    old = {"spec": claim(resources=asks("9Gi")), "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}
    assert claim_update_causes({"spec": claim(resources=asks("2Gi"))}, old) == []


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param(volume(), [], id="good"),
        pytest.param(volume(hostPath=None), ["spec"], id="no-source"),
        pytest.param(volume(nfs={"server": "a", "path": "/b"}), ["spec.nfs"], id="two-sources"),
        pytest.param(volume(hostPath={}), ["spec.hostPath.path"], id="no-path"),
        pytest.param(volume(hostPath={"path": "/a/../../etc"}), ["spec.hostPath.path"], id="path-upwards"),
        pytest.param(volume(hostPath={"path": "data"}), ["spec.hostPath.path"], id="relative-path"),
        pytest.param(volume(hostPath=None, local={"path": "/d"}), ["spec.nodeAffinity"], id="local-nowhere"),
        pytest.param(volume(hostPath=None, local={"path": "/d"}, nodeAffinity=HERE), [], id="local"),
        pytest.param(volume(hostPath=None, csi={"driver": "d"}), ["spec.csi.volumeHandle"], id="csi-without-handle"),
        pytest.param(volume(capacity=None), ["spec.capacity"], id="no-capacity"),
        pytest.param(volume(capacity={"cpu": "1"}), ["spec.capacity"], id="other-capacity"),
        pytest.param(volume(capacity={"storage": "0"}), ["spec.capacity[storage]"], id="empty"),
        pytest.param(volume(accessModes=[]), ["spec.accessModes"], id="no-modes"),
        pytest.param(
            volume(persistentVolumeReclaimPolicy="Recycle"), ["spec.persistentVolumeReclaimPolicy"], id="recycle"
        ),
        pytest.param(volume(nodeAffinity={}), ["spec.nodeAffinity.required"], id="affinity-to-nothing"),
        pytest.param(
            volume(nodeAffinity={"required": {"nodeSelectorTerms": []}}),
            ["spec.nodeAffinity.required.nodeSelectorTerms"],
            id="affinity-without-terms",
        ),
    ],
)
def test_volume(spec: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in volume_causes({"spec": spec})] == fields


@pytest.mark.parametrize(
    ("after", "fields"),
    [
        pytest.param(volume(claimRef={"name": "c"}), [], id="given-to-a-claim"),
        pytest.param(volume(capacity={"storage": "2Gi"}), [], id="grows"),
        pytest.param(volume(nodeAffinity=HERE), [], id="affinity-filled-in"),
        pytest.param(volume(hostPath={"path": "/other"}), ["spec.persistentvolumesource"], id="elsewhere"),
        pytest.param(volume(volumeMode="Block"), ["spec.volumeMode"], id="other-form"),
    ],
)
def test_volume_update(after: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in volume_update_causes({"spec": after}, {"spec": volume()})] == fields


@pytest.mark.parametrize(
    ("cls", "fields"),
    [
        pytest.param({"provisioner": "example.com/disk"}, [], id="good"),
        pytest.param({}, ["provisioner"], id="no-provisioner"),
        pytest.param({"provisioner": "a b"}, ["provisioner"], id="provisioner"),
        pytest.param({"provisioner": "p", "reclaimPolicy": "Recycle"}, ["reclaimPolicy"], id="policy"),
        pytest.param({"provisioner": "p", "volumeBindingMode": "Never"}, ["volumeBindingMode"], id="binding"),
    ],
)
def test_class(cls: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in class_causes(cls)] == fields


def test_what_a_class_does_is_fixed() -> None:
    old = {"provisioner": "a", "parameters": {"k": "v"}, "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"}
    new = {"provisioner": "b", "reclaimPolicy": "Retain", "volumeBindingMode": "WaitForFirstConsumer"}
    found = [cause.field for cause in class_update_causes(new, old)]
    assert found == ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"]
    assert class_update_causes({**old, "allowVolumeExpansion": True}, old) == []
