"""Who owns a running task, and who hears when it fails?

Every background task has a name and an owner. A task that ends with an error is logged at once, never lost;
closing the owner cancels what still runs and waits for it.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("mesh.tasks")


class Tasks:
    """A bag of named tasks that end together with their owner."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self._running: set[asyncio.Task[Any]] = set()
        self._closing = False

    def start(self, coro: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run `coro` until it ends or the owner closes."""
        task = asyncio.get_running_loop().create_task(coro, name=f"{self.owner}/{name}")
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task failed name=%s error=%r", task.get_name(), error, exc_info=error)

    async def close(self) -> None:
        """Cancel everything that still runs and wait until it has ended. Safe to call twice."""
        self._closing = True
        tasks = [task for task in self._running if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
