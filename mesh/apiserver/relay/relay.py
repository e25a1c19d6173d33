"""How do bytes go back and forth between a client and the node that has its pod?

The node's answer, head and all, goes to the client as it is, so that every protocol passes; after the answer the
connection is closed. Nothing is kept but what both sides have not yet taken.
"""

import asyncio
import contextlib
import logging
from typing import Any, NoReturn

from aiohttp import web

from mesh.api import scheme
from mesh.api.errors import BadRequest, MethodNotAllowed, NotFound, TooManyRequests
from mesh.apiserver.paths import Target
from mesh.apiserver.registry import Registry
from mesh.apiserver.relay import place
from mesh.apiserver.relay.place import Kubelet, NoSuchPlace
from mesh.runtime import handover

log = logging.getLogger("mesh.apiserver")
CONNECT_S = 5.0
MAX_SESSIONS = 1024
_NODE = scheme.BY_GVK[("v1", "Node")]


class Relay:
    """The subresources of a pod that its node answers."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._sessions = 0

    async def handle(self, request: web.Request, target: Target) -> web.StreamResponse:
        """Answer one request; its connection is used up by that. Raises ApiError."""
        self._check_method(request, target.subresource)
        pod = self._registry.get(target.kind, target.namespace, target.name).load()
        container = ""
        if target.subresource != "portforward":
            container = place.container_of(pod, request.query.get("container", ""))
        kubelet = self._kubelet(pod)
        path = place.path_of(target.subresource, pod, container, request.raw_path.partition("?")[2])
        head = place.head_of(request.method, path, kubelet, request.headers.items())
        if self._sessions >= MAX_SESSIONS:
            raise TooManyRequests(f"{MAX_SESSIONS} logs and streams are open already")
        self._sessions += 1
        try:
            await _relay(request, kubelet, head)
        finally:
            self._sessions -= 1

    def _kubelet(self, pod: dict[str, Any]) -> Kubelet:
        name = place.node_of(pod)
        try:
            node = self._registry.get(_NODE, "", name).load()
        except NotFound:
            raise NoSuchPlace(f"pod {pod['metadata']['name']} is bound to node {name}, which is not there") from None
        return place.kubelet_of(node)

    @staticmethod
    def _check_method(request: web.Request, subresource: str) -> None:
        if request.method != "GET" and (subresource == "log" or request.method != "POST"):
            raise MethodNotAllowed(f"{request.method} is not supported on pods/{subresource}")
        if subresource != "log" and not place.wants_upgrade(request.headers):
            raise BadRequest("Upgrade request required")


async def _relay(request: web.Request, kubelet: Kubelet, head: bytes) -> NoReturn:
    try:
        async with asyncio.timeout(CONNECT_S):
            from_node, to_node = await asyncio.open_connection(
                kubelet.address, kubelet.port, limit=handover.LIMIT_BYTES
            )  # fmt: skip
    except (OSError, TimeoutError) as error:
        why = getattr(error, "strerror", None) or str(error) or "no answer"
        raise NoSuchPlace(f"error dialing backend: {kubelet.address}:{kubelet.port}: {why}") from None
    try:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client has left")
        to_node.write(head)
        from_client, to_client = handover.take_over(transport)
        await _both_ways(from_client, to_client, from_node, to_node)
        await handover.leave(to_client)
    finally:
        to_node.transport.abort()
    await handover.end_of_request()


async def _both_ways(
    from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter,
    from_node: asyncio.StreamReader, to_node: asyncio.StreamWriter,
) -> None:  # fmt: skip
    """Until the node has said everything, or either side is gone."""
    up = asyncio.ensure_future(_pump(from_client, to_node))
    down = asyncio.ensure_future(_pump(from_node, to_client))
    try:
        # A client that ends only its own direction still wants the answer; one that is gone cancels this task.
        await down
    finally:
        up.cancel()
        down.cancel()
        await asyncio.gather(up, down, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(handover.LIMIT_BYTES):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
