"""What has changed in one resource since a given version?

A list of events in order of version, bounded by count. Whoever asks for something older than the list reaches back is
told so (TooOld) and lists again, as with a real API server.
"""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Literal

from mesh.store.record import Record


class TooOld(Exception):
    """The log no longer reaches back to the version that was asked for."""

    def __init__(self, version: int, oldest: int) -> None:
        super().__init__(f"too old resource version: {version} ({oldest})")
        self.version, self.oldest = version, oldest


@dataclass(frozen=True, slots=True)
class StoreEvent:
    """One change.

    new: the state after it; for DELETED the last state, at the version of the deletion.
    old: the state before it, None for ADDED: selectors need both.
    """

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    new: Record
    old: Record | None

    @property
    def version(self) -> int:
        return self.new.version


class EventLog:
    """The last `limit` (or up to a quarter more) events of one resource."""

    __slots__ = ("_events", "_versions", "floor", "limit")

    def __init__(self, floor: int, limit: int) -> None:
        self.floor = floor
        self.limit = limit
        self._events: list[StoreEvent] = []
        self._versions: list[int] = []

    def append(self, event: StoreEvent) -> None:
        """Remember an event; its version must be above all before."""
        self._events.append(event)
        self._versions.append(event.version)
        if len(self._events) > self.limit + self.limit // 4:
            cut = len(self._events) - self.limit
            self.floor = self._versions[cut - 1]
            del self._events[:cut], self._versions[:cut]

    def since(self, version: int) -> list[StoreEvent]:
        """All events above `version`, oldest first. Raises TooOld."""
        if version < self.floor:
            raise TooOld(version, self.floor)
        if not self._versions or version >= self._versions[-1]:
            return []
        return self._events[bisect_right(self._versions, version) :]

    def __len__(self) -> int:
        return len(self._events)
