"""How does a user learn that an object is not in force, or looks wrong?

By a Warning event on the object, and for a rule that is not in force by its condition `Accepted`, which names the
field. One process of a mesh reports; the others only leave the object out.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from mesh.api.core import Event, EventSource
from mesh.api.destination import DestinationRule
from mesh.api.errors import ApiError, Invalid, NotFound
from mesh.api.meta import Condition, Object, ObjectMeta, ObjectReference
from mesh.api.scheme import kind_of
from mesh.api.traffic import RouteRule
from mesh.client.base import Client
from mesh.discovery.checks import Problem
from mesh.runtime.clock import Clock, rfc3339
from mesh.runtime.tasks import Tasks
from mesh.translate.findings import Finding

log = logging.getLogger("mesh.discovery")
COMPONENT = "mesh-discovery"
ACCEPTED, REFUSED = "Accepted", "Refused"
ATTEMPTS, PAUSE_S = 5, 0.5
Rule = RouteRule | DestinationRule
"""Kinds whose status says whether they are in force."""


@dataclass(frozen=True, slots=True)
class Report:
    """What is to be written about one object: an event, the status of a rule, or both."""

    obj: Object
    event: Event | None = None
    status: dict[str, Any] | None = None


class Reporter:
    """Writes events and conditions, in the background; what can not be written after some tries is logged."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self.clock = clock
        self._queue: asyncio.Queue[Report] = asyncio.Queue(maxsize=1000)
        self._said: dict[tuple[str, str, str], str] = {}
        """What was last said of each object that is refused now."""

    def start(self, tasks: Tasks) -> None:
        tasks.start(self._run(), "report")

    def refused(self, problem: Problem) -> None:
        """An object is not in force. Said once: our own words come back as a change of the same object."""
        obj = problem.obj
        key, said = (type(obj).__name__, *obj.key), f"{obj.metadata.uid} {problem}"
        if self._said.get(key) == said:
            return
        self._said[key] = said
        message = f"the last good version stays in force; {problem}"
        event = self._event(obj, REFUSED, problem.causes[0].field, message)
        self._put(Report(obj, event, self._status(obj, problem) if isinstance(obj, Rule) else None))

    def accepted(self, obj: Object) -> None:
        """An object is in force; worth a word only where its condition still says otherwise."""
        self._said.pop((type(obj).__name__, *obj.key), None)
        if isinstance(obj, Rule) and _says_refused(obj):
            self._put(Report(obj, status=self._status(obj, None)))

    def found(self, obj: Object, finding: Finding) -> None:
        """An object is in force, and something about it looks wrong."""
        self._put(Report(obj, self._event(obj, finding.code, finding.field, f"{finding.field}: {finding.message}")))

    def _put(self, report: Report) -> None:
        try:
            self._queue.put_nowait(report)
        except asyncio.QueueFull:
            log.warning("report dropped kind=%s object=%s/%s", type(report.obj).__name__, *report.obj.key)

    async def _run(self) -> None:
        while True:
            report = await self._queue.get()
            obj = report.obj
            if report.event is not None:
                await self._try(obj, partial(self._client.create, report.event))
            if report.status is not None:
                patch = {"status": report.status}
                write = partial(self._client.patch, type(obj), obj.name, patch, obj.namespace, subresource="status")
                await self._try(obj, write)

    async def _try(self, obj: Object, write: Callable[[], Awaitable[Object]]) -> None:
        for attempt in range(ATTEMPTS):
            try:
                await write()
                return
            except (NotFound, Invalid) as error:
                log.debug("not reported object=%s/%s error=%s", *obj.key, error)
                return
            except ApiError as error:
                log.debug("report failed object=%s/%s attempt=%d error=%s", *obj.key, attempt, error)
                await asyncio.sleep(PAUSE_S)
        log.warning("report given up object=%s/%s", *obj.key)

    def _status(self, rule: Rule, problem: Problem | None) -> dict[str, Any]:
        """The rule's conditions with ours renewed."""
        ours = Condition(
            type=ACCEPTED,
            status="False" if problem else "True",
            reason=REFUSED if problem else ACCEPTED,
            message=f"the last good version stays in force; {problem}" if problem else "in force",
            last_transition_time=rfc3339(self.clock.wall()),
            observed_generation=rule.metadata.generation,
        )
        kept = [condition for condition in _conditions(rule) if condition.type != ACCEPTED]
        return {"conditions": [one.model_dump(by_alias=True, exclude_none=True) for one in (*kept, ours)]}

    def _event(self, obj: Object, reason: str, field: str, message: str) -> Event:
        kind, now = kind_of(type(obj)), rfc3339(self.clock.wall())
        return Event(
            metadata=ObjectMeta(generate_name=f"{obj.name}-{reason.lower()}-", namespace=obj.namespace or "default"),
            involved_object=ObjectReference(
                api_version=kind.api_version,
                kind=kind.kind,
                namespace=obj.metadata.namespace,
                name=obj.name,
                uid=obj.metadata.uid,
                resource_version=obj.metadata.resource_version,
                field_path=field,
            ),
            type="Warning",
            reason=reason,
            message=message,
            source=EventSource(component=COMPONENT),
            count=1,
            first_timestamp=now,
            last_timestamp=now,
        )


def _conditions(rule: Rule) -> list[Condition]:
    return (rule.status.conditions if rule.status else None) or []


def _says_refused(rule: Rule) -> bool:
    return any(condition.type == ACCEPTED and condition.status == "False" for condition in _conditions(rule))
