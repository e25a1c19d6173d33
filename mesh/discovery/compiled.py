"""What was compiled before?

Compiled values are shared by every proxy of the process: equal messages give the same object, found by identity
first and by serialized bytes then. What no generation asked for any more is dropped.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2

from mesh.routing.compile import compile_cluster, compile_endpoints, compile_listener, compile_virtual_host
from mesh.routing.route_table import RouteTable
from mesh.routing.spec import ClusterSpec, EndpointSpec, HttpSpec, ListenerSpec
from mesh.translate.resources import wire

K = TypeVar("K")
V = TypeVar("V")

MOST_DELIVERED = 64


class _Kept(Generic[K, V]):
    """A dictionary of two generations: what a sweep finds unused since the last one is dropped."""

    __slots__ = ("_fresh", "_old")

    def __init__(self) -> None:
        self._fresh: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        value = self._fresh.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self._fresh[key] = value
        return value

    def put(self, key: K, value: V) -> None:
        self._fresh[key] = value

    def sweep(self) -> None:
        self._old, self._fresh = self._fresh, {}


@dataclass(frozen=True, slots=True)
class _Entry(Generic[V]):
    """A message with its bytes and its result. The message is kept so that nothing else can get its id."""

    message: Any
    data: bytes
    result: V


class _Cache(Generic[V]):
    """Results by message."""

    __slots__ = ("_by_data", "_by_id", "_make")

    def __init__(self, make: Callable[[Any], V]) -> None:
        self._make = make
        self._by_id: _Kept[int, _Entry[V]] = _Kept()
        self._by_data: _Kept[bytes, _Entry[V]] = _Kept()

    def get(self, message: Any) -> V:
        entry = self._by_id.get(id(message))
        if entry is not None:
            self._by_data.put(entry.data, entry)
            return entry.result
        data = wire(message)
        known = self._by_data.get(data)
        entry = _Entry(message, data, self._make(message) if known is None else known.result)
        self._by_id.put(id(message), entry)
        self._by_data.put(data, entry)
        return entry.result

    def sweep(self) -> None:
        self._by_id.sweep()
        self._by_data.sweep()


class Compiled:
    """The compiled form of translated messages. Raises `routing.errors.Refused` for what can not be executed."""

    def __init__(self) -> None:
        self._hosts = _Cache(compile_virtual_host)
        self._clusters = _Cache(compile_cluster)
        self._https: dict[tuple[str, str | None], HttpSpec] = {}
        self._delivered: dict[tuple[int, int], tuple[HttpSpec, RouteTable, HttpSpec]] = {}
        self._tables: _Kept[tuple[str, bool, tuple[int, ...]], RouteTable] = _Kept()

    def cluster(self, message: Any) -> ClusterSpec:
        return self._clusters.get(message)

    def listener(self, message: Any) -> ListenerSpec:
        """Not remembered, for each listener has an address of its own; but alike in what they do, they share that."""
        listener = compile_listener(message)
        if listener.http is None:
            return listener
        known = self._https.setdefault((listener.http.stat_prefix, listener.http.rds), listener.http)
        return replace(listener, http=known) if known == listener.http else listener

    def with_routes(self, http: HttpSpec, table: RouteTable) -> HttpSpec:
        """The spec with that table; one object for all listeners that ask for the same."""
        known = self._delivered.get((id(http), id(table)))
        if known is None:
            if len(self._delivered) >= MOST_DELIVERED:
                self._delivered.clear()
            # All three are kept, as in `_Entry`.
            known = self._delivered[id(http), id(table)] = (http, table, replace(http, routes=table))
        return known[2]

    def table(self, name: str, hosts: Iterable[Any], *, ignore_port: bool = False) -> RouteTable:
        """The table of some virtual hosts; the same object as before while none of them changed."""
        compiled = tuple(self._hosts.get(host) for host in hosts)
        # The table holds its virtual hosts, so their ids stay theirs while it is kept.
        key = (name, ignore_port, tuple(map(id, compiled)))
        table = self._tables.get(key)
        if table is None:
            table = RouteTable(name, compiled, ignore_port)
            self._tables.put(key, table)
        return table

    def sweep(self) -> None:
        """Forget the clusters, virtual hosts and tables that were not asked for since the last sweep of them."""
        self._hosts.sweep()
        self._clusters.sweep()
        self._tables.sweep()


def endpoint(message: Any) -> EndpointSpec:
    """The spec of one LbEndpoint. Whoever remembers it lets the message go, which is ten times as large."""
    localities = [endpoint_components_pb2.LocalityLbEndpoints(lb_endpoints=[message])]
    return compile_endpoints(endpoint_pb2.ClusterLoadAssignment(cluster_name="one", endpoints=localities))[0]
