"""How are events recorded without drowning the store?

Callers hand in notes and go on; a task writes them. The same event about the same object is counted up instead of
stored again, an object that shouts is cut off after a burst, and what is older than an hour is swept away.
"""

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass

from mesh.api.core import Event, EventSource
from mesh.api.errors import ApiError, NotFound
from mesh.api.meta import ObjectMeta
from mesh.client.base import Client
from mesh.controllers.actions import Note
from mesh.controllers.facts import seconds_of
from mesh.runtime.clock import Clock, rfc3339
from mesh.runtime.tasks import Tasks

log = logging.getLogger("mesh.controllers")
REMEMBERED = 1024
WAITING = 10_000
BURST = 25
REFILL_S = 300.0
SWEEP_S = 60.0

_Same = tuple[str | None, str | None, str, str, str, str]


@dataclass(slots=True)
class _Known:
    """An event that is stored, or about to be. dirty: it must be written (again)."""

    event: Event
    count: int
    last_wall: float
    stored: bool = False
    dirty: bool = False


@dataclass(slots=True)
class _Budget:
    """How many more events an object may cause."""

    left: float
    at: float


class Recorder:
    """Writes Events. ttl_s: kept so long after the last occurrence; most: kept at once."""

    def __init__(self, client: Client, clock: Clock, *, ttl_s: float, most: int) -> None:
        self._client, self._clock = client, clock
        self._ttl_s, self._most = ttl_s, most
        self._known: OrderedDict[_Same, _Known] = OrderedDict()
        self._budgets: OrderedDict[str, _Budget] = OrderedDict()
        self._waiting: OrderedDict[_Same, _Known] = OrderedDict()
        self._serial = 0
        self._wake = asyncio.Event()
        self.dropped = 0

    def record(self, note: Note, component: str) -> None:
        """Have an event written soon; never waits, never fails."""
        about = note.about
        same: _Same = (about.uid, about.name, note.type, note.reason, note.message, component)
        wall = self._clock.wall()
        known = self._known.get(same)
        if known is None or wall - known.last_wall > self._ttl_s:
            if not self._allowed(f"{about.uid}/{component}") or len(self._waiting) >= WAITING:
                self.dropped += 1
                return
            known = self._known[same] = _Known(self._event(note, component, wall), 0, wall)
        self._known.move_to_end(same)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        known.count += 1
        known.last_wall = wall
        known.dirty = True
        self._waiting[same] = known
        self._wake.set()

    def _allowed(self, who: str) -> bool:
        """A burst, then one in five minutes. Source: Kubernetes' event spam filter."""
        now = self._clock.now()
        budget = self._budgets.setdefault(who, _Budget(BURST, now))
        self._budgets.move_to_end(who)
        if len(self._budgets) > REMEMBERED:
            self._budgets.popitem(last=False)
        budget.left = min(BURST, budget.left + (now - budget.at) / REFILL_S)
        budget.at = now
        if budget.left < 1:
            return False
        budget.left -= 1
        return True

    def _event(self, note: Note, component: str, wall: float) -> Event:
        self._serial += 1
        stamp = rfc3339(wall)
        return Event(
            metadata=ObjectMeta(
                name=f"{note.about.name}.{int(wall * 1e6):x}{self._serial & 0xFFF:03x}",
                namespace=note.about.namespace or "default",
            ),
            involved_object=note.about,
            reason=note.reason,
            message=note.message,
            type=note.type,
            source=EventSource(component=component),
            reporting_component=component,
            first_timestamp=stamp,
            last_timestamp=stamp,
            count=1,
        )

    def start(self, tasks: Tasks) -> None:
        """Begin to write and to sweep."""
        tasks.start(self._write(), "events-write")
        tasks.start(self._sweep(), "events-sweep")

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.flush()

    async def flush(self) -> None:
        """Write everything that waits."""
        while self._waiting:
            same, known = self._waiting.popitem(last=False)
            known.dirty = False
            try:
                await self._store(known)
            except ApiError as error:
                # An event is a courtesy: one that can not be stored (its namespace is going) is let go.
                log.debug("event not stored about=%s error=%s", known.event.involved_object.name, error)
                self._known.pop(same, None)
            await asyncio.sleep(0)

    async def _store(self, known: _Known) -> None:
        event = known.event
        if known.stored:
            patch = {"count": known.count, "lastTimestamp": rfc3339(known.last_wall)}
            try:
                await self._client.patch(Event, event.name, patch, event.namespace)
                return
            except NotFound:
                log.debug("event was deleted name=%s", event.name)
        stamp = rfc3339(known.last_wall)
        await self._client.create(event.model_copy(update={"count": known.count, "last_timestamp": stamp}))
        known.stored = True

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                await self.sweep()
            except ApiError as error:
                log.warning("events not swept error=%s", error)

    async def sweep(self) -> None:
        """Delete what is too old, and the oldest of what is too much. Other parts' events are included."""
        events = sorted((await self._client.list(Event)).items, key=_last_seen)
        limit = self._clock.wall() - self._ttl_s
        surplus = len(events) - self._most
        for index, event in enumerate(events):
            if index >= surplus and _last_seen(event) >= limit:
                return
            try:
                await self._client.delete(Event, event.name, event.namespace)
            except NotFound:
                log.debug("event was deleted name=%s", event.name)
            await asyncio.sleep(0)


def _last_seen(event: Event) -> float:
    stamps = (event.last_timestamp, event.event_time, event.metadata.creation_timestamp)
    return next((seconds for stamp in stamps if (seconds := seconds_of(stamp)) is not None), 0.0)
