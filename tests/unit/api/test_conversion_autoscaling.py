"""An old client that writes back what it read loses nothing."""

from copy import deepcopy
from typing import Any

from mesh.api.conversion_autoscaling import to_v1, to_v2

CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}
PODS = {
    "type": "Pods",
    "pods": {"metric": {"name": "http_requests"}, "target": {"type": "AverageValue", "averageValue": "5"}},
}


def scaler(*metrics: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "a"}, "spec": {"maxReplicas": 3, "metrics": list(metrics), **spec}}


def test_cpu_is_a_percentage() -> None:
    old = scaler(CPU)
    to_v1(old)
    assert old == {"metadata": {"name": "a"}, "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 70}}
    to_v2(old)
    assert old == scaler(CPU)


def test_the_rest_travels_in_annotations() -> None:
    new = scaler(CPU, PODS, behavior={"scaleDown": {"selectPolicy": "Disabled"}})
    new["status"] = {"conditions": [{"type": "AbleToScale"}], "currentReplicas": 1}
    old = deepcopy(new)
    to_v1(old)
    assert set(old["spec"]) == {"maxReplicas", "targetCPUUtilizationPercentage"}
    assert old["status"] == {"currentReplicas": 1}
    to_v2(old)
    assert old == {**new, "status": {"currentReplicas": 1}}


def test_an_annotation_that_is_no_json_is_left_out() -> None:
    old = {"metadata": {"annotations": {"autoscaling.alpha.kubernetes.io/metrics": "{"}}, "spec": {}}
    to_v2(old)
    assert old == {"metadata": {}, "spec": {}}
