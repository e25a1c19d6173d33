"""How is a whole mesh run inside somebody's own event loop?

The same parts as in the processes of `mesh up`, in one: for tests, for notebooks, for `async with Emulator() as mesh`.
A lost node cannot be played here, since a node is no process of its own.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mesh.api import scheme
from mesh.emulator.control import ControlPlane
from mesh.emulator.gateway import GatewayWorker
from mesh.emulator.settings import Settings
from mesh.emulator.worker import NodeWorker
from mesh.runtime.clock import Clock, SystemClock


class Emulator:
    """A mesh as an async context manager.

    settings: what may be chosen; the default has one node.  Objects are written with `apply`, or through `client`.
    """

    def __init__(self, settings: Settings | None = None, clock: Clock | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="loopmesh-")
        self.settings = settings or Settings.for_test(Path(self._folder.name))
        clock = clock or SystemClock()
        self.control = ControlPlane(self.settings, clock)
        self.client = self.control.client
        self.nodes = [NodeWorker(self.settings, i, self.client, clock) for i in range(self.settings.nodes)]
        self.gateway = GatewayWorker(self.settings, self.client, clock)

    async def __aenter__(self) -> Self:
        """API, controllers and DNS first; then nodes; the gateway last. Raises BindError."""
        try:
            await self.control.start()
            for node in self.nodes:
                await node.start()
            await self.gateway.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop in the opposite order."""
        await self.gateway.close()
        for node in self.nodes:
            await node.close()
        await self.control.close()
        self._folder.cleanup()

    async def apply(self, objects: Sequence[dict[str, Any]], namespace: str = "default") -> None:
        """Create these objects. Raises the API's errors."""
        for data in objects:
            kind = scheme.BY_GVK[(data["apiVersion"], data["kind"])]
            target = (data.get("metadata") or {}).get("namespace") or namespace
            self.control.registry.create(kind, dict(data), target if kind.namespaced else "", data["apiVersion"])
