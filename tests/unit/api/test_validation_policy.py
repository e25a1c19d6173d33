"""Every rule of budgets and autoscalers has a case that breaks it."""

from typing import Any

import pytest

from mesh.api.validation_policy import autoscaler_causes, budget_causes


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param({"minAvailable": 1, "selector": {}}, [], id="good"),
        pytest.param({"minAvailable": 1, "maxUnavailable": 1}, ["spec"], id="both"),
        pytest.param({"minAvailable": "half"}, ["spec.minAvailable"], id="not-a-share"),
        pytest.param({"maxUnavailable": -1}, ["spec.maxUnavailable"], id="negative"),
        pytest.param({"unhealthyPodEvictionPolicy": "x"}, ["spec.unhealthyPodEvictionPolicy"], id="policy"),
        pytest.param(
            {"selector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}},
            ["spec.selector.matchExpressions[0].operator"], id="selector",
        ),
    ],
)  # fmt: skip
def test_budget(spec: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in budget_causes({"spec": spec})] == fields


TARGET = {"kind": "Deployment", "name": "web"}


def pods(value: Any = "10", name: str = "requests_per_second", kind: str = "AverageValue") -> dict[str, Any]:
    return {"type": "Pods", "pods": {"metric": {"name": name}, "target": {"type": kind, "averageValue": value}}}


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param({"metrics": [pods()]}, [], id="good"),
        pytest.param({"scaleTargetRef": {}}, ["spec.scaleTargetRef.kind", "spec.scaleTargetRef.name"], id="target"),
        pytest.param({"maxReplicas": 0}, ["spec.maxReplicas", "spec.maxReplicas"], id="most"),
        pytest.param({"minReplicas": 0}, ["spec.minReplicas"], id="least"),
        pytest.param({"minReplicas": 9}, ["spec.maxReplicas"], id="crossed"),
        pytest.param({"metrics": [{"type": "Mood"}]}, ["spec.metrics[0].type"], id="metric-type"),
        pytest.param({"metrics": [{"type": "Pods"}]}, ["spec.metrics[0].pods"], id="metric-source"),
        pytest.param({"metrics": [pods(name="")]}, ["spec.metrics[0].pods.metric.name"], id="metric-name"),
        pytest.param({"metrics": [pods(kind="Value")]}, ["spec.metrics[0].pods.target.type"], id="target-type"),
        pytest.param({"metrics": [pods(value="0")]}, ["spec.metrics[0].pods.target.averageValue"], id="zero"),
        pytest.param({"metrics": [pods(value=None)]}, ["spec.metrics[0].pods.target.averageValue"], id="no-value"),
        pytest.param(
            {"behavior": {"scaleUp": {"stabilizationWindowSeconds": 9999, "selectPolicy": "Some",
                                      "policies": [{"type": "Pods", "value": 0, "periodSeconds": 0}]}}},
            ["spec.behavior.scaleUp.stabilizationWindowSeconds", "spec.behavior.scaleUp.selectPolicy",
             "spec.behavior.scaleUp.policies[0].value", "spec.behavior.scaleUp.policies[0].periodSeconds"],
            id="behavior",
        ),
    ],
)  # fmt: skip
def test_autoscaler(spec: dict[str, Any], fields: list[str]) -> None:
    whole = {"scaleTargetRef": TARGET, "maxReplicas": 5, **spec}
    assert [cause.field for cause in autoscaler_causes({"spec": whole})] == fields
