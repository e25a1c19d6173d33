"""Who may be evicted, and what a budget counts."""

from typing import Any

import aiohttp
import pytest

from mesh.api.errors import ApiError, TooManyRequests
from mesh.apiserver.eviction import budget_of, grant
from mesh.apiserver.registry import Registry
from mesh.apiserver.scale import Json


def pod(phase: str = "Running", ready: bool = True, **meta: Any) -> Json:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {
        "metadata": {"name": "a", "labels": {"app": "x"}, **meta},
        "status": {"phase": phase, "conditions": conditions},
    }


def budget(allowed: int = 1, healthy: int = 3, wanted: int = 2, name: str = "b", **spec: Any) -> Json:
    return {
        "metadata": {"name": name, "generation": 1},
        "spec": {"selector": {"matchLabels": {"app": "x"}}, **spec},
        "status": {"disruptionsAllowed": allowed, "currentHealthy": healthy, "desiredHealthy": wanted,
                   "observedGeneration": 1},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("of", "selector", "found"),
    [
        pytest.param(pod(), {"matchLabels": {"app": "x"}}, True, id="selected"),
        pytest.param(pod(), {}, True, id="empty-selector-is-all"),
        pytest.param(pod(), None, False, id="no-selector-is-none"),
        pytest.param(pod(), {"matchLabels": {"app": "y"}}, False, id="other"),
        pytest.param(pod("Succeeded"), {}, False, id="ended"),
        pytest.param(pod("Pending"), {}, False, id="not-begun"),
        pytest.param(pod(deletionTimestamp="t"), {}, False, id="going"),
    ],
)
def test_budget_of(of: Json, selector: Any, found: bool) -> None:
    assert (budget_of(of, [budget(selector=selector)]) is not None) is found


def test_two_budgets_are_one_too_many() -> None:
    with pytest.raises(ApiError, match="more than one"):
        budget_of(pod(), [budget(), budget(name="c")])


def test_a_granted_disruption_is_counted() -> None:
    status = grant(budget(allowed=1), pod(), "now")
    assert status is not None
    assert (status["disruptionsAllowed"], status["disruptedPods"]) == (0, {"a": "now"})


@pytest.mark.parametrize(
    ("held", "says"),
    [
        pytest.param(budget(allowed=0, healthy=2), "budget b needs 2 healthy pods and has 2 currently", id="none-left"),
        pytest.param({**budget(), "status": {}}, "still being processed", id="not-observed"),
    ],
)
def test_refusals(held: Json, says: str) -> None:
    with pytest.raises(TooManyRequests) as refused:
        grant(held, pod(), "now")
    cause = (refused.value.details or {})["causes"][0]
    assert cause["reason"] == "DisruptionBudget"
    assert says in cause["message"]


@pytest.mark.parametrize(
    ("held", "refused"),
    [
        pytest.param(budget(allowed=0, healthy=2, wanted=2), False, id="enough-healthy"),
        pytest.param(budget(allowed=0, healthy=1, wanted=2), True, id="too-few-healthy"),
        pytest.param(budget(0, 1, 2, unhealthyPodEvictionPolicy="AlwaysAllow"), False, id="always"),
    ],
)
def test_a_pod_that_is_not_ready(held: Json, refused: bool) -> None:
    if refused:
        with pytest.raises(TooManyRequests):
            grant(held, pod(ready=False), "now")
    else:
        assert grant(held, pod(ready=False), "now") is None


@pytest.mark.parametrize("version", ["policy/v1", "policy/v1beta1"])
async def test_over_http(http: aiohttp.ClientSession, registry: Registry, version: str) -> None:
    body = {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    pods = "/api/v1/namespaces/default/pods"
    async with http.post(pods, json=body) as made:
        assert made.status == 201
    eviction = {"kind": "Eviction", "apiVersion": version, "metadata": {"name": "a"}, "deleteOptions": {}}
    async with http.post(f"{pods}/a/eviction", json=eviction, params={"dryRun": "All"}) as tried:
        assert tried.status == 201
    async with http.post(f"{pods}/b/eviction", json=eviction) as other:
        assert other.status == 400
    async with http.post(f"{pods}/a/eviction", json=eviction) as done:
        assert (done.status, (await done.json())["status"]) == (201, "Success")
    async with http.get(f"{pods}/a") as gone:
        assert gone.status == 404
