"""How is a reconcile loop run?

Changes name keys; a key is reconciled by one worker at a time, never twice at once. A conflict means that the cache
was behind: the key comes back shortly. Any other failure is logged and comes back later and later.
"""

import asyncio
import logging
import random
from abc import ABC, abstractmethod
from dataclasses import dataclass

from mesh.api.errors import AlreadyExists, ApiError, Conflict, NotFound
from mesh.api.meta import Object
from mesh.client.base import Client
from mesh.client.workqueue import WorkQueue
from mesh.controllers.actions import Action, Create, Delete, Key, Note, Patch, Plan
from mesh.controllers.cache import Caches
from mesh.controllers.events import Recorder
from mesh.controllers.settings import Settings
from mesh.runtime.clock import Clock
from mesh.runtime.tasks import Tasks

log = logging.getLogger("mesh.controllers")
SHORTEST_PACE_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What every controller works with."""

    client: Client
    caches: Caches
    recorder: Recorder
    clock: Clock
    rng: random.Random
    settings: Settings


@dataclass(frozen=True, slots=True)
class Result:
    """requeue_after_s: look again after so long, None for at the next change."""

    requeue_after_s: float | None = None


DONE = Result()


class Controller(ABC):
    """A queue of keys and what to do with one."""

    name = "controller"

    def __init__(self, context: Context) -> None:
        self.context = context
        self.caches = context.caches
        self.clock = context.clock
        self.settings = context.settings
        self.queue: WorkQueue[Key] = WorkQueue()
        self._wake = asyncio.Event()

    @abstractmethod
    async def reconcile(self, key: Key) -> Result:
        """Compare what is with what should be for `key`, and act. Running it twice changes nothing."""

    def enqueue(self, key: Key, after_s: float = 0.0) -> None:
        """Reconcile `key`, after so many seconds at the latest."""
        self.queue.add_after(key, after_s, self.clock.now())
        self._wake.set()

    def enqueue_paced(self, key: Key, pace_s: float) -> None:
        """Reconcile `key` soon, but a costly one at most once in `pace_s`. Small paces count as none."""
        self.enqueue(key, 0.0 if pace_s < SHORTEST_PACE_S else pace_s)

    def start(self, tasks: Tasks) -> None:
        """Begin to work."""
        tasks.start(self._run(), f"controller-{self.name}")

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            if await self.step():
                await asyncio.sleep(0)
                continue
            due = self.queue.next_at()
            try:
                async with asyncio.timeout(None if due is None else max(0.0, due - self.clock.now())):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def step(self) -> bool:
        """Work on one key that is due; False when there is none."""
        key = self.queue.get(self.clock.now())
        if key is None:
            return False
        try:
            result = await self.reconcile(key)
            self.queue.forget(key)
            if result.requeue_after_s is not None:
                self.enqueue(key, result.requeue_after_s)
        except (Conflict, NotFound, AlreadyExists) as error:
            log.debug("the cache was behind controller=%s key=%s error=%s", self.name, key, error)
            self.queue.retry(key, self.clock.now())
        except ApiError as error:
            delay_s = self.queue.retry(key, self.clock.now())
            log.warning("refused controller=%s key=%s retry_s=%.2f error=%s", self.name, key, delay_s, error)
        except Exception:
            # One object that a controller can not handle must not stop it from handling the others.
            delay_s = self.queue.retry(key, self.clock.now())
            log.exception("failed controller=%s key=%s retry_s=%.2f", self.name, key, delay_s)
        finally:
            self.queue.done(key)
        return True

    async def carry_out(self, plan: Plan) -> Result:
        """Do what a plan says, in order; the first failure ends it."""
        for action in plan.actions:
            await self.perform(action)
        return Result(plan.requeue_after_s)

    async def perform(self, action: Action) -> Object | None:
        """Do one thing, and record its event once it is done. The answer is what was written, if anything was."""
        client = self.context.client
        written: Object | None = None
        if isinstance(action, Note):
            self.say(action)
            return None
        if isinstance(action, Create):
            written = await client.create(action.obj)
        elif isinstance(action, Patch):
            namespace, name = action.key
            written = await client.patch(action.cls, name, action.patch, namespace or None, action.subresource)
        else:
            await self._delete(action)
        if action.note is not None:
            self.say(action.note)
        return written

    async def _delete(self, action: Delete) -> None:
        namespace, name = action.key
        try:
            await self.context.client.delete(
                action.cls,
                name,
                namespace or None,
                propagation=action.propagation,
                grace_period_s=action.grace_period_s,
                uid=action.uid,
            )
        except (NotFound, Conflict):
            # Gone, or another object by now: what was to be deleted does not exist.
            log.debug("gone already kind=%s key=%s", action.cls.__name__, action.key)

    def say(self, note: Note) -> None:
        """Record an event in this controller's name."""
        self.context.recorder.record(note, self.name)
