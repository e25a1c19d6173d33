"""During any rolling update, ready pods stay between replicas - maxUnavailable and replicas + maxSurge."""

import asyncio
import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesh.api.core import Pod
from mesh.api.workloads import Deployment
from mesh.controllers.rollout import Bounds, bounds
from mesh.store import StoreEvent
from tests.unit.controllers.world import World, deployment

SETTING = st.one_of(st.integers(0, 4), st.integers(0, 100).map(lambda n: f"{n}%"))


def _is_zero(value: int | str) -> bool:
    return value in (0, "0%")


async def _count(world: World) -> int:
    """Pods that serve: ready, and not on their way out."""
    return sum(pod.ready and pod.metadata.deletion_timestamp is None for pod in await world.all(Pod))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    replicas=st.integers(1, 9),
    surge=SETTING,
    unavailable=SETTING,
    images=st.lists(st.sampled_from(["v1", "v2", "v3"]), min_size=1, max_size=3),
    seed=st.integers(0, 2**16),
)
def test_ready_pods_stay_within_the_bounds(
    replicas: int, surge: int | str, unavailable: int | str, images: list[str], seed: int
) -> None:
    if _is_zero(surge) and _is_zero(unavailable):
        surge = 1
    limit = bounds(replicas, surge, unavailable)
    low, high = asyncio.run(_roll(limit, surge, unavailable, images, seed))
    assert limit.least <= low, "too few pods were ready"
    assert high <= limit.most, "too many pods were ready"


async def _roll(
    limit: Bounds, surge: int | str, unavailable: int | str, images: list[str], seed: int
) -> tuple[int, int]:
    """The fewest and the most ready pods seen after any write."""
    world, rng = World(seed=seed), random.Random(seed)
    strategy = {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    await world.apply(deployment(replicas=limit.replicas, image="v0", strategy=strategy))
    await world.settle()
    ready = {pod.metadata.uid or "" for pod in await world.all(Pod)}
    seen = [len(ready)]

    def watch(event: StoreEvent) -> None:
        pod = Pod.model_validate_json(event.new.data)
        serves = event.type != "DELETED" and pod.ready and pod.metadata.deletion_timestamp is None
        (ready.add if serves else ready.discard)(pod.metadata.uid or "")
        seen.append(len(ready))

    end = world.store.subscribe("pods", watch)
    try:
        for image in images:
            patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}}
            await world.patch(Deployment, "web", patch)
            await world.jumble(rng, steps=rng.randint(20, 200))
            if rng.random() < 0.3:
                world.restart()
        await world.settle(seconds=30)
        assert await _count(world) == limit.replicas
        assert {pod.spec.containers[0].image for pod in await world.all(Pod)} == {images[-1]}
    finally:
        end()
        world.close()
    return min(seen), max(seen)
