"""How does a scenario reach a running mesh: its objects, its pods' own counts, and its processes?

The mesh itself is somebody else's: it was started by `mesh up` or by an `Emulator`, and is handed in as a `World`.
"""

import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from mesh.api import scheme
from mesh.api.core import Node, Pod
from mesh.api.load_balancers import zones_of
from mesh.api.meta import Object
from mesh.api.services import Ingress, Service
from mesh.client.base import Client
from mesh.node.addresses import OUTBOUND_PORT
from mesh.testing.scenario import Patch, Ref, Scale

COUNTER = "http_requests_total"
COUNTER_PORT_NAME, COUNTER_PORT = "metrics", 9101
_HTTP_TIMEOUT = aiohttp.ClientTimeout(total=5)


class StepError(Exception):
    """A step that could not be taken; `str()` is one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A running mesh. gateway, api: URLs.  nodes: name -> process id.  apply: make objects be as files say."""

    gateway: str
    api: str
    dns: tuple[str, int]
    nodes: Mapping[str, int]
    apply: Callable[[Sequence[str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go. proxied: write whole URLs, as to a proxy."""

    address: str
    port: int
    proxied: bool = False


class Hands:
    """What a scenario does to a mesh."""

    def __init__(self, world: World, client: Client) -> None:
        self.world, self.client = world, client

    async def pods(self, selector: str) -> list[Pod]:
        """Pods that are not on their way out, in the namespace `default`."""
        found = (await self.client.list(Pod, "default", selector)).items
        return [pod for pod in found if pod.metadata.deletion_timestamp is None]

    async def target(self, to: str) -> Target:
        """`gateway`, `service:NAME[:PORT]`, `sidecar:SELECTOR` and so on as an address. Raises StepError."""
        how, _, whom = to.partition(":")
        if how == "gateway":
            parts = urlsplit(self.world.gateway)
            return Target(parts.hostname or "127.0.0.1", parts.port or 80)
        if how == "sidecar":
            pod = next((pod for pod in await self.pods(whom) if pod.ready and pod.status.pod_ip), None)
            if pod is None or pod.status.pod_ip is None:
                raise StepError(f"no ready pod has the labels {whom}")
            return Target(pod.status.pod_ip, OUTBOUND_PORT, proxied=True)
        if how == "nodeport":
            return await self._node_port(*whom.split("@"))
        if how == "balancer":
            name, _, zone = whom.partition("@")
            return await self._balancer(name, zone)
        name, _, port = whom.partition(":")
        service = await self.client.get(Service, name, "default")
        if not service.spec.cluster_ip or service.headless or not service.spec.ports:
            raise StepError(f"service {name} has no address of its own")
        return Target(service.spec.cluster_ip, int(port) if port else service.spec.ports[0].port)

    async def _node_port(self, name: str, node_name: str) -> Target:
        service, node = await self.client.get(Service, name, "default"), await self.client.get(Node, node_name)
        port = next((port.node_port for port in service.spec.ports or () if port.node_port), None)
        address = next((a.address for a in node.status.addresses or () if a.type == "InternalIP"), None)
        if port is None or address is None:
            raise StepError(f"service {name} has no node port on {node_name}")
        return Target(address, port)

    async def _balancer(self, name: str, zone: str) -> Target:
        """The address in a zone, or the first one; an Ingress has its own at port 80."""
        kind, _, last = name.rpartition("/")
        found: Service | Ingress = await (
            self.client.get(Ingress, last, "default") if kind else self.client.get(Service, last, "default")
        )
        zones = zones_of(found.metadata.annotation_map)
        addresses = [entry.ip for entry in found.status.load_balancer.ingress or () if entry.ip]
        address = next((one for one in addresses if not zone or zones.get(one) == zone), None)
        if address is None:
            raise StepError(f"{name} has no load balancer address{f' in zone {zone}' if zone else ''}")
        ports = [port.port for port in found.spec.ports or ()] if isinstance(found, Service) else []
        return Target(address, ports[0] if ports else 80)

    async def arrived(self) -> Counter[str]:
        """Requests that the applications themselves have counted, per version, over all pods that count."""
        total: Counter[str] = Counter()
        async with aiohttp.ClientSession(timeout=_HTTP_TIMEOUT) as session:
            for pod in await self.pods(""):
                if pod.ready and (port := _counter_port(pod)) is not None:
                    async with session.get(f"http://{pod.status.pod_ip}:{port}/metrics") as answer:
                        total.update(count_by_version(await answer.text()))
        return total

    async def patch(self, patch: Patch) -> None:
        await self.client.patch(_model(patch), patch.name, patch.merge, patch.namespace)

    async def scale(self, scale: Scale) -> None:
        await self.client.patch(_model(scale), scale.name, {"spec": {"replicas": scale.replicas}}, scale.namespace)

    async def delete(self, ref: Ref) -> None:
        await self.client.delete(_model(ref), ref.name, ref.namespace)

    async def kill_pods(self, selector: str, count: int) -> str:
        """End pods without any grace, as when their process crashed for good."""
        pods = (await self.pods(selector))[:count]
        if not pods:
            raise StepError(f"no pod has the labels {selector}")
        for pod in pods:
            await self.client.delete(Pod, pod.name, pod.namespace, grace_period_s=0)
        return ", ".join(pod.name for pod in pods)

    async def node_of(self, selector: str) -> str:
        pod = next((pod for pod in await self.pods(selector) if pod.spec.node_name), None)
        if pod is None or pod.spec.node_name is None:
            raise StepError(f"no pod with the labels {selector} runs on a node")
        return pod.spec.node_name

    def kill_node(self, name: str) -> None:
        """SIGKILL for the node's process: what a power cut is to a machine."""
        pid = self.world.nodes.get(name)
        if pid is None:
            raise StepError(f"no node {name}; there are {', '.join(self.world.nodes) or 'none'}")
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            raise StepError(f"node {name} (process {pid}) is not running") from None


def count_by_version(text: str) -> Counter[str]:
    """`http_requests_total` of one page of metrics, summed per version."""
    total: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == COUNTER:
                total[sample.labels.get("version", "")] += round(sample.value)
    return total


def _counter_port(pod: Pod) -> int | None:
    ports = [port for container in pod.spec.containers for port in container.ports or ()]
    named = (p.container_port for p in ports if p.name == COUNTER_PORT_NAME or p.container_port == COUNTER_PORT)
    return next(named, None)


def _model(ref: Ref) -> type[Object]:
    kind = scheme.find(ref.kind)
    if kind is None:
        raise StepError(f"no kind {ref.kind!r} is served")
    return kind.model
