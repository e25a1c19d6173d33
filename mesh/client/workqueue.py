"""Which key should be worked on next, and when?

A key is queued at most once; a key that is added while it is being worked on comes again afterwards; a failing key
comes back later and later. The queue takes `now` and never waits: its owner sleeps until `next_at`.
"""

import heapq
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
FIRST_DELAY_S, LAST_DELAY_S = 0.005, 30.0


class WorkQueue(Generic[K]):
    """Keys to reconcile. first_delay_s doubles with each failure of a key, up to last_delay_s."""

    def __init__(self, first_delay_s: float = FIRST_DELAY_S, last_delay_s: float = LAST_DELAY_S) -> None:
        self._first_delay_s, self._last_delay_s = first_delay_s, last_delay_s
        self._ready: deque[K] = deque()
        self._queued: set[K] = set()
        self._working: set[K] = set()
        self._again: set[K] = set()
        self._due: dict[K, float] = {}
        self._timers: list[tuple[float, int, K]] = []
        self._count = 0
        self._failures: dict[K, int] = {}

    def add(self, key: K) -> None:
        """Work on `key` as soon as possible."""
        if key in self._working:
            self._again.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            self._ready.append(key)

    def add_after(self, key: K, delay_s: float, now: float) -> None:
        """Work on `key` in `delay_s` seconds, or at an earlier time that was asked for already."""
        if delay_s <= 0:
            self.add(key)
            return
        due = now + delay_s
        if key in self._due and self._due[key] <= due:
            return
        self._due[key] = due
        self._count += 1
        heapq.heappush(self._timers, (due, self._count, key))

    def retry(self, key: K, now: float) -> float:
        """Come back to a key that failed; the answer is the delay."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay_s = min(self._first_delay_s * 2.0 ** min(failures, 32), self._last_delay_s)
        self.add_after(key, delay_s, now)
        return delay_s

    def forget(self, key: K) -> None:
        """The key went well: its next failure starts from the first delay again."""
        self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        """How often in a row the key has failed."""
        return self._failures.get(key, 0)

    def get(self, now: float) -> K | None:
        """The next key, which is then being worked on until `done`; None when nothing is due."""
        while self._timers and self._timers[0][0] <= now:
            due, _, key = heapq.heappop(self._timers)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)
        if not self._ready:
            return None
        key = self._ready.popleft()
        self._queued.discard(key)
        self._working.add(key)
        return key

    def done(self, key: K) -> None:
        """The work on `key` has ended, well or not."""
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def next_at(self) -> float | None:
        """When `get` will have something: -inf for now, None for never (until something is added)."""
        if self._ready:
            return float("-inf")
        while self._timers and self._due.get(self._timers[0][2]) != self._timers[0][0]:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def __len__(self) -> int:
        """Keys that wait or are being worked on, timers included."""
        return len(self._queued | self._working | set(self._due))
