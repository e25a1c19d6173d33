"""What does the API hold right now, as seen from memory?

An informer lists once, follows the watch, and keeps a cache that is always readable: while the API server is away the
last known state stays. Whoever wants to hear about changes registers a callback; it is called after the cache changed,
with the object before and after. Cached objects are shared: readers do not change them.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from mesh.api.errors import ApiError, Expired
from mesh.api.meta import Object
from mesh.client.base import Client, ListResult, WatchEvent
from mesh.runtime.tasks import Tasks

log = logging.getLogger("mesh.client")
T = TypeVar("T", bound=Object)
OnChange = Callable[[T | None, T | None], None]
FIRST_RETRY_S, LAST_RETRY_S = 0.05, 1.0


class Informer(Generic[T]):
    """The cache of one kind, narrowed by namespace and selectors.

    transform: applied to every object before it is cached, for example to drop what nobody reads.
    """

    def __init__(
        self,
        client: Client,
        cls: type[T],
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        transform: Callable[[T], T] | None = None,
    ) -> None:
        self.cls = cls
        self._client = client
        self._scope = (namespace, label_selector, field_selector)
        self._transform = transform
        self._cache: dict[tuple[str, str], T] = {}
        self._callbacks: list[OnChange[T]] = []
        self._synced = asyncio.Event()
        self._task: asyncio.Task[Any] | None = None
        self.resource_version = ""

    def start(self, tasks: Tasks) -> None:
        """Begin to follow; the task belongs to `tasks`. A second call changes nothing."""
        if self._task is None:
            self._task = tasks.start(self._run(), f"informer-{self.cls.__name__}")

    async def synced(self) -> None:
        """Wait until the first list has arrived and its callbacks have run."""
        await self._synced.wait()

    @property
    def has_synced(self) -> bool:
        return self._synced.is_set()

    def get(self, name: str, namespace: str | None = None) -> T | None:
        """One cached object; leave the namespace out for cluster-scoped kinds."""
        return self._cache.get((namespace or "", name))

    def list(self) -> Iterable[T]:
        """All cached objects, in no order. Do not await while iterating; copy it first."""
        return self._cache.values()

    def __len__(self) -> int:
        return len(self._cache)

    def on_change(self, callback: OnChange[T]) -> None:
        """Call `callback(old, new)` after each change; None stands for absence. What is cached already is told now."""
        self._callbacks.append(callback)
        for obj in tuple(self._cache.values()):
            self._call(callback, None, obj)

    async def _run(self) -> None:
        retry_s, listed = FIRST_RETRY_S, False
        while True:
            try:
                if not listed:
                    self._replace(await self._client.list(self.cls, *self._scope))
                    listed = True
                retry_s = FIRST_RETRY_S
                async for event in self._client.watch(self.cls, self.resource_version, *self._scope):
                    self._apply(event)
            except Expired:
                listed = False
            except ApiError as error:
                log.debug("API away kind=%s retry_s=%.2f error=%s", self.cls.__name__, retry_s, error)
                # Only a server that cannot be reached keeps our version; any other refusal starts over.
                listed = listed and error.code == 503
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, LAST_RETRY_S)

    def _replace(self, listed: ListResult[T]) -> None:
        fresh = {obj.key: obj for obj in listed.items}
        for key in [key for key in self._cache if key not in fresh]:
            self._set(key, None)
        for key, obj in fresh.items():
            self._set(key, obj)
        self.resource_version = listed.resource_version
        self._synced.set()

    def _apply(self, event: WatchEvent[T]) -> None:
        if event.type != "BOOKMARK":
            self._set(event.object.key, None if event.type == "DELETED" else event.object)
        self.resource_version = event.object.metadata.resource_version or self.resource_version

    def _set(self, key: tuple[str, str], new: T | None) -> None:
        old = self._cache.get(key)
        if new is None:
            if old is not None:
                del self._cache[key]
                self._tell(old, None)
            return
        if old is not None and old.metadata.resource_version == new.metadata.resource_version:
            return
        if self._transform is not None:
            new = self._transform(new)
        if old is not None and old.metadata.uid != new.metadata.uid:
            # Deleted and created again while nobody watched: two changes, not one.
            del self._cache[key]
            self._tell(old, None)
            old = None
        self._cache[key] = new
        self._tell(old, new)

    def _tell(self, old: T | None, new: T | None) -> None:
        for callback in tuple(self._callbacks):
            self._call(callback, old, new)

    def _call(self, callback: OnChange[T], old: T | None, new: T | None) -> None:
        try:
            callback(old, new)
        except Exception:
            # One listener's mistake must not stop the cache that the others read; it is logged with its trace.
            log.exception("a change callback failed kind=%s callback=%r", self.cls.__name__, callback)


class Informers:
    """One shared informer a kind and scope, so that several readers cost one watch and one cache."""

    def __init__(self, client: Client, tasks: Tasks) -> None:
        self._client, self._tasks = client, tasks
        self._made: dict[tuple[type[Object], str | None, str, str], Informer[Any]] = {}

    def of(
        self, cls: type[T], namespace: str | None = None, label_selector: str = "", field_selector: str = ""
    ) -> Informer[T]:
        """The informer of that scope, started on first use."""
        key = (cls, namespace, label_selector, field_selector)
        if key not in self._made:
            self._made[key] = Informer(self._client, cls, namespace, label_selector, field_selector)
            self._made[key].start(self._tasks)
        return self._made[key]

    async def synced(self) -> None:
        """Wait until every informer made so far has its first list."""
        for informer in tuple(self._made.values()):
            await informer.synced()

    def __iter__(self) -> Iterator[Informer[Any]]:
        return iter(self._made.values())
