"""What happened when: requests by version, errors and ready pods, on one time line?

Pods are followed through a watch, as any client of the API may; requests are counted from what a load brought back.
All times are seconds since the play began.
"""

import asyncio
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from mesh.api.core import Pod
from mesh.api.errors import ApiError
from mesh.client.base import Client
from mesh.testing.answers import FAILED, Answers

SLOT_S = 0.1
REACH_S = 0.5
"""How long the news of a pod may take to every proxy: what fails that shortly after an outage still belongs to it."""


@dataclass(frozen=True, slots=True)
class Count:
    """Pods from `at_s` on. ready: those that are ready and not on their way out.  total: all that have no end yet."""

    at_s: float
    ready: int
    total: int


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time."""

    begin_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        return self.end_s - self.begin_s


@dataclass(slots=True)
class PodLine:
    """How many pods with some labels were ready, from the first event to the last."""

    counts: list[Count] = field(default_factory=list)
    _pods: dict[str, tuple[bool, bool]] = field(default_factory=dict)

    def saw(self, at_s: float, kind: str, pod: Pod) -> None:
        """One event of the watch."""
        self.note(kind, pod)
        self.mark(at_s)

    def note(self, kind: str, pod: Pod) -> None:
        """Remember one pod's state. Pods that have failed or finished count no more."""
        if kind == "DELETED":
            self._pods.pop(pod.name, None)
        elif kind != "BOOKMARK":
            staying = pod.metadata.deletion_timestamp is None and pod.status.phase not in ("Failed", "Succeeded")
            self._pods[pod.name] = (pod.ready and staying, staying)

    def mark(self, at_s: float) -> None:
        """Note the counts as they are now, if they have changed."""
        states = self._pods.values()
        ready, total = sum(ready for ready, _ in states), sum(staying for _, staying in states)
        last = self.counts[-1] if self.counts else None
        if last is None or (last.ready, last.total) != (ready, total):
            self.counts.append(Count(at_s, ready, total))

    def at(self, moment_s: float) -> Count | None:
        """The counts at a moment; None before the first."""
        index = bisect_right(self.counts, moment_s, key=lambda count: count.at_s)
        return self.counts[index - 1] if index else None

    def outages(self, end_s: float) -> list[Span]:
        """When no pod was ready. end_s: the end of the line, for an outage that still lasts."""
        spans: list[Span] = []
        begin: float | None = None
        for count in self.counts:
            if count.ready == 0 and begin is None:
                begin = count.at_s
            elif count.ready and begin is not None:
                spans.append(Span(begin, count.at_s))
                begin = None
        return [*spans, Span(begin, end_s)] if begin is not None else spans


class PodWatch:
    """Follows the pods with some labels for the length of a `with` block. begin: the zero of its times, monotonic."""

    def __init__(self, client: Client, selector: str, namespace: str = "default", begin: float | None = None) -> None:
        self._client, self._selector, self._namespace = client, selector, namespace
        self.begin = time.monotonic() if begin is None else begin
        self.line = PodLine()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> PodLine:
        found = await self._client.list(Pod, self._namespace, self._selector)
        for pod in found.items:
            self.line.note("ADDED", pod)
        self.line.mark(self._now())
        self._task = asyncio.create_task(self._follow(found.resource_version), name="timeline/pods")
        return self.line

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _follow(self, version: str) -> None:
        while True:
            try:
                async for event in self._client.watch(Pod, version, self._namespace, self._selector):
                    version = event.object.metadata.resource_version or version
                    self.line.saw(self._now(), event.type, event.object)
            except (ApiError, OSError):
                await asyncio.sleep(SLOT_S)  # the mesh ends, or the watch was cut: go on from the last version

    def _now(self) -> float:
        return time.monotonic() - self.begin


def stray_failures(answers: Answers, outages: Sequence[Span], offset_s: float) -> list[float]:
    """Failed requests outside every outage, as seconds of the play. offset_s: when the load began in the play."""
    ended = [offset_s + at for at, who in zip(answers.at_s, answers.who, strict=True) if who == FAILED]
    return [at for at in ended if not any(span.begin_s <= at <= span.end_s + REACH_S for span in outages)]


@dataclass(frozen=True, slots=True)
class Slot:
    """What came back within one slot of time. good: answers per version.  failed: requests without a good answer."""

    at_s: float
    good: Counter[str]
    failed: int


def slots(answers: Answers, offset_s: float = 0.0, slot_s: float = SLOT_S) -> list[Slot]:
    """The answers of a load, slot by slot, empty ones too; a request belongs where it ended."""
    if not answers.sent:
        return []
    made = [Slot(offset_s + number * slot_s, Counter(), 0) for number in range(int(max(answers.at_s) / slot_s) + 1)]
    failed: Counter[int] = Counter()
    for at, who in zip(answers.at_s, answers.who, strict=True):
        index = int(at / slot_s)
        if who == FAILED:
            failed[index] += 1
        else:
            made[index].good[who] += 1
    return [Slot(slot.at_s, slot.good, failed[index]) for index, slot in enumerate(made)]
