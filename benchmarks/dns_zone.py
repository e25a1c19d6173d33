"""`python -m benchmarks.dns_zone PORT CHANGES`: the mesh's DNS server alone, over a zone of 200 services.

Fifty of them are headless with ten pods each. CHANGES: how often in a second a pod becomes ready or stops being so; the
view follows as it does in a mesh, through the callbacks of informers. Prints `ready` and runs until it is ended.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

import uvloop

from mesh.api.core import Namespace
from mesh.api.meta import Object
from mesh.api.services import EndpointSlice, Service
from mesh.dns.feed import Feed
from mesh.dns.server import DnsServer

SERVICES, HEADLESS, PODS = 200, 50, 10
DOMAIN = "default.svc.cluster.local"
T = TypeVar("T", bound=Object)


class Source(Generic[T]):
    """Stands for an informer."""

    def __init__(self, objects: Iterable[T] = ()) -> None:
        self.objects = list(objects)
        self.callbacks: list[Callable[[Any, Any], None]] = []

    def list(self) -> Iterable[T]:
        return self.objects

    def on_change(self, callback: Callable[[Any, Any], None]) -> None:
        self.callbacks.append(callback)
        for item in self.objects:
            callback(None, item)

    def replace(self, at: int, new: T) -> None:
        """What happens when a watch brings an object again."""
        old, self.objects[at] = self.objects[at], new
        for callback in self.callbacks:
            callback(old, new)


def service(number: int) -> Service:
    headless = number < HEADLESS
    address = "None" if headless else f"127.96.{number // 250}.{number % 250 + 1}"
    spec = {"clusterIP": address, "ports": [{"name": "http", "port": 80}]}
    return Service.model_validate({"metadata": {"name": f"svc-{number}", "namespace": "default"}, "spec": spec})


def slice_of(number: int, ready: int) -> EndpointSlice:
    """The pods of a headless service, of which so many are ready."""
    return EndpointSlice.model_validate(
        {
            "metadata": {
                "name": f"svc-{number}-1",
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": f"svc-{number}"},
            },
            "endpoints": [
                {
                    "addresses": [f"127.244.{number}.{i + 1}"],
                    "hostname": f"pod-{i}",
                    "conditions": {"ready": i < ready},
                }
                for i in range(PODS)
            ],
            "ports": [{"name": "http", "port": 8080}],
        }
    )


async def change(slices: Source[EndpointSlice], a_second: float) -> None:
    rng = random.Random(1)
    while True:
        await asyncio.sleep(1 / a_second)
        number = rng.randrange(HEADLESS)
        slices.replace(number, slice_of(number, rng.randint(1, PODS)))


async def serve(port: int, changes_a_second: float) -> None:
    services = Source(service(number) for number in range(SERVICES))
    slices = Source(slice_of(number, PODS) for number in range(HEADLESS))
    server = DnsServer(Feed(services, slices, Source[Namespace]()), "127.0.0.1", port)
    await server.start()
    print("ready", flush=True)
    if changes_a_second:
        await change(slices, changes_a_second)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), float(sys.argv[2])))
