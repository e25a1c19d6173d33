"""What answers at a ClusterIP or a NodePort? Connections, spread at layer 4; no rule applies there.

One per mesh: all nodes share the machine's loopback, so that a service's address exists once. A service without ready
endpoints refuses connections, as in a cluster: nothing listens there.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable

from mesh.api.services import EndpointSlice, Service
from mesh.client.informer import Informer
from mesh.node.pump import Front, Target
from mesh.node.spread import Backends, Binding, Spreader, backends, bindings
from mesh.runtime.net import BindError, listen_stream
from mesh.runtime.tasks import Tasks

log = logging.getLogger("mesh.node")
BURST_S = 0.02
REFUSED_AGAIN_S = 2.0
Key = tuple[str, str]


class KubeProxy:
    """Listens where the services say.

    node_addresses: where NodePorts open; asked at each change, and on `refresh`.  served_elsewhere: addresses that
    another part of the mesh has bound.
    """

    def __init__(
        self,
        services: Informer[Service],
        slices: Informer[EndpointSlice],
        node_addresses: Callable[[], Iterable[str]],
        rng: random.Random,
        served_elsewhere: Callable[[str, int], bool] = lambda address, port: False,
    ) -> None:
        self._services, self._slices, self._node_addresses = services, slices, node_addresses
        self._elsewhere = served_elsewhere
        self._spreader = Spreader(rng)
        self._nodes: tuple[str, ...] = ()
        self._slices_of: dict[Key, dict[Key, EndpointSlice]] = {}
        self._backends: dict[Key, dict[str, Backends]] = {}
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
        """Nodes may have come or gone. Cheap when they have not."""
        nodes = tuple(sorted(set(self._node_addresses())))
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
                await self._apply(key)
            await asyncio.sleep(BURST_S)  # changes come in bursts

    async def _apply(self, key: Key) -> None:
        """Bring one service's addresses and endpoints up to date."""
        service = self._services.get(key[1], key[0])
        slices = self._slices_of.get(key, {})
        if not slices:
            self._slices_of.pop(key, None)
        found = backends(service, slices.values()) if service is not None else {}
        self._backends[key] = found
        wanted = frozenset(
            binding
            for binding in (bindings(service, self._nodes) if service is not None else ())
            if binding.port_name in found and not self._elsewhere(binding.address, binding.port)
        )
        for binding in self._wanted.get(key, frozenset()) - wanted:
            self._refused.discard(binding)
            if (server := self._servers.pop(binding, None)) is not None:
                server.close()
        self._wanted[key] = wanted
        for binding in sorted(wanted - self._servers.keys(), key=lambda b: (b.address, b.port)):
            await self._listen(binding)
        if service is None and not slices:
            del self._wanted[key], self._backends[key]

    async def _listen(self, binding: Binding) -> None:
        try:
            server = await listen_stream(
                lambda: Front(lambda client, tried: self._choose(binding, client, tried), self._running),
                binding.address,
                binding.port,
            )
        except BindError as error:
            if binding not in self._refused:
                self._refused.add(binding)
                log.warning("service address not served service=%s error=%s", "/".join(binding.service), error)
            asyncio.get_running_loop().call_later(REFUSED_AGAIN_S, self._mark, binding.service)
            return
        self._refused.discard(binding)
        self._servers[binding] = server

    def _choose(self, binding: Binding, client: str, tried: frozenset[Target]) -> Target | None:
        where = self._backends.get(binding.service, {}).get(binding.port_name)
        now = asyncio.get_running_loop().time()
        return self._spreader.choose(binding.service, binding.port_name, client, where, now, tried)
