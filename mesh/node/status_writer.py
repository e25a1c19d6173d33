"""How do many pods write their status without flooding the API?

Changes of one pod that come together are one write, the latest wins, and only a few writes are under way at a time:
each costs a connection. A write that fails because the API is away is tried again.
"""

import asyncio
import logging
from collections import deque
from typing import Any, Protocol

from mesh.api.core import Pod
from mesh.api.errors import ApiError, Conflict, NotFound
from mesh.client.base import Client
from mesh.runtime.tasks import Tasks

log = logging.getLogger("mesh.node")
LANES = 4
AGAIN_S = 0.5


class Author(Protocol):
    """A pod that has a status to tell."""

    pod: Pod

    def status(self) -> dict[str, Any]:
        """As it is at the moment of writing."""
        ...

    def written(self, pod: Pod) -> None:
        """The API has it."""
        ...


class StatusWriter:
    """The status writes of one node."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._due: dict[Author, tuple[float, asyncio.TimerHandle]] = {}
        self._ready: deque[Author] = deque()
        self._writing: set[Author] = set()
        self._wake = asyncio.Event()

    def start(self, tasks: Tasks) -> None:
        for number in range(LANES):
            tasks.start(self._lane(), f"status-{number}")

    def mark(self, author: Author, within_s: float) -> None:
        """The author's status has changed and must be written within so many seconds."""
        loop = asyncio.get_running_loop()
        at = loop.time() + within_s
        known = self._due.get(author)
        if known is not None:
            if known[0] <= at:
                return
            known[1].cancel()
        self._due[author] = (at, loop.call_at(at, self._fire, author))

    def forget(self, author: Author) -> None:
        """Nothing more is to be written for it."""
        if (known := self._due.pop(author, None)) is not None:
            known[1].cancel()
        if author in self._ready:
            self._ready.remove(author)

    def _fire(self, author: Author) -> None:
        if author in self._writing:
            # Two writes of one pod must not pass each other; the lane marks it again.
            self._due[author] = (float("-inf"), self._due[author][1])
            return
        del self._due[author]
        if author not in self._ready:
            self._ready.append(author)
        self._wake.set()

    async def _lane(self) -> None:
        while True:
            while not self._ready:
                self._wake.clear()
                await self._wake.wait()
            author = self._ready.popleft()
            self._writing.add(author)
            try:
                await self._write(author)
            finally:
                self._writing.discard(author)
                if self._due.get(author, (0.0, None))[0] == float("-inf"):
                    self._fire(author)

    async def _write(self, author: Author) -> None:
        pod = author.pod
        patch = {"metadata": {"uid": pod.metadata.uid}, "status": author.status()}
        try:
            author.written(await self._client.patch(Pod, pod.name, patch, pod.namespace, "status"))
        except (NotFound, Conflict):
            log.debug("pod is gone, or its name is another's by now pod=%s", pod.name)
        except ApiError as error:
            log.info("status not written pod=%s error=%s", pod.name, error)
            self.mark(author, AGAIN_S)
