"""Does the count follow the requests, and does the object say why?"""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from mesh.api.autoscaling import HorizontalPodAutoscaler
from mesh.api.workloads import Deployment
from mesh.controllers.settings import Settings
from tests.unit.controllers.world import World, deployment


class Traffic:
    """Imitates the sidecars' counters: every pod is asked `rate` times a second."""

    def __init__(self) -> None:
        self.world: World | None = None
        self.rate = 0.0
        self._totals: dict[str, float] = {}
        self._at = 0.0

    async def __call__(self, pod_ips: Sequence[str]) -> Mapping[str, float]:
        assert self.world is not None
        passed, self._at = self.world.clock.now() - self._at, self.world.clock.now()
        for ip in pod_ips:
            self._totals[ip] = self._totals.get(ip, 0.0) + passed * self.rate
        return {ip: self._totals[ip] for ip in pod_ips}


def scaler(metrics: list[dict[str, Any]] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 1,
            "maxReplicas": 6,
            **({"metrics": metrics} if metrics else {}),
            **spec,
        },
    }


def requests(average: str, name: str = "requests_per_second") -> list[dict[str, Any]]:
    target = {"type": "AverageValue", "averageValue": average}
    return [{"type": "Pods", "pods": {"metric": {"name": name}, "target": target}}]


def conditions(found: HorizontalPodAutoscaler) -> dict[str, tuple[str, str | None]]:
    return {c.type: (c.status, c.reason) for c in found.status.conditions or ()}


async def begin(traffic: Traffic, *objects: dict[str, Any]) -> World:
    world = World(Settings(node_grace_s=1e6, request_totals=traffic))
    traffic.world = world
    for obj in objects:
        await world.apply(obj)
    await world.settle()
    return world


@pytest.mark.parametrize("name", ["requests_per_second", "http_requests"])
async def test_more_requests_more_pods_and_back(name: str) -> None:
    traffic = Traffic()
    traffic.rate = 25.0
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 30}}
    world = await begin(traffic, deployment(replicas=2), scaler(requests("10", name), behavior=behavior))
    await world.settle(seconds=20.0)
    assert (await world.get(Deployment, "web")).spec.replicas == 5
    found = await world.get(HorizontalPodAutoscaler, "web")
    assert found.status.last_scale_time is not None
    assert conditions(found)["ScalingActive"] == ("True", "ValidMetricFound")
    assert "SuccessfulRescale" in [event.reason for event in await world.events()]
    traffic.rate = 1.0
    await world.settle(seconds=90.0)
    assert (await world.get(Deployment, "web")).spec.replicas == 1
    found = await world.get(HorizontalPodAutoscaler, "web")
    assert found.status.current_metrics[0]["pods"]["current"] == {"averageValue": "1"}
    world.close()


async def test_cpu_is_not_known() -> None:
    world = await begin(Traffic(), deployment(replicas=2), scaler())
    await world.settle(seconds=16.0)
    found = await world.get(HorizontalPodAutoscaler, "web")
    assert conditions(found)["ScalingActive"] == ("False", "FailedGetResourceMetric")
    assert conditions(found)["AbleToScale"] == ("True", "SucceededGetScale")
    assert found.status.current_replicas == 2
    reasons = {event.reason for event in await world.events()}
    assert {"FailedGetResourceMetric", "FailedComputeMetricsReplicas"} <= reasons
    assert (await world.get(Deployment, "web")).spec.replicas == 2
    world.close()


@pytest.mark.parametrize(
    ("replicas", "spec", "wanted", "condition"),
    [
        pytest.param(9, {}, 6, ("AbleToScale", "SucceededRescale"), id="above-the-most"),
        pytest.param(1, {"minReplicas": 3}, 3, ("AbleToScale", "SucceededRescale"), id="below-the-least"),
        pytest.param(0, {}, 0, ("ScalingActive", "ScalingDisabled"), id="off"),
    ],
)
async def test_bounds_hold_without_metrics(
    replicas: int, spec: dict[str, Any], wanted: int, condition: tuple[str, str]
) -> None:
    world = World(Settings(node_grace_s=1e6))
    await world.apply(deployment(replicas=replicas))
    await world.apply(scaler(**spec))
    seen: list[tuple[str, str | None]] = []
    world.manager.caches.informers[HorizontalPodAutoscaler].on_change(
        lambda old, new: seen.extend((c.type, c.reason) for c in new.status.conditions or ()) if new else None
    )
    await world.settle()
    assert (await world.get(Deployment, "web")).spec.replicas == wanted
    assert condition in seen
    world.close()


async def test_a_missing_target_is_named() -> None:
    world = await begin(Traffic(), scaler(requests("10")))
    assert conditions(await world.get(HorizontalPodAutoscaler, "web"))["AbleToScale"] == ("False", "FailedGetScale")
    world.close()
