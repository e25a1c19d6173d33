"""How does a command reach a sharded store? Through DNS, and through the API for how many shards there should be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from mesh.api.errors import ApiError
from mesh.cli import state
from mesh.cli.errors import UserError
from mesh.cli.rest import Rest

if TYPE_CHECKING:
    from mesh.client.kv import KvClient
    from mesh.client.kv_moves import Mover

T = TypeVar("T")

Key = Annotated[str, typer.Argument(help="Any text without line breaks.")]
ServiceName = Annotated[str, typer.Option("--service", "-s", help="NAME or NAME.NAMESPACE of the headless service.")]
Port = Annotated[int | None, typer.Option(help="Port of the shards (default: the SRV records of --port-name).")]
PortName = Annotated[str, typer.Option(help="Name of the service's port.")]
Count = Annotated[int | None, typer.Option("--shards", help="How many shards there are (default: as the API says).")]
Dns = Annotated[str | None, typer.Option(help="DNS server, ADDRESS:PORT (default: that of the running mesh).")]
Name = Annotated[str | None, typer.Option("--name", help="Which mesh, where several run.")]


def run(
    work: Callable[[KvClient], Awaitable[T]],
    service: str,
    port: int | None,
    port_name: str,
    shards: int | None,
    dns: str | None,
    mesh_name: str | None,
) -> T:
    """Reach the store and do one thing with it; every failure is one line."""
    from mesh.client.kv import KvClient, Resolver

    name, namespace = parts(service)
    server, count = _reach(dns, mesh_name, name, namespace, shards)

    async def reach() -> T:
        resolver = Resolver(server, port=port, port_name=port_name)
        # A number that a person gives must be true; the API's is, and pods beyond it are on their way out.
        async with KvClient(resolver, name, namespace, count=count, leaving=shards is None) as client:
            return await work(client)

    return plainly(reach)


def run_mover(
    work: Callable[[Mover], Awaitable[T]], service: str, port_name: str, dns: str | None, mesh_name: str | None
) -> T:
    """Reach every shard that there should be."""
    from mesh.client.kv import Resolver
    from mesh.client.kv_moves import Mover

    name, namespace = parts(service)
    server, count = _reach(dns, mesh_name, name, namespace, None)

    async def reach() -> T:
        async with Mover.of(Resolver(server, port_name=port_name), name, namespace, count) as mover:
            return await work(mover)

    return plainly(reach)


def plainly(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run it; what goes wrong with the store is one line."""
    from mesh.client.kv import KvError

    try:
        return asyncio.run(work())
    except KvError as error:
        raise UserError(str(error), exit_code=1) from None


def parts(service: str) -> tuple[str, str]:
    """Name and namespace of NAME or NAME.NAMESPACE."""
    name, _, rest = service.partition(".")
    return name, rest.partition(".")[0] or "default"


def _reach(
    dns: str | None, mesh_name: str | None, service: str, namespace: str, shards: int | None
) -> tuple[tuple[str, int], int | None]:
    """The DNS server to ask, and how many shards there are as far as that is known."""
    if dns is not None:
        return _address(dns), shards
    running = state.choose(mesh_name)
    return _address(running.dns), shards or _replicas(running.api, service, namespace)


def _address(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    if not address or not port.isdigit():
        raise UserError(f"--dns {text!r}: write it as ADDRESS:PORT, for example 127.0.0.1:1053")
    return address, int(port)


def _replicas(api: str, service: str, namespace: str) -> int | None:
    """How many pods the StatefulSet of a service wants; None where there is none to ask."""
    try:
        found = Rest(api).call("GET", f"/apis/apps/v1/namespaces/{namespace}/statefulsets")
    except (ApiError, UserError):
        return None  # DNS still tells which shards are up, and that is enough unless the last one is away
    for item in found.get("items", []):
        if item["spec"].get("serviceName") == service:
            return int(item["spec"].get("replicas", 1))
    return None
