"""Whatever the order of events: a StatefulSet's pods come and go one by one, each name once, each claim for good."""

import asyncio
import random
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mesh.api.core import Pod
from mesh.api.errors import NotFound
from mesh.api.storage import PersistentVolumeClaim
from mesh.api.workloads import ControllerRevision, StatefulSet
from mesh.store import StoreEvent
from tests.stateful_order import Order
from tests.unit.controllers.storage import storage_class
from tests.unit.controllers.world import World, stateful_set, template

BOUNDED = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CLAIM = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
}
SCALE = st.tuples(st.just("scale"), st.integers(0, 5))
IMAGE = st.tuples(st.just("image"), st.sampled_from(["v1", "v2", "v3"]))
KILL = st.tuples(st.sampled_from(["delete", "kill"]), st.integers(0, 4))
Change = tuple[str, Any]


async def _make(seed: int, **spec: Any) -> World:
    world = World(seed=seed, nodes=3)
    await world.apply(storage_class("standard", default=True))
    await world.apply(stateful_set(replicas=3, volumeClaimTemplates=[CLAIM], **spec))
    return world


async def _change(world: World, change: Change) -> None:
    what, value = change
    if what == "scale":
        await world.patch(StatefulSet, "db", {"spec": {"replicas": value}})
    elif what == "image":
        await world.patch(StatefulSet, "db", {"spec": {"template": {"spec": template("db", value)["spec"]}}})
    else:
        try:
            await world.client.delete(Pod, f"db-{value}", "default", grace_period_s=0 if what == "kill" else None)
        except NotFound:
            pass


def _read(order: Order) -> Any:
    def read(event: StoreEvent) -> None:
        order.read(event.type, Pod.model_validate_json(event.new.data))

    return read


async def _play(world: World, rng: random.Random, changes: list[Change], order: Order) -> None:
    end = world.store.subscribe("pods", _read(order))
    try:
        for change in changes:
            await world.jumble(rng, steps=rng.randint(50, 2500))
            await _change(world, change)
            if rng.random() < 0.2:
                world.restart()
        await world.settle(seconds=60)
    finally:
        end()


async def _check_end(world: World, changes: list[Change]) -> None:
    replicas = next((value for what, value in reversed(changes) if what == "scale"), 3)
    image = next((value for what, value in reversed(changes) if what == "image"), "v1")
    pods = await world.all(Pod)
    assert sorted(pod.name for pod in pods) == [f"db-{number}" for number in range(replicas)]
    assert all(pod.ready and pod.spec.containers[0].image == image for pod in pods)
    status = (await world.get(StatefulSet, "db")).status
    assert (status.ready_replicas or 0, status.updated_replicas or 0) == (replicas, replicas)
    assert status.current_revision == status.update_revision
    numbers = [revision.revision for revision in await world.all(ControllerRevision)]
    assert len(numbers) == len(set(numbers)), "two revisions have one number"
    version = world.store.version
    world.restart()
    await world.settle(seconds=60)
    assert world.store.version == version, "reconciling again wrote something"


@BOUNDED
@example(changes=[("image", "v2"), ("scale", 0)], seed=139)  # a second template before the cache shows the first
@given(changes=st.lists(st.one_of(SCALE, IMAGE), max_size=5), seed=st.integers(0, 2**16))
def test_the_order_holds_when_nobody_interferes(changes: list[Change], seed: int) -> None:
    async def run() -> None:
        world, order = await _make(seed), Order()
        try:
            await _play(world, random.Random(seed), changes, order)
            assert order.wrong == [], order.story
            await _check_end(world, changes)
        finally:
            world.close()

    asyncio.run(run())


@BOUNDED
@given(
    changes=st.lists(st.one_of(SCALE, IMAGE, KILL), max_size=6),
    policy=st.sampled_from(["OrderedReady", "Parallel"]),
    seed=st.integers(0, 2**16),
)
def test_names_are_unique_and_claims_last_whatever_happens(changes: list[Change], policy: str, seed: int) -> None:
    async def run() -> None:
        world, order, rng = await _make(seed, podManagementPolicy=policy), Order(), random.Random(seed)
        claims: dict[str, str] = {}
        try:
            for some in ([], *([change] for change in changes)):
                await _play(world, rng, some, order)
                now = {c.name: c.metadata.uid for c in await world.all(PersistentVolumeClaim)}
                assert claims.items() <= now.items(), "a claim was lost or made anew"
                claims = now
            assert not [wrong for wrong in order.wrong if "while another" in wrong]
            await _check_end(world, changes)
        finally:
            world.close()

    asyncio.run(run())
