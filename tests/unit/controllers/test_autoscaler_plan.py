"""The arithmetic of autoscaling, in tables."""

from typing import Any

import pytest

from mesh.controllers.autoscaler_plan import History, PodRate, limit, recommend, stabilize, step_limit
from mesh.controllers.autoscaler_plan import rules as rules_of


def pods(*rates: float | None, unready: int = 0) -> list[PodRate]:
    return [PodRate(True, rate) for rate in rates] + [PodRate(False, None)] * unready


@pytest.mark.parametrize(
    ("current", "target", "seen", "wanted"),
    [
        pytest.param(2, 10.0, pods(20, 20), 4, id="double"),
        pytest.param(2, 10.0, pods(10.5, 10.5), 2, id="within-tolerance-above"),
        pytest.param(2, 10.0, pods(9.1, 9.1), 2, id="within-tolerance-below"),
        pytest.param(3, 10.0, pods(12, 12, 12), 4, id="rounded-up"),
        pytest.param(4, 10.0, pods(1, 1, 1, 1), 1, id="down"),
        pytest.param(4, 10.0, pods(0, 0, 0, 0), 0, id="nothing-asked"),
        pytest.param(2, 10.0, pods(30, None), 3, id="missing-counts-0-upwards"),
        pytest.param(3, 10.0, pods(1, 1, None), 2, id="missing-counts-target-downwards"),
        pytest.param(2, 10.0, pods(15, None), 2, id="missing-turns-the-direction"),
        pytest.param(2, 10.0, pods(30, unready=1), 3, id="unready-counts-0-upwards"),
        pytest.param(2, 10.0, pods(5, unready=1), 1, id="unready-is-nothing-downwards"),
    ],
)
def test_recommend(current: int, target: float, seen: list[PodRate], wanted: int) -> None:
    found = recommend(current, target, seen)
    assert found is not None
    assert found[0] == wanted


def test_no_figures_no_recommendation() -> None:
    assert recommend(2, 10.0, pods(None, None)) is None
    assert recommend(2, 10.0, [PodRate(False, 5.0)]) is None


@pytest.mark.parametrize(
    ("current", "wanted", "recommended", "behavior", "steady"),
    [
        pytest.param(2, 5, [], {}, 5, id="up-at-once"),
        pytest.param(5, 2, [(900.0, 5)], {}, 5, id="down-waits"),
        pytest.param(5, 2, [(900.0, 4)], {}, 4, id="down-to-the-highest"),
        pytest.param(5, 2, [(600.0, 5)], {}, 2, id="down-after-the-window"),
        pytest.param(5, 2, [(999.0, 5)], {"scaleDown": {"stabilizationWindowSeconds": 0}}, 2, id="window-off"),
        pytest.param(2, 5, [(990.0, 3)], {"scaleUp": {"stabilizationWindowSeconds": 60}}, 3, id="up-waits"),
        pytest.param(5, 2, [], {}, 5, id="what-stands-first-counts"),
    ],
)
def test_stabilize(
    current: int, wanted: int, recommended: list[tuple[float, int]], behavior: dict[str, Any], steady: int
) -> None:
    history = History(recommended=list(recommended))
    assert stabilize(current, wanted, history, behavior, 1000.0) == steady
    assert history.recommended[-1] == (1000.0, wanted)


@pytest.mark.parametrize(
    ("current", "changes", "up", "chosen", "reached"),
    [
        pytest.param(1, [], True, {}, 5, id="four-more"),
        pytest.param(10, [], True, {}, 20, id="twice"),
        pytest.param(5, [(995.0, 4)], True, {}, 5, id="used-up"),
        pytest.param(5, [(980.0, 4)], True, {}, 10, id="a-new-period"),
        pytest.param(10, [], True, {"selectPolicy": "Min"}, 14, id="the-smaller"),
        pytest.param(10, [], True, {"selectPolicy": "Disabled"}, 10, id="disabled"),
        pytest.param(10, [], False, {}, 0, id="all-down"),
        pytest.param(10, [], False, {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]}, 8, id="two-less"),
        pytest.param(
            8, [(950.0, -2)], False, {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]}, 8,
            id="two-less-once",
        ),
        pytest.param(
            10, [], False, {"policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}]}, 9, id="a-tenth"
        ),
    ],
)  # fmt: skip
def test_step_limit(
    current: int, changes: list[tuple[float, int]], up: bool, chosen: dict[str, Any], reached: int
) -> None:
    direction = "scaleUp" if up else "scaleDown"
    policies = rules_of({direction: chosen}, direction)
    assert step_limit(current, policies, History(changes=list(changes)), 1000.0, up) == reached


@pytest.mark.parametrize(
    ("current", "wanted", "replicas", "reason"),
    [
        pytest.param(2, 3, 3, "DesiredWithinRange", id="within"),
        pytest.param(2, 9, 6, "ScaleUpLimit", id="too-fast"),
        pytest.param(5, 12, 8, "TooManyReplicas", id="too-many"),
        pytest.param(3, 0, 2, "TooFewReplicas", id="too-few"),
        pytest.param(8, 12, 8, "TooManyReplicas", id="at-the-top"),
        pytest.param(2, 1, 2, "TooFewReplicas", id="at-the-bottom"),
    ],
)
def test_limit(current: int, wanted: int, replicas: int, reason: str) -> None:
    found = limit(current, wanted, 2, 8, History(), {}, 1000.0)
    assert (found.replicas, found.reason, found.bound) == (replicas, reason, reason != "DesiredWithinRange")


def test_history_forgets() -> None:
    history = History([(1.0, 2), (5.0, 3)], [(1.0, 1), (6.0, 1)])
    history.forget(4.0)
    assert (history.recommended, history.changes) == ([(5.0, 3)], [(6.0, 1)])
