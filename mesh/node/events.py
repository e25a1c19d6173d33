"""How does a node tell people what happens to a pod, and kube-proxy of a service? By events, counted when repeated.

Events wait in a bounded queue for a single writer, so that they never hold up a status nor make anybody wait.
"""

import asyncio
import logging
import uuid
from collections import OrderedDict
from dataclasses import dataclass

from mesh.api.core import Event, EventSource, Pod
from mesh.api.errors import AlreadyExists, ApiError, NotFound
from mesh.api.meta import Object, ObjectMeta, ObjectReference
from mesh.client.base import Client
from mesh.runtime.clock import Clock, rfc3339
from mesh.runtime.tasks import Tasks

log = logging.getLogger("mesh.node")
MAX_REMEMBERED = 1000
MAX_WAITING = 2000
MAX_EAGER = 10
PROMPT, PACE_S = 100, 0.05
"""Where so many events were written in a row, the everyday ones that still wait come one by one: a thousand pods that
start have better use for the processor."""
"""So often an event that repeats is written each time; then only every tenth time, with the full count."""


@dataclass(slots=True)
class _Told:
    name: str
    count: int = 0
    first: str = ""
    last: str = ""
    written: bool = False
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class _What:
    """One kind of event of one object. Many may wait, so it holds no more than the words."""

    kind: str
    namespace: str
    name: str
    uid: str | None
    field_path: str | None
    reason: str
    message: str
    warning: bool


def _list_of(holder: Object, container: str) -> str:
    """The list of the spec that holds the container."""
    init = holder.spec.init_containers if isinstance(holder, Pod) else None
    return "initContainers" if any(known.name == container for known in init or ()) else "containers"


class Recorder:
    """Writes events without making anybody wait; a failure to write is only logged."""

    def __init__(self, client: Client, node_name: str, clock: Clock, component: str = "kubelet") -> None:
        self._client, self._node, self._clock, self._component = client, node_name, clock, component
        self._told: OrderedDict[tuple[str | None, str, str], _Told] = OrderedDict()
        self._queue: asyncio.PriorityQueue[tuple[bool, int, _What, _Told]] = asyncio.PriorityQueue(MAX_WAITING)
        self._serial = 0

    def start(self, tasks: Tasks) -> None:
        tasks.start(self._write_all(), "events")

    def tell(self, pod: Object, reason: str, message: str, warning: bool = False, container: str | None = None) -> None:
        """One event on the pod, or on another object of API version v1. reason: CamelCase, as the kubelet writes it."""
        told = self._count(pod, reason, message)
        if told.waiting or (told.count > MAX_EAGER and told.count % MAX_EAGER):
            return
        place = f"spec.{_list_of(pod, container)}{{{container}}}" if container else None
        what = _What(type(pod).__name__, pod.namespace, pod.name, pod.metadata.uid, place, reason, message, warning)
        try:
            self._serial += 1
            self._queue.put_nowait((not warning, self._serial, what, told))
            told.waiting = True
        except asyncio.QueueFull:
            log.warning("event dropped, too many wait pod=%s reason=%s message=%s", pod.name, reason, message)

    def _count(self, pod: Object, reason: str, message: str) -> _Told:
        key = (pod.metadata.uid, reason, message)
        told = self._told.get(key)
        if told is None:
            told = self._told[key] = _Told(f"{pod.name}.{uuid.uuid4().hex[:16]}")
        self._told.move_to_end(key)
        if len(self._told) > MAX_REMEMBERED:
            self._told.popitem(last=False)
        told.count += 1
        told.last = rfc3339(self._clock.wall())
        told.first = told.first or told.last
        return told

    async def _write_all(self) -> None:
        in_a_row = 0
        while True:
            in_a_row = 0 if self._queue.empty() else in_a_row + 1
            everyday, _, what, told = await self._queue.get()
            if everyday and in_a_row > PROMPT:
                await asyncio.sleep(PACE_S)
            told.waiting = False
            try:
                await self._write(what, told)
            except ApiError as error:
                log.debug("event not written reason=%s error=%s", what.reason, error)

    async def _write(self, what: _What, told: _Told) -> None:
        namespace = what.namespace or "default"
        if told.written:
            again = {"count": told.count, "lastTimestamp": told.last}
            try:
                await self._client.patch(Event, told.name, again, namespace)
                return
            except NotFound:
                pass  # events are kept for a while only
        event = Event(
            metadata=ObjectMeta(name=told.name, namespace=namespace),
            involved_object=ObjectReference(
                api_version="v1",
                kind=what.kind,
                name=what.name,
                namespace=namespace,
                uid=what.uid,
                field_path=what.field_path,
            ),
            reason=what.reason,
            message=what.message,
            type="Warning" if what.warning else "Normal",
            source=EventSource(component=self._component, host=self._node or None),
            reporting_component=self._component,
            count=told.count,
            first_timestamp=told.first,
            last_timestamp=told.last,
        )
        try:
            await self._client.create(event)
        except AlreadyExists:
            pass  # written before, and the answer was lost
        told.written = True
