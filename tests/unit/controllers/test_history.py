"""Do revisions reach the store once, and are they remembered?"""

from mesh.api.selectors import from_model
from mesh.api.workloads import ControllerRevision, StatefulSet
from mesh.controllers.history import Historian
from mesh.controllers.statefulset import StatefulSetController
from tests.unit.controllers.world import World, stateful_set, template


def historian(world: World) -> Historian:
    (found,) = [c for c in world.manager.controllers if isinstance(c, StatefulSetController)]
    return Historian(found, StatefulSet)


async def test_what_is_asked_while_the_cache_lags_is_stored_once(world: World) -> None:
    await world.apply(stateful_set(replicas=0))
    await world.settle()
    owner = await world.get(StatefulSet, "db")
    selector = from_model(owner.spec.selector)
    lagging = historian(world)
    (stored,) = await world.all(ControllerRevision)
    await world.client.delete(ControllerRevision, stored.name, "default")
    for tap in world.taps:
        tap.let()
    assert await lagging.history(owner, selector) is None
    assert await lagging.history(owner, selector) is None, "the cache does not show it yet"
    assert len(await world.all(ControllerRevision)) == 1
    assert (await world.get(StatefulSet, "db")).status.collision_count == 0
    for tap in world.taps:
        tap.let()
    found = await lagging.history(owner, selector)
    assert found is not None
    assert found.write is None


async def test_templates_are_remembered(world: World) -> None:
    await world.apply(stateful_set(replicas=0))
    await world.settle()
    (stored,) = await world.all(ControllerRevision)
    keeper = historian(world)
    assert keeper.template(stored) is keeper.template(stored)
    assert keeper.template(stored).spec.containers[0].image == template("db")["spec"]["containers"][0]["image"]
