"""What does a proxy get, and what must a proxy be able to do?

Discovery knows neither the proxy nor its `Tables`: whoever builds the process hands in a function that makes them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar

from mesh.routing.spec import ClusterSpec, EndpointSpec, ListenerSpec

V = TypeVar("V")
Endpoints = tuple[EndpointSpec, ...]


class Layered(Mapping[bytes, V], Generic[V]):
    """A proxy's own entries over those that all proxies of the process share; read-only.

    Names never clash: own entries are inbound clusters. `shared` stays the same object until one of it changes.
    """

    __slots__ = ("own", "shared")

    def __init__(self, own: Mapping[bytes, V], shared: Mapping[bytes, V]) -> None:
        self.own, self.shared = own, shared

    def __getitem__(self, name: bytes) -> V:
        found = self.own.get(name)
        return self.shared[name] if found is None else found

    def __iter__(self) -> Iterator[bytes]:
        yield from self.own
        yield from self.shared

    def __len__(self) -> int:
        return len(self.own) + len(self.shared)

    def __contains__(self, name: object) -> bool:
        return name in self.own or name in self.shared


class MakeTables(Protocol):
    """Makes the proxy's tables; `proxy.server.Tables` is one."""

    def __call__(
        self,
        *,
        listeners: tuple[ListenerSpec, ...],
        clusters: Mapping[bytes, ClusterSpec],
        endpoints: Mapping[bytes, Endpoints],
    ) -> Any: ...


class Subscriber(Protocol):
    """A proxy that takes tables. What it does not accept it answers with an exception, and keeps what it has."""

    async def apply(self, tables: Any) -> None: ...
