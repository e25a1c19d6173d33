from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.node.lifecycle import (
    SETTLE_S,
    Departure,
    Exited,
    Finished,
    Outcome,
    Retry,
    StartFailed,
    after,
    deadline_s,
    departure,
    exit_reason,
    grace_s,
    pace,
)

WHO = "container=app pod=web_default(uid-1)"
CRASH = f"back-off 20s restarting failed {WHO}"


@pytest.mark.parametrize(
    ("outcome", "policy", "delay_s", "failures", "wanted"),
    [
        pytest.param(Exited(1), "Always", 0.0, 1, Retry(delay_s=0.0), id="the first end restarts at once"),
        pytest.param(Exited(0), "Always", 0.0, 1, Retry(delay_s=0.0), id="so does a success where all is restarted"),
        pytest.param(
            Exited(1), "Always", 20.0, 3,
            Retry(delay_s=20.0, reason="CrashLoopBackOff", message=CRASH, tell_backoff=True),
            id="later ends wait",
        ),
        pytest.param(Exited(0), "OnFailure", 0.0, 1, Finished(0), id="a success is final on failure only"),
        pytest.param(Exited(3), "OnFailure", 0.0, 1, Retry(delay_s=0.0), id="a failure is not"),
        pytest.param(Exited(3), "Never", 0.0, 1, Finished(3), id="never means never"),
        pytest.param(
            StartFailed("ErrImagePull", "no"), "Always", 0.0, 1,
            Retry(delay_s=0.0, reason="ErrImagePull", message="no", counts=False),
            id="an image that is not there",
        ),
        pytest.param(
            StartFailed("ErrImagePull", "no"), "Never", 10.0, 2,
            Retry(delay_s=10.0, reason="ImagePullBackOff", message="no", counts=False),
            id="the second time it backs off, whatever the policy",
        ),
        pytest.param(
            StartFailed("CreateContainerConfigError", "bad"), "Always", 10.0, 2,
            Retry(delay_s=10.0, reason="CreateContainerConfigError", message="bad", counts=False),
            id="a bad setting keeps its reason and is no restart",
        ),
    ],
)  # fmt: skip
def test_after(outcome: Outcome, policy: str, delay_s: float, failures: int, wanted: Retry | Finished) -> None:
    assert after(outcome, policy, delay_s, failures, WHO) == wanted


@pytest.mark.parametrize(("code", "reason"), [(0, "Completed"), (1, "Error"), (137, "Error")])
def test_exit_reason(code: int, reason: str) -> None:
    assert exit_reason(code) == reason


@pytest.mark.parametrize(
    ("meta", "spec", "wanted"),
    [
        pytest.param({}, {}, 30.0, id="nothing said"),
        pytest.param({}, {"terminationGracePeriodSeconds": 7}, 7.0, id="the spec says"),
        pytest.param({"deletionGracePeriodSeconds": 2}, {"terminationGracePeriodSeconds": 7}, 2.0, id="a delete wins"),
        pytest.param({"deletionGracePeriodSeconds": 0}, {}, 0.0, id="none at all"),
    ],
)
def test_grace(meta: dict[str, Any], spec: dict[str, Any], wanted: float) -> None:
    assert grace_s(Pod.model_validate({"metadata": meta, "spec": spec})) == wanted


@pytest.mark.parametrize(
    ("grace", "wanted"),
    [
        pytest.param(30.0, Departure(serve_until=100.3, drain_until=105.3, kill_at=130.0), id="time for everything"),
        pytest.param(3.0, Departure(serve_until=100.3, drain_until=103.0, kill_at=103.0), id="the drain is cut"),
        pytest.param(0.1, Departure(serve_until=100.1, drain_until=100.1, kill_at=100.1), id="hardly any"),
        pytest.param(0.0, Departure(serve_until=100.0, drain_until=100.0, kill_at=100.0), id="at once"),
        pytest.param(-5.0, Departure(serve_until=100.0, drain_until=100.0, kill_at=100.0), id="overdue"),
    ],
)
def test_departure(grace: float, wanted: Departure) -> None:
    assert departure(100.0, grace, 0.3, 5.0) == wanted


@pytest.mark.parametrize(
    ("was_ready", "ready", "settled", "wanted"),
    [
        pytest.param(None, False, False, SETTLE_S, id="on its way up, it may soon be better"),
        pytest.param(None, True, False, 0.0, id="up before anything was written"),
        pytest.param(False, True, False, 0.0, id="became ready"),
        pytest.param(True, False, False, 0.0, id="stopped being ready"),
        pytest.param(True, True, False, SETTLE_S, id="a detail"),
        pytest.param(None, False, True, 0.0, id="in trouble"),
    ],
)
def test_pace(was_ready: bool | None, ready: bool, settled: bool, wanted: float) -> None:
    assert pace(was_ready, ready, settled) == wanted


@pytest.mark.parametrize(
    ("spec", "left"),
    [({}, None), ({"activeDeadlineSeconds": 60}, 50.0), ({"activeDeadlineSeconds": 5}, 0.0)],
    ids=["none", "some left", "over"],
)
def test_deadline(spec: dict[str, Any], left: float | None) -> None:
    assert deadline_s(Pod.model_validate({"spec": spec}), "1970-01-01T00:00:10Z", 20.0) == left
