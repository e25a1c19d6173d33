"""How does the node tell people what happens to a pod? Events; the same one again only counts up."""

import logging
import uuid
from collections import OrderedDict

from mesh.api.core import Event, EventSource, Pod
from mesh.api.errors import ApiError
from mesh.api.meta import ObjectMeta, ObjectReference
from mesh.client.base import Client
from mesh.runtime.clock import Clock, rfc3339
from mesh.runtime.tasks import Tasks

log = logging.getLogger("mesh.node")
MAX_REMEMBERED = 1000


class Recorder:
    """Writes events without making anybody wait; a failure to write is only logged."""

    def __init__(self, client: Client, node_name: str, clock: Clock, tasks: Tasks) -> None:
        self._client, self._node, self._clock, self._tasks = client, node_name, clock, tasks
        self._seen: OrderedDict[tuple[str | None, str, str], tuple[str, int]] = OrderedDict()

    def tell(self, pod: Pod, reason: str, message: str, warning: bool = False, container: str | None = None) -> None:
        """One event on the pod. reason: CamelCase, as the kubelet writes it."""
        key = (pod.metadata.uid, reason, message)
        name, count = self._seen.get(key, (f"{pod.name}.{uuid.uuid4().hex[:16]}", 0))
        self._seen[key] = (name, count + 1)
        self._seen.move_to_end(key)
        if len(self._seen) > MAX_REMEMBERED:
            self._seen.popitem(last=False)
        when = rfc3339(self._clock.wall())
        if count:
            again = {"count": count + 1, "lastTimestamp": when}
            self._tasks.start(self._write(self._client.patch(Event, name, again, pod.namespace)), f"event-{reason}")
            return
        field = f"spec.containers{{{container}}}" if container else None
        event = Event(
            metadata=ObjectMeta(name=name, namespace=pod.namespace),
            involved_object=ObjectReference(
                api_version="v1", kind="Pod", name=pod.name, namespace=pod.namespace, uid=pod.metadata.uid,
                field_path=field,
            ),
            reason=reason,
            message=message,
            type="Warning" if warning else "Normal",
            source=EventSource(component="kubelet", host=self._node),
            reporting_component="kubelet",
            count=1,
            first_timestamp=when,
            last_timestamp=when,
        )  # fmt: skip
        self._tasks.start(self._write(self._client.create(event)), f"event-{reason}")

    @staticmethod
    async def _write(call: object) -> None:
        try:
            await call  # type: ignore[misc]
        except ApiError as error:
            log.debug("event not written error=%s", error)
