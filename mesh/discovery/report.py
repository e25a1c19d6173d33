"""How does a user learn that an object is not in force?

By a Warning event on the object, and for a RouteRule by its condition `Accepted`, which names the field. One process
of a mesh reports; the others only leave the object out.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from mesh.api.core import Event, EventSource
from mesh.api.errors import ApiError, Invalid, NotFound
from mesh.api.meta import Condition, Object, ObjectMeta, ObjectReference
from mesh.api.scheme import kind_of
from mesh.api.traffic import RouteRule
from mesh.client.base import Client
from mesh.discovery.checks import Problem
from mesh.runtime.clock import Clock, rfc3339
from mesh.runtime.tasks import Tasks

log = logging.getLogger("mesh.discovery")
COMPONENT = "mesh-discovery"
ACCEPTED = "Accepted"
ATTEMPTS, PAUSE_S = 5, 0.5


class Reporter:
    """Writes events and conditions, in the background; what can not be written after some tries is logged."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._queue: asyncio.Queue[tuple[Object, Problem | None]] = asyncio.Queue(maxsize=1000)
        self._said: dict[tuple[str, str, str], str] = {}
        """What was last said of each object that is refused now."""

    def start(self, tasks: Tasks) -> None:
        tasks.start(self._run(), "report")

    def refused(self, problem: Problem) -> None:
        """An object is not in force. Said once: our own words come back as a change of the same object."""
        obj = problem.obj
        key, said = (type(obj).__name__, *obj.key), f"{obj.metadata.uid} {problem}"
        if self._said.get(key) != said:
            self._said[key] = said
            self._put(obj, problem)

    def accepted(self, obj: Object) -> None:
        """An object is in force; worth a word only where its condition still says otherwise."""
        self._said.pop((type(obj).__name__, *obj.key), None)
        if isinstance(obj, RouteRule) and _says_refused(obj):
            self._put(obj, None)

    def _put(self, obj: Object, problem: Problem | None) -> None:
        try:
            self._queue.put_nowait((obj, problem))
        except asyncio.QueueFull:
            log.warning("report dropped kind=%s object=%s/%s", type(obj).__name__, *obj.key)

    async def _run(self) -> None:
        while True:
            obj, problem = await self._queue.get()
            now = rfc3339(self._clock.wall())
            if problem is not None:
                await self._try(obj, partial(self._client.create, _event(problem, now)))
            if isinstance(obj, RouteRule):
                patch = {"status": {"conditions": _conditions(obj, problem, now)}}
                write = partial(self._client.patch, RouteRule, obj.name, patch, obj.namespace, subresource="status")
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


def _says_refused(rule: RouteRule) -> bool:
    conditions = (rule.status.conditions if rule.status else None) or []
    return any(condition.type == ACCEPTED and condition.status == "False" for condition in conditions)


def _conditions(rule: RouteRule, problem: Problem | None, now: str) -> list[dict[str, object]]:
    """The rule's conditions with ours renewed."""
    kept = [
        condition for condition in (rule.status.conditions if rule.status else None) or () if condition.type != ACCEPTED
    ]
    ours = Condition(
        type=ACCEPTED,
        status="False" if problem else "True",
        reason="Refused" if problem else "Accepted",
        message=f"the last good version stays in force; {problem}" if problem else "in force",
        last_transition_time=now,
        observed_generation=rule.metadata.generation,
    )
    return [condition.model_dump(by_alias=True, exclude_none=True) for condition in (*kept, ours)]


def _event(problem: Problem, now: str) -> Event:
    obj = problem.obj
    kind = kind_of(type(obj))
    return Event(
        metadata=ObjectMeta(generate_name=f"{obj.name}-refused-", namespace=obj.namespace or "default"),
        involved_object=ObjectReference(
            api_version=kind.api_version,
            kind=kind.kind,
            namespace=obj.metadata.namespace,
            name=obj.name,
            uid=obj.metadata.uid,
            resource_version=obj.metadata.resource_version,
            field_path=problem.causes[0].field,
        ),
        type="Warning",
        reason="Refused",
        message=f"the last good version stays in force; {problem}",
        source=EventSource(component=COMPONENT),
        count=1,
        first_timestamp=now,
        last_timestamp=now,
    )
