"""Are events counted up, bounded, and swept away in time?"""

from mesh.api.core import Event, Pod
from mesh.controllers.actions import Note, note
from mesh.controllers.events import BURST, Recorder
from tests.unit.controllers.world import World


def about(name: str = "p") -> Pod:
    return Pod.model_validate({"metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"}})


def recorder(world: World, *, ttl_s: float = 3600, most: int = 100) -> Recorder:
    return Recorder(world.client, world.clock, ttl_s=ttl_s, most=most)


def say(message: str = "it happened", name: str = "p") -> Note:
    return note(about(name), "Happened", message)


async def stored(world: World) -> list[Event]:
    return await world.all(Event)


async def test_an_event_as_kubectl_wants_it(world: World) -> None:
    wrote = recorder(world)
    wrote.record(say(), "tester")
    await wrote.flush()
    (event,) = await stored(world)
    assert event.name.startswith("p.")
    assert (event.reason, event.message, event.type, event.count) == ("Happened", "it happened", "Normal", 1)
    assert event.involved_object.kind == "Pod"
    assert (event.involved_object.name, event.involved_object.uid) == ("p", "uid-p")
    assert event.source is not None
    assert event.source.component == "tester"
    assert event.first_timestamp == event.last_timestamp


async def test_the_same_event_is_counted_up(world: World) -> None:
    wrote = recorder(world)
    for _ in range(3):
        wrote.record(say(), "tester")
        await wrote.flush()
        world.clock.at += 10
    (event,) = await stored(world)
    assert event.count == 3
    assert event.last_timestamp != event.first_timestamp


async def test_repeats_before_the_first_write_cost_one_write(world: World) -> None:
    wrote = recorder(world)
    version = world.store.version
    for _ in range(50):
        wrote.record(say(), "tester")
    await wrote.flush()
    (event,) = await stored(world)
    assert (event.count, world.store.version - version) == (50, 1)


async def test_a_counted_event_that_was_deleted_is_made_again(world: World) -> None:
    wrote = recorder(world)
    wrote.record(say(), "tester")
    await wrote.flush()
    await world.client.delete(Event, (await stored(world))[0].name, "default")
    wrote.record(say(), "tester")
    await wrote.flush()
    assert [event.count for event in await stored(world)] == [2]


async def test_an_object_that_shouts_is_cut_off(world: World) -> None:
    wrote = recorder(world)
    for number in range(BURST * 2):
        wrote.record(say(f"message {number}"), "tester")
    wrote.record(say("quiet", "other"), "tester")
    await wrote.flush()
    assert len(await stored(world)) == BURST + 1
    assert wrote.dropped == BURST
    world.clock.at += 301
    wrote.record(say("later"), "tester")
    await wrote.flush()
    assert len(await stored(world)) == BURST + 2


async def test_old_and_surplus_events_are_swept(world: World) -> None:
    wrote = recorder(world, ttl_s=100, most=3)
    wrote.record(say("old"), "tester")
    await wrote.flush()
    world.clock.at += 101
    for number in range(5):
        wrote.record(say(f"new {number}"), "tester")
        world.clock.at += 1
    await wrote.flush()
    await wrote.sweep()
    assert sorted(event.message or "" for event in await stored(world)) == ["new 2", "new 3", "new 4"]


async def test_an_event_that_can_not_be_stored_is_let_go(world: World) -> None:
    wrote = recorder(world)
    lost = Pod.model_validate({"metadata": {"name": "p", "namespace": "no-such", "uid": "u"}})
    wrote.record(note(lost, "Happened", "nowhere"), "tester")
    wrote.record(say(), "tester")
    await wrote.flush()
    assert [event.message for event in await stored(world)] == ["it happened"]
