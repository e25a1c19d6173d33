"""What does a node process hold? A client of the API, the configuration of its proxies, and the node agent."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from mesh.client.base import Client
from mesh.client.http import HttpClient
from mesh.discovery.source import ConfigSource
from mesh.emulator.processes import parent_gone
from mesh.emulator.settings import Settings
from mesh.emulator.sidecars import LogLine, Sidecars
from mesh.node.agent import NodeAgent
from mesh.node.images import ImageTable
from mesh.proxy.server import Tables
from mesh.runtime.clock import Clock, SystemClock
from mesh.runtime.tasks import Tasks


class NodeWorker:
    """One node, in the caller's event loop."""

    def __init__(
        self, settings: Settings, index: int, client: Client, clock: Clock, log: LogLine | None = None
    ) -> None:
        self.tasks = Tasks(settings.node_name(index))
        self.source = ConfigSource(client, Tables)
        self.agent = NodeAgent(
            client,
            settings.node_name(index),
            index,
            settings.plan,
            Sidecars(self.source, clock, log),
            ImageTable(settings.images),
            clock,
            Path(settings.state_dir),
            zone=settings.zone_of(index),
        )

    async def start(self) -> None:
        self.source.start(self.tasks)
        await self.agent.start()

    async def close(self) -> None:
        await self.agent.stop()
        await self.tasks.close()


def access_log(settings: Settings) -> LogLine | None:
    """Where the access log of a process goes: its log file, through one buffered stream."""
    if not settings.access_log:
        return None

    def write(line: bytes) -> None:
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()

    return write


async def run_node(settings: Settings, index: int) -> None:
    """The node process: say `ready`, and run until told to stop or until the control process is gone."""
    async with HttpClient(settings.api_url, settings.node_name(index)) as client:
        worker = NodeWorker(settings, index, client, SystemClock(), access_log(settings))
        try:
            await until_told(worker.start())
        finally:
            await worker.close()


async def until_told(start: Coroutine[Any, Any, None]) -> None:
    """Start, say so on standard output, and wait for SIGTERM or the end of the pipe from the control process."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    orphaned = loop.create_task(parent_gone(), name="parent-gone")
    orphaned.add_done_callback(lambda task: stop.set())
    starting = loop.create_task(_say_ready(start), name="start")
    stopped = loop.create_task(stop.wait(), name="stop")
    await asyncio.wait([starting, stopped], return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        starting.result()
        await stopped
    else:
        starting.cancel()
    orphaned.cancel()


async def _say_ready(start: Coroutine[Any, Any, None]) -> None:
    await start
    print("ready", flush=True)
