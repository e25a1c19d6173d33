"""Which volumes does this node use, and which are attached to it? Both stand in its Node object.

The node writes what it uses, before the first container that does so starts and after the last one has ended; the
controllers write what is attached, and never take a volume away that is in use on a living node.
"""

import asyncio
import logging
from collections.abc import Collection

from mesh.api.core import Node
from mesh.api.errors import ApiError
from mesh.client.base import Client

log = logging.getLogger("mesh.node")
LOOK_S, AGAIN_S = 0.05, 0.5


class Attachments:
    """The volumes of one node that need attaching, by the names of `storage_names.attach_name`."""

    def __init__(self, client: Client, node_name: str) -> None:
        self._client, self._node = client, node_name
        self._used: dict[str, frozenset[str]] = {}
        self._written: frozenset[str] | None = None
        self._turn = asyncio.Lock()

    async def begin(self) -> None:
        """A node that comes up uses nothing yet. Waits for the API."""
        await self._surely()

    async def again(self) -> None:
        """The Node object is a new one: it has to be told all."""
        self._written = None
        await self._surely()

    async def use(self, uid: str, names: Collection[str]) -> None:
        """The pod uses these volumes from now on. Raises ApiError."""
        self._used[uid] = frozenset(names)
        await self._write()

    async def release(self, uid: str) -> None:
        """The last container of the pod has ended. Waits for the API where there is something to say."""
        if self._used.pop(uid, None) is not None:
            await self._surely()

    async def _surely(self) -> None:
        while True:
            try:
                await self._write()
                return
            except ApiError as error:
                log.info("volumes in use not written node=%s error=%s", self._node, error)
                await asyncio.sleep(AGAIN_S)

    async def _write(self) -> None:
        async with self._turn:
            used = frozenset[str]().union(*self._used.values())
            if used != self._written:
                patch = {"status": {"volumesInUse": sorted(used)}}
                await self._client.patch(Node, self._node, patch, subresource="status")
                self._written = used

    async def attached(self, names: Collection[str]) -> None:
        """Wait until all of them are attached here."""
        wanted = set(names)
        while wanted:
            try:
                node = await self._client.get(Node, self._node)
                wanted -= {str(entry.get("name")) for entry in node.status.volumes_attached or ()}
            except ApiError as error:
                log.debug("node not read node=%s error=%s", self._node, error)
            if wanted:
                await asyncio.sleep(LOOK_S)
