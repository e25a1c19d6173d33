"""Where a pod may not want to be."""

from typing import Any

import pytest

from mesh.api.validation_scheduling import scheduling_causes

MUST = "requiredDuringSchedulingIgnoredDuringExecution"
NODE = f"s.affinity.nodeAffinity.{MUST}.nodeSelectorTerms"


def node(*requirements: dict[str, Any]) -> dict[str, Any]:
    return {"affinity": {"nodeAffinity": {MUST: {"nodeSelectorTerms": [{"matchExpressions": list(requirements)}]}}}}


def by_pods(**term: Any) -> dict[str, Any]:
    return {"affinity": {"podAntiAffinity": {MUST: [{"topologyKey": "zone", **term}]}}}


def spread(**constraint: Any) -> dict[str, Any]:
    return {"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", **constraint}]}


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param(node({"key": "a", "operator": "In", "values": ["b"]}), [], id="node"),
        pytest.param(
            node({"key": "a", "operator": "Near"}), [f"{NODE}[0].matchExpressions[0].operator"], id="operator"
        ),
        pytest.param(
            node({"key": "a", "operator": "In"}), [f"{NODE}[0].matchExpressions[0].values"], id="in-needs-values"
        ),
        pytest.param(
            node({"key": "a", "operator": "Exists", "values": ["b"]}),
            [f"{NODE}[0].matchExpressions[0].values"],
            id="exists-has-none",
        ),
        pytest.param(
            node({"key": "a", "operator": "Gt", "values": ["1", "2"]}),
            [f"{NODE}[0].matchExpressions[0].values"],
            id="gt-has-one",
        ),
        pytest.param({"affinity": {"nodeAffinity": {MUST: {"nodeSelectorTerms": []}}}}, [NODE], id="no-terms"),
        pytest.param(by_pods(), [], id="pods"),
        pytest.param(
            by_pods(topologyKey=""), [f"s.affinity.podAntiAffinity.{MUST}[0].topologyKey"], id="no-topology-key"
        ),
        pytest.param(
            by_pods(labelSelector={"matchLabels": {"a": "b c"}}),
            [f"s.affinity.podAntiAffinity.{MUST}[0].labelSelector.matchLabels.a"],
            id="selector",
        ),
        pytest.param(spread(whenUnsatisfiable="ScheduleAnyway"), [], id="spread"),
        pytest.param(
            spread(maxSkew=0, whenUnsatisfiable="Panic"),
            ["s.topologySpreadConstraints[0].maxSkew", "s.topologySpreadConstraints[0].whenUnsatisfiable"],
            id="spread-wrong",
        ),
        pytest.param({"affinity": 5, "topologySpreadConstraints": "x"}, [], id="wrong-shapes"),
    ],
)
def test_scheduling(spec: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in scheduling_causes(spec, "s")] == fields
