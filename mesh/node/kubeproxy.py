"""What answers at a ClusterIP, a NodePort or a load balancer? Connections, spread at layer 4; no rule applies there.

One per mesh: all nodes share the machine's loopback, so that a service's address exists once. Where no endpoint may be
reached, nothing listens: connections are refused, where a cluster drops some of them without a word.
"""

import asyncio
import errno
import logging
import random
from collections.abc import Callable, Iterable

from mesh.api.services import EndpointSlice, Service
from mesh.client.informer import Informer
from mesh.node.health_check import HealthCheck
from mesh.node.pump import Front, Target
from mesh.node.spread import Spreader
from mesh.node.ways import Binding, NodeFact, Way, health_checks, node_of, ways
from mesh.runtime.net import BindError, listen_stream
from mesh.runtime.tasks import Tasks

log = logging.getLogger("mesh.node")
BURST_S = 0.02
REFUSED_AGAIN_S = 2.0
HEALTH = "healthCheckNodePort"
Key = tuple[str, str]
Tell = Callable[[Service, str, str, bool], None]
"""(service, reason, message, whether it is a warning) -> an event."""


def _silent(service: Service, reason: str, message: str, warning: bool) -> None:
    """For a kube-proxy without anybody to tell."""


class KubeProxy:
    """Listens where the services say.

    nodes: whose ports open; asked at each change, and on `refresh`.  served_elsewhere: addresses that another part of
    the mesh has bound.  tell: writes an event on a service.
    """

    def __init__(
        self,
        services: Informer[Service],
        slices: Informer[EndpointSlice],
        nodes: Callable[[], Iterable[NodeFact]],
        rng: random.Random,
        served_elsewhere: Callable[[str, int], bool] = lambda address, port: False,
        tell: Tell = _silent,
    ) -> None:
        self._services, self._slices, self._node_facts = services, slices, nodes
        self._elsewhere, self._tell = served_elsewhere, tell
        self._spreader = Spreader(rng)
        self._nodes: tuple[NodeFact, ...] = ()
        self._slices_of: dict[Key, dict[Key, EndpointSlice]] = {}
        self._ways: dict[Key, dict[Binding, Way]] = {}
        self._local: dict[Binding, int] = {}
        self._wanted: dict[Key, frozenset[Binding]] = {}
        self._servers: dict[Binding, asyncio.Server] = {}
        self._running: set[Front] = set()
        self._refused: set[Binding] = set()
        self._dirty: set[Key] = set()
        self._wake = asyncio.Event()
        self._tasks = Tasks("kube-proxy")

    def start(self) -> None:
        self._services.on_change(self._service_changed)
        self._slices.on_change(self._slice_changed)
        self.refresh()
        self._tasks.start(self._follow(), "follow")

    async def close(self) -> None:
        await self._tasks.close()
        for server in self._servers.values():
            server.close()
        for front in list(self._running):
            front.reset()
        self._servers.clear()

    def refresh(self) -> None:
        """Nodes may have come, gone, or been lost. Cheap when they have not."""
        nodes = tuple(sorted(self._node_facts(), key=lambda node: node.address))
        if nodes != self._nodes:
            self._nodes = nodes
            self._mark(*(service.key for service in self._services.list()))

    def _mark(self, *keys: Key) -> None:
        self._dirty.update(keys)
        self._wake.set()

    def _service_changed(self, old: Service | None, new: Service | None) -> None:
        self._mark((new or old).key)  # type: ignore[union-attr]

    def _slice_changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        for piece in (old, new):
            if piece is not None:
                service = (piece.namespace, piece.service_name)
                self._slices_of.setdefault(service, {}).pop(piece.key, None)
                self._mark(service)
        if new is not None:
            self._slices_of[(new.namespace, new.service_name)][new.key] = new

    async def _follow(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            self.refresh()
            changed, self._dirty = self._dirty, set()
            self._wake.clear()
            for key in sorted(changed):
                try:
                    await self._apply(key)
                except Exception:
                    # One service that can not be served must not stop the others.
                    log.exception("service not served service=%s", "/".join(key))
            await asyncio.sleep(BURST_S)  # changes come in bursts

    async def _apply(self, key: Key) -> None:
        """Bring one service's addresses and endpoints up to date."""
        service = self._services.get(key[1], key[0])
        slices = self._slices_of.get(key, {})
        if not slices:
            self._slices_of.pop(key, None)
        found = ways(service, slices.values(), self._nodes) if service is not None else {}
        checks = health_checks(service, slices.values(), self._nodes) if service is not None else {}
        self._ways[key] = found
        counted = {Binding(*where, key, HEALTH): count for where, count in checks.items()}
        self._local.update(counted)
        open_ways = {binding for binding, way in found.items() if way.groups} | counted.keys()
        wanted = frozenset(b for b in open_ways if not self._elsewhere(b.address, b.port))
        for binding in self._wanted.get(key, frozenset()) - wanted:
            self._refused.discard(binding)
            self._local.pop(binding, None)
            if (server := self._servers.pop(binding, None)) is not None:
                server.close()
        self._wanted[key] = wanted
        for binding in sorted(wanted - self._servers.keys(), key=lambda b: (b.address, b.port)):
            await self._listen(binding)
        if service is None and not slices:
            del self._wanted[key], self._ways[key]

    async def _listen(self, binding: Binding) -> None:
        try:
            server = await listen_stream(lambda: self._front(binding), binding.address, binding.port)
        except BindError as error:
            if binding not in self._refused:
                self._refused.add(binding)
                log.warning("service address not served service=%s error=%s", "/".join(binding.service), error)
                self._told(binding, "AddressNotServed", self._why(binding, error), warning=True)
            asyncio.get_running_loop().call_later(REFUSED_AGAIN_S, self._mark, binding.service)
            return
        if binding in self._refused:
            self._refused.discard(binding)
            self._told(binding, "AddressServed", f"{binding.address}:{binding.port} is served now", warning=False)
        self._servers[binding] = server

    def _why(self, binding: Binding, error: BindError) -> str:
        place = (binding.address, binding.port)
        holder = next((b.service for b in self._servers if (b.address, b.port) == place), None)
        if holder is not None:
            return f"{binding.address}:{binding.port} belongs to service {'/'.join(holder)}; choose another port"
        return f"{error}; {cure(error)}"

    def _told(self, binding: Binding, reason: str, message: str, *, warning: bool) -> None:
        service = self._services.get(binding.service[1], binding.service[0])
        if service is not None:
            self._tell(service, reason, message, warning)

    def _front(self, binding: Binding) -> asyncio.Protocol:
        if binding.port_name == HEALTH:
            return HealthCheck(binding.service, lambda: self._local.get(binding, 0))
        return Front(lambda client, tried: self._choose(binding, client, tried), self._running)

    def _choose(self, binding: Binding, client: str, tried: frozenset[Target]) -> tuple[Target, str | None] | None:
        way = self._ways.get(binding.service, {}).get(binding)
        now = asyncio.get_running_loop().time()
        at = node_of(client, self._nodes) if way is not None and way.near else None
        choice = self._spreader.choose(binding, client, way, now, tried, at)
        return None if choice is None else (choice.target, choice.source)


def cure(error: BindError) -> str:
    """What a person can do about an address that cannot be bound."""
    number = getattr(error.__cause__, "errno", None)
    if number == errno.EADDRINUSE:
        return f"end that program (find it with: ss -ltnp 'sport = :{error.port}') or choose another port"
    if number == errno.EACCES:
        return "allow it with: sudo sysctl net.ipv4.ip_unprivileged_port_start=0, or choose a port above 1023"
    return "it is tried again every two seconds"
