"""What is filled in for volumes, claims, classes, jobs and daemon sets."""

from typing import Any

import pytest

from mesh.api import defaults, scheme

TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}


def filled(api_version: str, kind: str, obj: dict[str, Any]) -> dict[str, Any]:
    row = scheme.BY_GVK[(api_version, kind)]
    whole = {"metadata": {"name": "x", "uid": "u-1"}, **obj}
    defaults.apply(row, whole, api_version)
    return whole


def test_volume_claim_and_class() -> None:
    volume = filled("v1", "PersistentVolume", {"spec": {"hostPath": {"path": "/d"}, "claimRef": {"name": "c"}}})["spec"]
    assert (volume["persistentVolumeReclaimPolicy"], volume["volumeMode"]) == ("Retain", "Filesystem")
    assert volume["hostPath"] == {"path": "/d", "type": ""}
    assert volume["claimRef"]["kind"] == "PersistentVolumeClaim"
    claim = filled("v1", "PersistentVolumeClaim", {"spec": {"resources": {"limits": {"storage": "1Gi"}}}})["spec"]
    assert claim["resources"]["requests"] == {"storage": "1Gi"}
    assert claim["volumeMode"] == "Filesystem"
    assert "storageClassName" not in claim
    cls = filled("storage.k8s.io/v1", "StorageClass", {})
    assert (cls["reclaimPolicy"], cls["volumeBindingMode"]) == ("Delete", "Immediate")


@pytest.mark.parametrize(
    ("given", "completions", "parallelism"),
    [
        pytest.param({}, 1, 1, id="one"),
        pytest.param({"completions": 5}, 5, 1, id="one-by-one"),
        pytest.param({"parallelism": 3}, None, 3, id="work-queue"),
    ],
)
def test_job(given: dict[str, Any], completions: int | None, parallelism: int) -> None:
    spec = filled("batch/v1", "Job", {"spec": {**given, "template": {"spec": {}}}})["spec"]
    assert (spec.get("completions"), spec["parallelism"]) == (completions, parallelism)
    assert (spec["backoffLimit"], spec["completionMode"], spec["suspend"]) == (6, "NonIndexed", False)
    assert spec["podReplacementPolicy"] == "TerminatingOrFailed"


def test_a_job_knows_its_pods_by_its_uid() -> None:
    spec = filled("batch/v1", "Job", {"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}})["spec"]
    assert spec["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}}
    assert spec["template"]["metadata"]["labels"] == {
        "a": "b", "controller-uid": "u-1", "job-name": "x",
        "batch.kubernetes.io/controller-uid": "u-1", "batch.kubernetes.io/job-name": "x",
    }  # fmt: skip
    own = {"manualSelector": True, "selector": {"matchLabels": {"a": "b"}}, "template": {}}
    assert filled("batch/v1", "Job", {"spec": own})["spec"]["selector"] == {"matchLabels": {"a": "b"}}


def test_daemon_set_of_today_and_of_old() -> None:
    new = filled("apps/v1", "DaemonSet", {"spec": {"template": TEMPLATE}})["spec"]
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
    assert (new["updateStrategy"], new["revisionHistoryLimit"]) == (rolling, 10)
    assert "selector" not in new
    old = filled("extensions/v1beta1", "DaemonSet", {"spec": {"template": TEMPLATE}})["spec"]
    assert old["updateStrategy"] == {"type": "OnDelete"}
    assert old["selector"] == {"matchLabels": {"app": "x"}}
