import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Generic, TypeVar

import pytest

from mesh.api.core import Namespace
from mesh.api.meta import Object
from mesh.api.services import EndpointSlice, Ingress, Service
from mesh.dns.feed import Feed
from mesh.dns.view import view

T = TypeVar("T", bound=Object)


class Source(Generic[T]):
    """Stands for an informer: a cache, and callbacks when it changes."""

    def __init__(self, *objects: T) -> None:
        self.objects = {(o.metadata.namespace, o.metadata.name): o for o in objects}
        self.callbacks: list[Callable[[Any, Any], None]] = []

    def list(self) -> list[T]:
        return list(self.objects.values())

    def on_change(self, callback: Callable[[Any, Any], None]) -> None:
        self.callbacks.append(callback)
        for item in self.objects.values():
            callback(None, item)  # what is there already is told at once

    def put(self, item: T) -> None:
        key = (item.metadata.namespace, item.metadata.name)
        old = self.objects.get(key)
        self.objects[key] = item
        for callback in self.callbacks:
            callback(old, item)

    def drop(self, item: T) -> None:
        del self.objects[item.metadata.namespace, item.metadata.name]
        for callback in self.callbacks:
            callback(item, None)


def service(name: str, **spec: Any) -> Service:
    return Service.model_validate({"metadata": {"name": name, "namespace": "default"}, "spec": spec})


def balanced(name: str, *addresses: str) -> dict[str, Any]:
    hostname = f"{name}-default.elb.loopmesh.internal"
    return {"loadBalancer": {"ingress": [{"ip": address, "hostname": hostname} for address in addresses]}}


def test_a_view_is_kept_until_something_changes() -> None:
    services = Source(service("a"))
    namespaces: Source[Namespace] = Source()
    feed = Feed(services, Source[EndpointSlice](), namespaces, dns_address="127.96.0.10")
    first = feed()
    assert feed() is first
    assert first.dns_address == "127.96.0.10"
    services.put(service("b"))
    services.put(service("c"))
    second = feed()
    assert (second.serial, len(second.services)) == (first.serial + 1, 3)
    namespaces.put(Namespace.model_validate({"metadata": {"name": "new"}}))
    assert "new" in feed().namespaces


def test_what_did_not_change_keeps_its_value() -> None:
    services = Source(service("a", clusterIP="127.96.0.1"), service("b", clusterIP="127.96.0.2"))
    feed = Feed(services, Source[EndpointSlice](), Source[Namespace]())
    first = feed()
    services.put(service("b", clusterIP="127.96.0.3"))
    services.put(service("a", clusterIP="127.96.0.1"))  # told again, with nothing new
    second = feed()
    assert second.services["default", "a"] is first.services["default", "a"]
    assert second.pointers["127.96.0.1"] is first.pointers["127.96.0.1"]
    assert "127.96.0.2" not in second.pointers


def test_load_balancers_come_and_go_with_their_owner() -> None:
    meta = {"name": "web", "namespace": "default"}
    ingresses: Source[Ingress] = Source()
    feed = Feed(Source[Service](), Source[EndpointSlice](), Source[Namespace](), ingresses)
    ingress = Ingress.model_validate({"metadata": meta, "status": balanced("web", "127.20.0.1", "127.20.1.1")})
    ingresses.put(ingress)
    assert feed().balancers == {"web-default.elb.loopmesh.internal": ("127.20.0.1", "127.20.1.1")}
    ingresses.drop(ingress)
    assert feed().balancers == {}


@pytest.mark.parametrize("seed", range(20))
def test_piece_by_piece_it_is_the_same_view_as_at_once(seed: int) -> None:
    rng = random.Random(seed)
    services: Source[Service] = Source()
    slices: Source[EndpointSlice] = Source()
    namespaces: Source[Namespace] = Source()
    ingresses: Source[Ingress] = Source()
    feed = Feed(services, slices, namespaces, ingresses)

    def some_service() -> Service:
        spec = rng.choice(
            (
                {"clusterIP": "None", "ports": [{"name": "http", "port": 80}]},
                {"clusterIP": f"127.96.0.{rng.randint(1, 9)}"},
                {"type": "ExternalName", "externalName": "example.com"},
            )
        )
        made = service(f"s{rng.randint(0, 3)}", **spec)
        status = balanced(made.name, *rng.sample(["127.20.0.1", "127.20.1.1", "127.20.2.1"], rng.randint(0, 3)))
        return Service.model_validate(made.model_dump(by_alias=True) | {"status": status})

    def some_slice() -> EndpointSlice:
        endpoints = [
            {"addresses": [f"127.244.0.{rng.randint(1, 6)}"], "conditions": {"ready": rng.random() < 0.7}}
            | ({"hostname": f"h{rng.randint(0, 3)}"} if rng.random() < 0.5 else {})
            for _ in range(rng.randint(0, 4))
        ]
        owner = f"s{rng.randint(0, 3)}"
        meta = {"name": f"slice-{rng.randint(0, 4)}", "namespace": "default"}
        return EndpointSlice.model_validate(
            {
                "metadata": meta | {"labels": {"kubernetes.io/service-name": owner}},
                "endpoints": endpoints,
                "ports": [{"name": "http", "port": rng.randint(1, 3)}],
            }
        )

    def some_namespace() -> Namespace:
        return Namespace.model_validate({"metadata": {"name": rng.choice(("default", "one", "two"))}})

    def some_ingress() -> Ingress:
        name = f"i{rng.randint(0, 2)}"
        return Ingress.model_validate(
            {"metadata": {"name": name, "namespace": "default"}, "status": balanced(name, "127.20.0.9")}
        )

    makers: list[tuple[Source[Any], Callable[[], Any]]] = [
        (services, some_service), (slices, some_slice), (namespaces, some_namespace), (ingresses, some_ingress)
    ]  # fmt: skip
    for _ in range(60):
        source, make = rng.choice(makers)
        if source.objects and rng.random() < 0.3:
            source.drop(rng.choice(source.list()))
        else:
            source.put(make())
        if rng.random() < 0.5:
            now = feed()
            whole = view(services.list(), slices.list(), namespaces.list(), ingresses.list(), serial=now.serial)
            assert {address: sorted(names) for address, names in now.pointers.items()} == {
                address: sorted(names) for address, names in whole.pointers.items()
            }
            assert replace(now, pointers={}) == replace(whole, pointers={})
