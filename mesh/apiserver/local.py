"""How does a part of the control process use the API without a socket?

The client contract straight on the registry. Models are encoded on the way in and decoded on the way out, so that no
caller ever holds a piece of the store.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar

from mesh.api import scheme, selectors
from mesh.api.deletion import DeleteOptions
from mesh.api.meta import Object
from mesh.apiserver.patch import apply_patch
from mesh.apiserver.registry import Registry
from mesh.apiserver.watch import Scope
from mesh.client import decoding
from mesh.client.base import MERGE_PATCH, ListResult, WatchEvent
from mesh.store import Record

T = TypeVar("T", bound=Object)
_WHOLE = ("", "status")
"""What a patch may be of for its result to be an ordinary update."""


class LocalClient:
    """Implements `mesh.client.base.Client` in the API server's own process."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def get(self, cls: type[T], name: str, namespace: str | None = None) -> T:
        return _model(cls, self._registry.get(scheme.kind_of(cls), namespace or "", name))

    async def list(
        self, cls: type[T], namespace: str | None = None, label_selector: str = "", field_selector: str = ""
    ) -> ListResult[T]:
        listing = self._registry.list(scheme.kind_of(cls), scope(namespace, label_selector, field_selector))
        items = [obj for found in listing.records if (obj := decoding.read(cls, found.data)) is not None]
        return ListResult(items, str(listing.version))

    async def create(self, obj: T) -> T:
        await self._take_turns()
        kind = scheme.kind_of(type(obj))
        made = self._registry.create(kind, scheme.encode(obj), obj.namespace, trusted=True)
        return _model(type(obj), made)

    async def update(self, obj: T) -> T:
        await self._take_turns()
        kind = scheme.kind_of(type(obj))
        data = scheme.encode(obj)
        return _model(type(obj), self._registry.update(kind, data, obj.namespace, obj.name, trusted=True))

    async def update_status(self, obj: T) -> T:
        await self._take_turns()
        kind = scheme.kind_of(type(obj))
        data = scheme.encode(obj)
        return _model(type(obj), self._registry.update_status(kind, data, obj.namespace, obj.name, trusted=True))

    async def patch(
        self,
        cls: type[T],
        name: str,
        patch: dict[str, Any] | Sequence[dict[str, Any]],
        namespace: str | None = None,
        subresource: str = "",
        content_type: str = MERGE_PATCH,
    ) -> T:
        await self._take_turns()
        kind = scheme.kind_of(cls)
        change = apply_patch(kind, content_type, patch)
        if subresource not in _WHOLE:
            return _model(cls, self._registry.patch(kind, namespace or "", name, change, subresource=subresource))
        # As `Registry.patch`, but the change is this program's own: its shape needs no check.
        old = self._registry.get(kind, namespace or "", name)
        write = self._registry.update_status if subresource else self._registry.update
        return _model(cls, write(kind, change(old.load()), old.namespace, name, trusted=True))

    async def delete(
        self,
        cls: type[T],
        name: str,
        namespace: str | None = None,
        *,
        propagation: str | None = None,
        grace_period_s: int | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> None:
        await self._take_turns()
        options = DeleteOptions(
            propagation=propagation, grace_period_s=grace_period_s, uid=uid, resource_version=resource_version
        )
        self._registry.delete(scheme.kind_of(cls), namespace or "", name, options)

    async def watch(
        self,
        cls: type[T],
        resource_version: str,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[WatchEvent[T]]:
        where = scope(namespace, label_selector, field_selector)
        watcher = self._registry.watch(scheme.kind_of(cls), where, int(resource_version or 0))
        try:
            while True:
                for change in watcher.read():
                    obj = decoding.read(cls, change.record.data)
                    if obj is not None:
                        yield WatchEvent(change.type, obj)
                await watcher.wait()
        finally:
            watcher.close()

    @staticmethod
    async def _take_turns() -> None:
        """A caller that writes a thousand objects in a row must not keep requests and watchers waiting for all."""
        await asyncio.sleep(0)


def scope(namespace: str | None, label_selector: str = "", field_selector: str = "") -> Scope:
    """The scope of the client contract's arguments. Raises BadRequest."""
    return Scope(
        namespace or None,
        selectors.parse(label_selector) if label_selector else selectors.EVERYTHING,
        selectors.parse_fields(field_selector) if field_selector else selectors.NO_FIELDS,
    )


def _model(cls: type[T], found: Record) -> T:
    return cls.model_validate_json(found.data)
