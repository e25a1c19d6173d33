import asyncio
from typing import Any

import pytest

from mesh.api.core import Event, Pod
from mesh.node import events
from mesh.node.events import MAX_EAGER, Recorder
from mesh.runtime.tasks import Tasks

POD = Pod.model_validate({"metadata": {"name": "web", "namespace": "default", "uid": "u-1"}})


@pytest.fixture
async def recorder(world: Any) -> Any:
    tasks = Tasks("test")
    made = Recorder(world.client, "node-1", world.clock)
    made.start(tasks)
    yield made
    await tasks.close()


async def stored(world: Any) -> list[Event]:
    await asyncio.sleep(0.05)
    return (await world.client.list(Event)).items


async def test_an_event_says_what_a_kubelets_would(world: Any, recorder: Recorder) -> None:
    recorder.tell(POD, "Unhealthy", "it is not well", warning=True, container="app")
    (event,) = await stored(world)
    assert (event.reason, event.message, event.type, event.count) == ("Unhealthy", "it is not well", "Warning", 1)
    about = event.involved_object
    assert (about.kind, about.name, about.uid, about.field_path) == ("Pod", "web", "u-1", "spec.containers{app}")
    assert event.source is not None
    assert (event.source.component, event.source.host) == ("kubelet", "node-1")
    assert event.first_timestamp == event.last_timestamp


async def test_the_same_again_counts_up(world: Any, recorder: Recorder) -> None:
    for _ in range(3):
        recorder.tell(POD, "BackOff", "again", warning=True)
        await asyncio.sleep(0.01)
    recorder.tell(POD, "BackOff", "something else")
    assert sorted((e.message, e.count, e.type) for e in await stored(world)) == [
        ("again", 3, "Warning"), ("something else", 1, "Normal"),
    ]  # fmt: skip


async def test_what_repeats_for_ever_is_written_ever_less_often(world: Any, recorder: Recorder) -> None:
    for _ in range(10 * MAX_EAGER + 5):
        recorder.tell(POD, "BackOff", "again")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    (event,) = await stored(world)
    assert event.count == 10 * MAX_EAGER
    assert len(world.client.calls) <= 2 * MAX_EAGER


async def test_an_event_that_was_removed_is_written_anew(world: Any, recorder: Recorder) -> None:
    recorder.tell(POD, "BackOff", "again")
    (event,) = await stored(world)
    await world.client.delete(Event, event.name, "default")
    recorder.tell(POD, "BackOff", "again")
    assert [e.count for e in await stored(world)] == [2]


async def test_an_absent_api_only_loses_events(world: Any, recorder: Recorder) -> None:
    world.client.away = True
    recorder.tell(POD, "Started", "unheard")
    await asyncio.sleep(0.02)
    world.client.away = False
    recorder.tell(POD, "Started", "heard")
    assert [e.message for e in await stored(world)] == ["heard"]


async def test_waiting_events_are_bounded(
    world: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(events, "MAX_WAITING", 5)
    recorder = Recorder(world.client, "node-1", world.clock)  # nobody writes yet
    for number in range(7):
        recorder.tell(POD, "Started", f"number {number}")
    assert [r.getMessage() for r in caplog.records] == [
        f"event dropped, too many wait pod=web reason=Started message=number {number}" for number in (5, 6)
    ]
