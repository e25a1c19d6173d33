"""In any order of events: a disk is at one node, a claim keeps its volume, and nobody's data goes while it is claimed."""

import asyncio
import random
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesh.api.core import Node, Pod
from mesh.api.errors import NotFound
from mesh.api.storage import PersistentVolume, PersistentVolumeClaim
from mesh.api.workloads import StatefulSet
from tests.unit.controllers.storage import storage_class
from tests.unit.controllers.world import World, stateful_set

BOUNDED = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TEMPLATE = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
Step = tuple[str, int]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("scale"), st.integers(0, 3)),
        st.tuples(st.just("kill"), st.integers(0, 2)),
        st.tuples(st.just("delete claim"), st.integers(0, 2)),
        st.tuples(st.just("cordon"), st.integers(1, 2)),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    max_size=6,
)


async def take(world: World, step: Step) -> None:
    """One thing that a person may do."""
    verb, number = step
    try:
        match verb:
            case "scale":
                await world.patch(StatefulSet, "db", {"spec": {"replicas": number}})
            case "kill":
                await world.client.delete(Pod, f"db-{number}", "default", grace_period_s=0)
            case "delete claim":
                await world.client.delete(PersistentVolumeClaim, f"data-db-{number}", "default")
            case "cordon":
                for name in ("node-1", "node-2"):
                    await world.client.patch(Node, name, {"spec": {"unschedulable": name == f"node-{number}"}})
            case _:
                world.restart()
    except NotFound:
        pass  # what a person asks for need not be there


async def check(world: World, owners: dict[str, str]) -> None:
    """What must hold at every moment. owners: claim uid -> its volume, as far as it was seen."""
    holders = Counter(
        entry["name"] for node in await world.all(Node, None) for entry in node.status.volumes_attached or ()
    )
    assert all(count == 1 for count in holders.values()), f"held twice: {holders}"
    volumes = {volume.name: volume for volume in await world.all(PersistentVolume, None)}
    taken = Counter(
        claim.spec.volume_name for claim in await world.all(PersistentVolumeClaim) if claim.spec.volume_name
    )
    assert all(count == 1 for count in taken.values()), f"two claims have it: {taken}"
    for claim in await world.all(PersistentVolumeClaim):
        name = claim.spec.volume_name
        if not name:
            continue
        assert owners.setdefault(claim.metadata.uid, name) == name, "a claim got another volume"
        assert name in volumes, "the volume of a claim is gone"
        assert volumes[name].spec.claim_ref["uid"] == claim.metadata.uid


@BOUNDED
@given(steps=STEPS, seed=st.integers(0, 2**16))
def test_claims_keep_what_they_have(steps: list[Step], seed: int) -> None:
    async def run() -> None:
        world, rng = World(seed=seed), random.Random(seed)
        owners: dict[str, str] = {}
        try:
            await world.apply(storage_class("standard", default=True))
            await world.apply(stateful_set(replicas=2, volumeClaimTemplates=[TEMPLATE]))
            for step in [("settle", 0), *steps]:
                await take(world, step)
                for _ in range(6):
                    await world.jumble(rng, 15)
                    await check(world, owners)
            await take(world, ("cordon", 0))
            await world.settle(seconds=60)
            await check(world, owners)
            await at_rest(world)
        finally:
            world.close()

    asyncio.run(run())


async def at_rest(world: World) -> None:
    """Every pod that is wanted runs with its claim; what nobody claims is gone; looking again writes nothing."""
    wanted = (await world.get(StatefulSet, "db")).spec.replicas
    pods: list[Any] = await world.all(Pod)
    assert sorted(pod.name for pod in pods) == [f"db-{number}" for number in range(wanted)]
    assert all(pod.ready for pod in pods)
    claims = await world.all(PersistentVolumeClaim)
    assert all(claim.status.phase == "Bound" for claim in claims)
    kept = {claim.spec.volume_name for claim in claims}
    assert {volume.name for volume in await world.all(PersistentVolume, None)} == kept
    used = {f"data-{pod.name}": pod.spec.node_name for pod in pods}
    places = {f"kubernetes.io/csi/loopmesh.io/directory^{c.spec.volume_name}": used.get(c.name) for c in claims}
    held = {e["name"]: n.name for n in await world.all(Node, None) for e in n.status.volumes_attached or ()}
    assert held == {name: node for name, node in places.items() if node is not None}
    before = world.store.version
    world.restart()
    await world.settle(seconds=30)
    assert world.store.version == before, "reconciling again wrote something"
