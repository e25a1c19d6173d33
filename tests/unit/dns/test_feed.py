from collections.abc import Callable
from typing import Any, Generic, TypeVar

from mesh.api.core import Namespace
from mesh.api.meta import Object
from mesh.api.services import EndpointSlice, Service
from mesh.dns.feed import Feed

T = TypeVar("T", bound=Object)


class Source(Generic[T]):
    """Stands for an informer: a list, and callbacks when it changes."""

    def __init__(self, *objects: T) -> None:
        self.objects = list(objects)
        self.callbacks: list[Callable[[Any, Any], None]] = []

    def list(self) -> list[T]:
        return self.objects

    def on_change(self, callback: Callable[[Any, Any], None]) -> None:
        self.callbacks.append(callback)
        for item in self.objects:
            callback(None, item)  # what is there already is told at once

    def add(self, item: T) -> None:
        self.objects.append(item)
        for callback in self.callbacks:
            callback(None, item)


def service(name: str) -> Service:
    return Service.model_validate({"metadata": {"name": name, "namespace": "default"}})


def test_a_view_is_kept_until_something_changes() -> None:
    services: Source[Service] = Source(service("a"))
    slices: Source[EndpointSlice] = Source()
    namespaces: Source[Namespace] = Source()
    feed = Feed(services, slices, namespaces, dns_address="127.96.0.10")
    first = feed()
    assert feed() is first
    assert (first.serial, first.dns_address) == (2, "127.96.0.10")
    services.add(service("b"))
    services.add(service("c"))
    second = feed()
    assert (second.serial, len(second.services)) == (3, 3)
    namespaces.add(Namespace.model_validate({"metadata": {"name": "new"}}))
    assert "new" in feed().namespaces
