"""Any order of watch events, and a restart at any moment, end in the same world; running again changes nothing."""

import asyncio
import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesh.api.core import Pod
from mesh.api.services import EndpointSlice
from mesh.api.workloads import Deployment, ReplicaSet, StatefulSet
from tests.unit.controllers.world import World, deployment, service, stateful_set

BOUNDED = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


async def _drive(world: World, rng: random.Random, changes: list[tuple[str, dict[str, Any]]]) -> None:
    for name, patch in changes:
        cls = StatefulSet if name == "db" else Deployment
        await world.patch(cls, name, patch)
        await world.jumble(rng)
        if rng.random() < 0.3:
            world.restart()
    await world.settle(seconds=30)


async def _shape(world: World) -> object:
    """The world without what chance decides: names' suffixes, uids, versions, times and node of each pod."""
    pods = sorted(
        (pod.spec.containers[0].image, pod.metadata.label_map["app"], pod.ready) for pod in await world.all(Pod)
    )
    sets = sorted((rs.name, rs.spec.replicas, rs.status.replicas) for rs in await world.all(ReplicaSet))
    pieces = await world.all(EndpointSlice)
    slices = sorted((s.service_name, sum(bool(e.conditions.ready) for e in s.endpoints)) for s in pieces)
    stateful = sorted(pod.name for pod in await world.all(Pod) if pod.name.startswith("db-"))
    status = sorted(
        (d.name, d.status.replicas, d.status.updated_replicas, d.status.available_replicas)
        for d in await world.all(Deployment)
    )
    return pods, sets, slices, stateful, status


def _image(name: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": name}]}}}}


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("web"), st.integers(0, 7).map(lambda n: {"spec": {"replicas": n}})),
        st.tuples(st.just("web"), st.sampled_from(["v1", "v2", "v3"]).map(_image)),
        st.tuples(st.just("db"), st.integers(0, 4).map(lambda n: {"spec": {"replicas": n}})),
        st.tuples(st.just("db"), st.sampled_from(["v1", "v2"]).map(_image)),
    ),
    max_size=4,
)


@BOUNDED
@given(changes=CHANGES, seed=st.integers(0, 2**16))
def test_any_order_of_events_ends_in_the_same_world(changes: list[tuple[str, dict[str, Any]]], seed: int) -> None:
    async def run(seed: int | None) -> object:
        world = World(seed=seed or 1)
        try:
            for obj in (deployment(), service(), stateful_set(replicas=2), service("db", clusterIP="None")):
                await world.apply(obj)
            if seed is None:
                for name, patch in changes:
                    await world.patch(StatefulSet if name == "db" else Deployment, name, patch)
                    await world.settle(seconds=30)
            else:
                await _drive(world, random.Random(seed), changes)
            await world.settle(seconds=30)
            shape = await _shape(world)
            version = world.store.version
            world.restart()
            await world.settle(seconds=30)
            assert world.store.version == version, "reconciling again wrote something"
            assert await _shape(world) == shape
            return [part for i, part in enumerate(shape) if i != 1]  # type: ignore[arg-type,var-annotated]
        finally:
            world.close()

    calm = asyncio.run(run(None))
    assert asyncio.run(run(seed)) == calm
