"""What `kubectl get` prints of volumes, claims, classes, jobs and daemon sets."""

from typing import Any

import pytest

from mesh.api.scheme import BY_GVK
from mesh.apiserver.table import table
from mesh.runtime.clock import parse_rfc3339

MADE = "2026-01-01T00:00:00Z"
NOW = parse_rfc3339("2026-01-01T00:01:00Z")
META = {"name": "x", "namespace": "default", "creationTimestamp": MADE}
TRUE = {"status": "True"}
POD = {"containers": [{"name": "c", "image": "i"}], "nodeSelector": {"disk": "ssd"}}
WORK = {"selector": {"matchLabels": {"app": "x"}}, "template": {"spec": POD}}


def job(status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"spec": {**WORK, **spec}, "status": status}


@pytest.mark.parametrize(
    ("version", "kind", "obj", "expected"),
    [
        pytest.param(
            "v1", "PersistentVolume",
            {
                "spec": {
                    "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
                    "persistentVolumeReclaimPolicy": "Delete", "claimRef": {"namespace": "a", "name": "b"},
                    "storageClassName": "standard", "volumeMode": "Filesystem",
                },
                "status": {"phase": "Bound"},
            },
            ["x", "1Gi", "RWO,RWX", "Delete", "Bound", "a/b", "standard", "<unset>", "", "60s", "Filesystem"],
            id="volume",
        ),
        pytest.param(
            "v1", "PersistentVolumeClaim",
            {"spec": {"accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem"}, "status": {"phase": "Pending"}},
            ["x", "Pending", "", "", "", "", "<unset>", "60s", "Filesystem"],
            id="claim-that-waits",
        ),
        pytest.param(
            "v1", "PersistentVolumeClaim",
            {
                "spec": {"volumeName": "pv", "storageClassName": "standard"},
                "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOncePod"]},
            },
            ["x", "Bound", "pv", "1Gi", "RWOP", "standard", "<unset>", "60s", "<unset>"],
            id="claim",
        ),
        pytest.param(
            "storage.k8s.io/v1", "StorageClass",
            {
                "metadata": {**META, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
                "provisioner": "p", "reclaimPolicy": "Retain", "volumeBindingMode": "Immediate",
            },
            ["x (default)", "p", "Retain", "Immediate", False, "60s"],
            id="class",
        ),
        pytest.param(
            "batch/v1", "Job",
            job({"succeeded": 1, "startTime": MADE, "conditions": []}, completions=3),
            ["x", "Running", "1/3", "60s", "60s", "c", "i", "app=x"],
            id="job-that-runs",
        ),
        pytest.param(
            "batch/v1", "Job",
            job(
                {"succeeded": 3, "startTime": MADE, "completionTime": "2026-01-01T00:00:07Z",
                 "conditions": [{"type": "SuccessCriteriaMet", **TRUE}, {"type": "Complete", **TRUE}]},
                completions=3,
            ),
            ["x", "Complete", "3/3", "7s", "60s", "c", "i", "app=x"],
            id="job-that-is-done",
        ),
        pytest.param(
            "batch/v1", "Job", job({"conditions": [{"type": "Suspended", **TRUE}]}, parallelism=4),
            ["x", "Suspended", "0/1 of 4", "", "60s", "c", "i", "app=x"],
            id="work-queue-that-rests",
        ),
        pytest.param(
            "apps/v1", "DaemonSet",
            {"spec": WORK, "status": {"desiredNumberScheduled": 3, "currentNumberScheduled": 2, "numberReady": 1}},
            ["x", 3, 2, 1, 0, 0, "disk=ssd", "60s", "c", "i", "app=x"],
            id="daemon-set",
        ),
        pytest.param(
            "networking.k8s.io/v1", "IngressClass",
            {"spec": {"controller": "a/b", "parameters": {"apiGroup": "g", "kind": "K", "name": "n"}}},
            ["x", "a/b", "K.g/n", "60s"],
            id="ingress-class",
        ),
        pytest.param(
            "networking.istio.io/v1", "DestinationRule", {"spec": {"host": "web"}}, ["x", "web", "60s"],
            id="destination-rule",
        ),
    ],
)  # fmt: skip
def test_row(version: str, kind: str, obj: dict[str, Any], expected: list[Any]) -> None:
    made = table(BY_GVK[(version, kind)], [{"metadata": META, **obj}], "1", "None", NOW)
    assert made["rows"][0]["cells"] == expected
    assert len(made["columnDefinitions"]) == len(expected)
