"""Is every key worked on, once at a time, and again after a failure?"""

import asyncio
import random

import pytest

from mesh.api.errors import Conflict, NotFound
from mesh.controllers.actions import Key
from mesh.controllers.runtime import DONE, Context, Controller, Result
from mesh.controllers.settings import Settings
from mesh.runtime.clock import SystemClock
from mesh.runtime.tasks import Tasks
from tests.unit.controllers.world import World


class Probe(Controller):
    """Does what it is told; remembers what it was asked."""

    name = "probe"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.seen: list[Key] = []
        self.answers: list[Result | Exception] = []
        self.active = self.most_active = 0

    async def reconcile(self, key: Key) -> Result:
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        await asyncio.sleep(0)
        self.active -= 1
        self.seen.append(key)
        answer = self.answers.pop(0) if self.answers else DONE
        if isinstance(answer, Exception):
            raise answer
        return answer


def probe(world: World, *, real_time: bool = False) -> Probe:
    return Probe(
        Context(
            client=world.client,
            caches=world.manager.caches,
            recorder=world.manager.recorder,
            clock=SystemClock() if real_time else world.clock,
            rng=random.Random(1),
            settings=Settings(),
        )
    )


KEY = ("default", "a")


async def test_a_key_is_queued_once(world: World) -> None:
    controller = probe(world)
    controller.enqueue(KEY)
    controller.enqueue(KEY)
    assert await controller.step()
    assert not await controller.step()
    assert controller.seen == [KEY]


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Conflict("stale"), id="conflict"),
        pytest.param(NotFound("gone"), id="not-found"),
        pytest.param(ValueError("a bug"), id="bug"),
    ],
)
async def test_a_failure_comes_back_later(world: World, error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    controller = probe(world)
    controller.answers = [error]
    controller.enqueue(KEY)
    await controller.step()
    assert not await controller.step()
    world.clock.at += 0.01
    assert await controller.step()
    assert controller.seen == [KEY, KEY]
    assert ("a bug" in caplog.text) is isinstance(error, ValueError)


async def test_failures_back_off_and_success_forgets(world: World) -> None:
    controller = probe(world)
    controller.answers = [Conflict("x"), Conflict("x"), Conflict("x")]
    controller.enqueue(KEY)
    waits = []
    while await controller.step():
        due = controller.queue.next_at()
        if due is not None:
            waits.append(round(due - world.clock.at, 4))
            world.clock.at = due
    assert waits == [0.005, 0.01, 0.02]
    assert controller.queue.failures(KEY) == 0


async def test_a_wish_to_look_again_is_kept(world: World) -> None:
    controller = probe(world)
    controller.answers = [Result(5.0)]
    controller.enqueue(KEY)
    await controller.step()
    world.clock.at += 4.9
    assert not await controller.step()
    world.clock.at += 0.2
    assert await controller.step()


async def test_the_loop_wakes_for_changes_and_for_time(world: World) -> None:
    controller, tasks = probe(world, real_time=True), Tasks("test")
    controller.answers = [Result(0.02)]
    controller.start(tasks)
    await asyncio.sleep(0.01)
    controller.enqueue(KEY)
    async with asyncio.timeout(2):
        while len(controller.seen) < 2:
            await asyncio.sleep(0.005)
        controller.enqueue(("default", "b"))
        while len(controller.seen) < 3:
            await asyncio.sleep(0.005)
    assert controller.most_active == 1
    await tasks.close()


async def test_a_costly_key_is_paced_and_a_cheap_one_is_not(world: World) -> None:
    controller = probe(world)
    controller.enqueue_paced(KEY, 0.5)
    controller.enqueue_paced(("default", "cheap"), 0.001)
    assert await controller.step()
    assert not await controller.step()
    world.clock.at += 0.5
    assert await controller.step()
    assert controller.seen == [("default", "cheap"), KEY]
