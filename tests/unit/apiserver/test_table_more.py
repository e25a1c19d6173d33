"""What `kubectl get` prints of configuration, budgets and autoscalers."""

from typing import Any

import pytest

from mesh.apiserver.table_more import at, autoscaler, budget, config_map, own_cells

META = {"name": "a", "creationTimestamp": "2027-01-15T08:00:00Z"}
WALL = 1_800_000_000.0


def resource(percent: int) -> dict[str, Any]:
    return {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": percent}}}


PODS = {"type": "Pods", "pods": {"metric": {"name": "r"}, "target": {"averageValue": "10"}}}
NOW = [{}, {"type": "Pods", "pods": {"current": {"averageValue": "2500m"}}}]


@pytest.mark.parametrize(
    ("metrics", "current", "shown"),
    [
        pytest.param([resource(80)], [], "cpu: <unknown>/80%", id="unknown"),
        pytest.param([resource(80), PODS], NOW, "cpu: <unknown>/80%, 2500m/10", id="two"),
        pytest.param([PODS, PODS, PODS], [], "<unknown>/10, <unknown>/10 + 1 more...", id="more"),
        pytest.param([], [], "<none>", id="none"),
    ],
)
def test_autoscaler(metrics: list[Any], current: list[Any], shown: str) -> None:
    target = {"kind": "Deployment", "name": "web"}
    obj = {"metadata": META, "spec": {"scaleTargetRef": target, "metrics": metrics, "minReplicas": 1, "maxReplicas": 3},
           "status": {"currentMetrics": current, "currentReplicas": 2}}  # fmt: skip
    assert autoscaler(obj, WALL)[:6] == ["a", "Deployment/web", shown, "1", 3, 2]


def test_counts() -> None:
    assert config_map({"metadata": META, "data": {"a": "1"}, "binaryData": {"b": ""}}, WALL)[:2] == ["a", 2]
    obj = {"metadata": META, "spec": {"minAvailable": "50%"}, "status": {"disruptionsAllowed": 1}}
    assert budget(obj, WALL)[:4] == ["a", "50%", "N/A", 1]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (".spec.a", 1),
        (".spec.b[1].c", 3),
        (".spec['a']", 1),
        (".spec.none.x", None),
        (".spec.b[9]", None),
        ("{x", None),
    ],
)
def test_at(path: str, value: Any) -> None:
    assert at({"spec": {"a": 1, "b": [2, {"c": 3}]}}, path) == value


def test_own_cells() -> None:
    columns = (("List", "string", ".spec.b", 0), ("Age", "date", ".metadata.creationTimestamp", 0))
    assert own_cells(columns, {"metadata": META, "spec": {"b": ["x"]}}, WALL) == ["a", '["x"]', "0s"]
