"""Ages and the Status column."""

from typing import Any

import pytest

from mesh.apiserver.table_pod import ago, duration, pod_cells, pod_status

M, H, D, Y = 60, 3600, 86400, 365 * 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (59.9, "59s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (9 * M + 59, "9m59s"), (10 * M, "10m"),
        (10 * M + 5, "10m"), (179 * M, "179m"), (3 * H, "3h"), (3 * H + 20 * M, "3h20m"), (8 * H - 1, "7h59m"),
        (8 * H + 5 * M, "8h"), (47 * H, "47h"), (2 * D, "2d"), (2 * D + 5 * H, "2d5h"), (8 * D - 1, "7d23h"),
        (8 * D, "8d"), (700 * D, "700d"), (2 * Y, "2y"), (2 * Y + 40 * D, "2y40d"), (9 * Y, "9y"), (-1, "0s"),
        (-60, "<invalid>"),
    ],
)  # fmt: skip
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("stamp", "text"), [("2027-01-15T07:59:00Z", "60s"), (None, "<unknown>"), ("x", "<unknown>")])
def test_ago(stamp: Any, text: str) -> None:
    assert ago(stamp, 1_800_000_000.0) == text


def pod(*states: dict[str, Any], phase: str = "Running", ready: bool = True, **more: Any) -> dict[str, Any]:
    statuses = [{"name": f"c{n}", "ready": ready, "restartCount": n, "state": s} for n, s in enumerate(states)]
    return {
        "metadata": {"name": "p", "creationTimestamp": "2027-01-15T07:59:00Z"},
        "spec": {"containers": [{"name": f"c{n}"} for n in range(len(states) or 1)]},
        "status": {"phase": phase, "containerStatuses": statuses, **more},
    }


RUNNING: dict[str, Any] = {"running": {"startedAt": "x"}}
READY = [{"type": "Ready", "status": "True"}]


@pytest.mark.parametrize(
    ("found", "status"),
    [
        pytest.param(pod(phase="Pending"), "Pending", id="pending"),
        pytest.param(
            pod({"waiting": {"reason": "ContainerCreating"}}, phase="Pending"), "ContainerCreating", id="creating"
        ),
        pytest.param(pod(RUNNING), "Running", id="running"),
        pytest.param(pod(RUNNING, {"waiting": {"reason": "CrashLoopBackOff"}}), "CrashLoopBackOff", id="crash-loop"),
        pytest.param(pod({"terminated": {"reason": "Error", "exitCode": 1}}), "Error", id="ended-with-reason"),
        pytest.param(pod({"terminated": {"exitCode": 3}}), "ExitCode:3", id="exit-code"),
        pytest.param(pod({"terminated": {"signal": 9, "exitCode": 137}}), "Signal:9", id="signal"),
        pytest.param(pod({"terminated": {"reason": "Completed"}}, phase="Succeeded"), "Completed", id="completed"),
        pytest.param(
            pod({"terminated": {"reason": "Completed"}}, RUNNING, conditions=READY), "Running", id="one-done-one-runs"
        ),
        pytest.param(pod({"terminated": {"reason": "Completed"}}, RUNNING), "NotReady", id="one-done-one-not-ready"),
        pytest.param(pod(reason="Evicted", phase="Failed"), "Evicted", id="reason-of-the-pod"),
        pytest.param(
            {**pod(RUNNING), "metadata": {"name": "p", "deletionTimestamp": "x"}}, "Terminating", id="terminating"
        ),
        pytest.param(
            {**pod(RUNNING, reason="NodeLost"), "metadata": {"name": "p", "deletionTimestamp": "x"}},
            "Unknown",
            id="node-lost",
        ),
    ],
)
def test_status(found: dict[str, Any], status: str) -> None:
    assert pod_status(found) == status


@pytest.mark.parametrize(
    ("states", "word"),
    [
        pytest.param([{"running": {}}, {"waiting": {}}], "Init:0/2", id="first-runs"),
        pytest.param([{"terminated": {"exitCode": 0}}, {"running": {}}], "Init:1/2", id="second-runs"),
        pytest.param([{"terminated": {"exitCode": 2}}], "Init:ExitCode:2", id="failed"),
        pytest.param([{"waiting": {"reason": "ImagePullBackOff"}}], "Init:ImagePullBackOff", id="waits"),
        pytest.param([{"terminated": {"exitCode": 0}}, {"terminated": {"exitCode": 0}}], "Running", id="all-done"),
    ],
)
def test_init_containers(states: list[dict[str, Any]], word: str) -> None:
    found = pod(RUNNING, initContainerStatuses=[{"state": state} for state in states])
    found["spec"]["initContainers"] = [{}, {}]
    assert pod_status(found) == word


@pytest.mark.parametrize(
    ("sidecar", "initialized", "expected"),
    [
        pytest.param({"started": False, "state": {"running": {}}}, False, ["1/2", "Init:0/2", "4"], id="starts"),
        pytest.param(
            {"started": True, "ready": True, "state": {"running": {}}}, True, ["2/2", "Running", "4"], id="runs"
        ),
        pytest.param(
            {"started": False, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}, True,
            ["1/2", "Init:CrashLoopBackOff", "4"], id="crashes-later",
        ),
    ],
)  # fmt: skip
def test_a_sidecar_runs_beside_the_others(sidecar: dict[str, Any], initialized: bool, expected: list[str]) -> None:
    conditions = [{"type": "Initialized", "status": str(initialized)}]
    statuses = [{"name": "side", "restartCount": 4, **sidecar}, {"name": "once", "state": {"terminated": {}}}]
    found = pod(RUNNING, conditions=conditions, initContainerStatuses=statuses)
    found["spec"]["initContainers"] = [{"name": "side", "restartPolicy": "Always"}, {"name": "once"}]
    assert pod_cells(found, 0)[1:4] == expected


def test_cells() -> None:
    found = pod(RUNNING, RUNNING, podIP="127.244.0.3")
    found["spec"]["nodeName"] = "n1"
    found["status"]["containerStatuses"][1]["ready"] = False
    found["status"]["containerStatuses"][1]["lastState"] = {"terminated": {"finishedAt": "2027-01-15T07:55:00Z"}}
    assert pod_cells(found, 1_800_000_000.0) == [
        "p", "1/2", "Running", "1 (5m ago)", "60s", "127.244.0.3", "n1", "<none>", "<none>",
    ]  # fmt: skip


def test_readiness_gates() -> None:
    found = pod(RUNNING, conditions=[{"type": "gate/x", "status": "True"}])
    found["spec"]["readinessGates"] = [{"conditionType": "gate/x"}, {"conditionType": "gate/y"}]
    assert pod_cells(found, 0)[-1] == "1/2"
