"""Does a budget's status say what may be evicted?"""

from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.api.deletion import DeleteOptions
from mesh.api.errors import TooManyRequests
from mesh.api.policy import PodDisruptionBudget
from mesh.api.workloads import Deployment
from mesh.controllers.disruption import counts, still_granted
from mesh.runtime.clock import rfc3339
from tests.unit.controllers.world import START_WALL, World, deployment


def budget(name: str = "web", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec},
    }


@pytest.mark.parametrize(
    ("least", "most_gone", "pods", "scale", "wanted"),
    [
        pytest.param(2, None, 3, 4, (3, 2), id="count-of-the-pods"),
        pytest.param("50%", None, 3, 5, (5, 3), id="share-of-the-scale-rounded-up"),
        pytest.param(None, 1, 3, 4, (4, 3), id="most-gone"),
        pytest.param(None, "50%", 3, 5, (5, 2), id="most-gone-share"),
        pytest.param(None, 9, 3, 3, (3, 0), id="all-may-go"),
        pytest.param(None, None, 3, 3, (3, 1), id="nothing-said"),
    ],
)
def test_counts(least: Any, most_gone: Any, pods: int, scale: int, wanted: tuple[int, int]) -> None:
    assert counts(least, most_gone, pods, scale) == wanted


def test_a_granted_eviction_counts_for_two_minutes() -> None:
    pods = [Pod.model_validate({"metadata": {"name": name}}) for name in ("a", "b")]
    granted = {"a": rfc3339(START_WALL), "b": rfc3339(START_WALL - 200), "gone": rfc3339(START_WALL)}
    assert still_granted(granted, pods, START_WALL + 20) == ({"a": rfc3339(START_WALL)}, 100.0)


async def test_the_status_follows_the_pods(world: World) -> None:
    await world.apply(deployment(replicas=3))
    await world.apply(budget(minAvailable=2))
    await world.settle()
    status = (await world.get(PodDisruptionBudget, "web")).status
    assert (status.disruptions_allowed, status.current_healthy, status.desired_healthy, status.expected_pods) == (
        1, 3, 2, 3,
    )  # fmt: skip
    assert [(c.type, c.status) for c in status.conditions] == [("DisruptionAllowed", "True")]
    await world.patch(Deployment, "web", {"spec": {"replicas": 2}})
    await world.settle()
    assert (await world.get(PodDisruptionBudget, "web")).status.disruptions_allowed == 0


async def test_evictions_go_one_by_one(world: World) -> None:
    await world.apply(deployment(replicas=3))
    await world.apply(budget(maxUnavailable=1))
    await world.settle()
    first, second, _ = await world.all(Pod)
    world.registry.evict("default", first.name, DeleteOptions())
    with pytest.raises(TooManyRequests, match="violate the pod's disruption budget"):
        world.registry.evict("default", second.name, DeleteOptions())
    await world.settle()
    world.registry.evict("default", second.name, DeleteOptions())
    await world.settle()
    assert len(await world.all(Pod)) == 3


async def test_a_budget_without_pods_allows_nothing(world: World) -> None:
    await world.apply(budget(minAvailable=1))
    await world.settle()
    status = (await world.get(PodDisruptionBudget, "web")).status
    assert (status.disruptions_allowed, status.observed_generation) == (0, 1)
    assert [event.reason for event in await world.events()] == ["NoPods"]
