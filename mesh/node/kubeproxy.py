"""What answers at a ClusterIP or a NodePort? Connections, spread at layer 4; no rule applies there.

One per mesh: all nodes share the machine's loopback, so that a service's address exists once. A service without ready
endpoints refuses connections, as in a cluster.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mesh.api.services import EndpointSlice, Service
from mesh.client.informer import Informer
from mesh.node.pump import Front
from mesh.runtime.net import BindError, listen_stream
from mesh.runtime.tasks import Tasks

log = logging.getLogger("mesh.node")
AFFINITY_S = 10800
MAX_AFFINITIES = 65536
Target = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Binding:
    """One address to listen on, and the service port behind it."""

    address: str
    port: int
    service: tuple[str, str]
    port_name: str


@dataclass(frozen=True, slots=True)
class Backends:
    """Where connections to a service port go. affinity_s: 0 for none, else how long a client keeps its endpoint."""

    targets: tuple[Target, ...]
    affinity_s: int = 0


def bindings(services: Iterable[Service], node_addresses: Iterable[str]) -> set[Binding]:
    """Every address that the services ask for."""
    nodes, wanted = tuple(node_addresses), set()
    for service in services:
        spec = service.spec
        if spec.type == "ExternalName":
            continue
        for port in spec.ports or ():
            if port.protocol != "TCP":
                continue
            if spec.cluster_ip and spec.cluster_ip != "None":
                wanted.add(Binding(spec.cluster_ip, port.port, service.key, port.name or ""))
            if port.node_port:
                for node in nodes:
                    wanted.add(Binding(node, port.node_port, service.key, port.name or ""))
    return wanted


def backends(service: Service, slices: Iterable[EndpointSlice]) -> dict[str, Backends]:
    """Port name -> where to. Ready endpoints only; in a fixed order."""
    found: dict[str, set[Target]] = {}
    for piece in slices:
        for port in piece.ports or ():
            if port.port is None:
                continue
            for endpoint in piece.endpoints:
                if endpoint.conditions.ready is not False and not endpoint.conditions.terminating:
                    found.setdefault(port.name or "", set()).update((ip, port.port) for ip in endpoint.addresses)
    affinity_s = 0
    if service.spec.session_affinity == "ClientIP":
        config = (service.spec.session_affinity_config or {}).get("clientIP") or {}
        affinity_s = int(config.get("timeoutSeconds") or AFFINITY_S)
    return {name: Backends(tuple(sorted(targets)), affinity_s) for name, targets in found.items()}


class Spreader:
    """Chooses an endpoint per connection: at random, as iptables does, or the client's own with affinity."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._kept: dict[tuple[tuple[str, str], str, str], tuple[Target, float]] = {}

    def choose(
        self, service: tuple[str, str], port_name: str, client: str, where: Backends | None, now: float
    ) -> Target | None:
        """An endpoint, or None when there is none."""
        if where is None or not where.targets:
            return None
        if not where.affinity_s:
            return self._rng.choice(where.targets)
        key = (service, port_name, client)
        kept = self._kept.get(key)
        if kept is not None and kept[0] in where.targets and now - kept[1] <= where.affinity_s:
            target = kept[0]
        else:
            target = self._rng.choice(where.targets)
        self._kept.pop(key, None)
        self._kept[key] = (target, now)
        if len(self._kept) > MAX_AFFINITIES:
            self._kept.pop(next(iter(self._kept)))
        return target


class KubeProxy:
    """Listens where the services say. node_addresses: asked at each change."""

    def __init__(
        self,
        services: Informer[Service],
        slices: Informer[EndpointSlice],
        node_addresses: Callable[[], Iterable[str]],
        rng: random.Random,
        served_elsewhere: Callable[[str, int], bool] = lambda address, port: False,
    ) -> None:
        self._services, self._slices, self._nodes = services, slices, node_addresses
        self._elsewhere = served_elsewhere
        self._spreader = Spreader(rng)
        self._servers: dict[Binding, asyncio.Server] = {}
        self._backends: dict[tuple[tuple[str, str], str], Backends] = {}
        self._running: set[Front] = set()
        self._refused: set[Binding] = set()
        self._dirty = asyncio.Event()
        self._tasks = Tasks("kube-proxy")

    def start(self) -> None:
        for source in (self._services, self._slices):
            source.on_change(lambda old, new: self._dirty.set())
        self._dirty.set()
        self._tasks.start(self._follow(), "follow")

    async def close(self) -> None:
        await self._tasks.close()
        for server in self._servers.values():
            server.close()
        for front in list(self._running):
            front.abort()
        self._servers.clear()

    async def _follow(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            await self._apply()
            await asyncio.sleep(0.02)  # changes come in bursts

    async def _apply(self) -> None:
        by_service: dict[tuple[str, str], list[EndpointSlice]] = {}
        for piece in self._slices.list():
            by_service.setdefault((piece.namespace, piece.service_name), []).append(piece)
        services = list(self._services.list())
        self._backends = {
            (service.key, name): where
            for service in services
            for name, where in backends(service, by_service.get(service.key, ())).items()
        }
        wanted = {b for b in bindings(services, self._nodes()) if not self._elsewhere(b.address, b.port)}
        for binding in [binding for binding in self._servers if binding not in wanted]:
            self._servers.pop(binding).close()
        self._refused &= wanted
        for binding in sorted(wanted - self._servers.keys(), key=lambda b: (b.address, b.port)):
            await self._listen(binding)

    async def _listen(self, binding: Binding) -> None:
        try:
            server = await listen_stream(
                lambda: Front(lambda client: self._choose(binding, client), self._running),
                binding.address,
                binding.port,
            )
        except BindError as error:
            if binding not in self._refused:
                self._refused.add(binding)
                log.warning("service address not served service=%s error=%s", "/".join(binding.service), error)
            return
        self._servers[binding] = server

    def _choose(self, binding: Binding, client: str) -> Target | None:
        where = self._backends.get((binding.service, binding.port_name))
        now = asyncio.get_running_loop().time()
        return self._spreader.choose(binding.service, binding.port_name, client, where, now)
