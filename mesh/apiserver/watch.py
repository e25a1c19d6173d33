"""What does one watcher get to see?

A watcher is a position in the event log and a pair of selectors. It reads on from its position whenever it is woken, so
a slow one holds no queue; one that is slower than the log is long is told that its version has expired.
"""

import asyncio
from dataclasses import dataclass
from typing import Literal

import orjson

from mesh.api.errors import Expired
from mesh.api.selectors import EVERYTHING, NO_FIELDS, FieldSelector, Selector
from mesh.store import Record, Store, StoreEvent, TooOld

EventType = Literal["ADDED", "MODIFIED", "DELETED"]


@dataclass(frozen=True, slots=True)
class Scope:
    """Which objects of a resource are meant. namespace None: all of them."""

    namespace: str | None = None
    labels: Selector = EVERYTHING
    fields: FieldSelector = NO_FIELDS

    def covers(self, record: Record) -> bool:
        return (
            (self.namespace is None or record.namespace == self.namespace)
            and (self.labels.empty or self.labels.matches(record.labels))
            and self.fields.matches_flat(record.fields)
        )


@dataclass(frozen=True, slots=True)
class Change:
    """One event as a watcher with selectors sees it."""

    type: EventType
    record: Record


def seen_through(scope: Scope, event: StoreEvent) -> Change | None:
    """A store event as the scope shows it: an object that stops matching is DELETED, one that starts is ADDED."""
    now, old = event.new, event.old
    if event.type == "DELETED":
        return Change("DELETED", now) if scope.covers(now) else None
    was_in = old is not None and scope.covers(old)
    if scope.covers(now):
        return Change("MODIFIED" if was_in else "ADDED", now)
    if was_in and old is not None:
        return Change("DELETED", _at_version(old, now.version))
    return None


def _at_version(record: Record, version: int) -> Record:
    obj = record.load()
    obj["metadata"]["resourceVersion"] = str(version)
    return Record(
        record.resource, record.namespace, record.name, version, record.uid, orjson.dumps(obj), record.labels,
        record.fields,
    )  # fmt: skip


class Watcher:
    """Changes of one resource after a version. Must be closed."""

    def __init__(self, store: Store, resource: str, scope: Scope, version: int) -> None:
        self._store, self._resource, self._scope = store, resource, scope
        self.version = version
        self._woken = asyncio.Event()
        self._end = store.subscribe(resource, self._wake)

    def _wake(self, _event: StoreEvent) -> None:
        self._woken.set()

    def close(self) -> None:
        """Stop listening."""
        self._end()

    def read(self) -> list[Change]:
        """What has happened since the last read; never waits. Raises Expired."""
        self._woken.clear()
        try:
            events = self._store.since(self._resource, self.version)
        except TooOld as error:
            raise Expired(str(error)) from error
        changes = [change for event in events if (change := seen_through(self._scope, event)) is not None]
        self.version = self._store.version
        return changes

    async def wait(self, timeout_s: float | None = None) -> bool:
        """Until something may have happened; False when the time is up first."""
        if timeout_s is None:
            await self._woken.wait()
            return True
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            return False
        return True
