"""`mesh kv put|get|where|delete`: a sharded store from the command line."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from mesh.api.errors import ApiError
from mesh.cli import state
from mesh.cli.errors import UserError
from mesh.cli.rest import Rest

if TYPE_CHECKING:
    from mesh.client.kv import KvClient

app = typer.Typer(help="Put and get keys of a sharded store (image mesh/kv).", no_args_is_help=True)

T = TypeVar("T")

Key = Annotated[str, typer.Argument(help="Any text without line breaks.")]
ServiceName = Annotated[str, typer.Option("--service", "-s", help="NAME or NAME.NAMESPACE of the headless service.")]
Port = Annotated[int | None, typer.Option(help="Port of the shards (default: the SRV records of --port-name).")]
PortName = Annotated[str, typer.Option(help="Name of the service's port.")]
Count = Annotated[int | None, typer.Option("--shards", help="How many shards there are (default: as the API says).")]
Dns = Annotated[str | None, typer.Option(help="DNS server, ADDRESS:PORT (default: that of the running mesh).")]
Name = Annotated[str | None, typer.Option("--name", help="Which mesh, where several run.")]


@app.command()
def put(
    key: Key,
    value: Annotated[str, typer.Argument(help="The value; '-' reads it from stdin.")],
    service: ServiceName = "kv",
    port: Port = None,
    port_name: PortName = "http",
    shards: Count = None,
    dns: Dns = None,
    name: Name = None,
) -> None:
    """Store a value; prints the pod that holds it."""
    data = sys.stdin.buffer.read() if value == "-" else value.encode()
    held = _run(lambda client: client.put(key, data), service, port, port_name, shards, dns, name)
    typer.echo(held.shard)


@app.command()
def get(
    key: Key,
    service: ServiceName = "kv",
    port: Port = None,
    port_name: PortName = "http",
    shards: Count = None,
    dns: Dns = None,
    name: Name = None,
) -> None:
    """Print a value as it was stored; exit code 1 when there is no such key."""
    held = _run(lambda client: client.get(key), service, port, port_name, shards, dns, name)
    if held is None:
        raise UserError(f"no key {key!r} in {service}", exit_code=1)
    sys.stdout.buffer.write(held.value)
    sys.stdout.buffer.flush()
    if sys.stdout.isatty():
        typer.echo()


@app.command()
def where(
    key: Key,
    service: ServiceName = "kv",
    port: Port = None,
    port_name: PortName = "http",
    shards: Count = None,
    dns: Dns = None,
    name: Name = None,
) -> None:
    """Print the pod that a key belongs to and its address, whether or not the key is there."""
    shard, address = _run(lambda client: client.where(key), service, port, port_name, shards, dns, name)
    typer.echo(f"{shard} {address[0]}:{address[1]}" if address else f"{shard} (away)")


@app.command()
def delete(
    key: Key,
    service: ServiceName = "kv",
    port: Port = None,
    port_name: PortName = "http",
    shards: Count = None,
    dns: Dns = None,
    name: Name = None,
) -> None:
    """Forget a key; exit code 1 when there was none."""
    held = _run(lambda client: client.delete(key), service, port, port_name, shards, dns, name)
    if held is None:
        raise UserError(f"no key {key!r} in {service}", exit_code=1)
    typer.echo(held.shard)


def _run(
    work: Callable[[KvClient], Awaitable[T]],
    service: str,
    port: int | None,
    port_name: str,
    shards: int | None,
    dns: str | None,
    mesh_name: str | None,
) -> T:
    """Reach the store and do one thing with it; every failure is one line."""
    from mesh.client.kv import KvClient, KvError, Resolver

    short, _, namespace = service.partition(".")
    namespace = namespace.partition(".")[0] or "default"
    server, count = _reach(dns, mesh_name, short, namespace, shards)

    async def run() -> T:
        async with KvClient(Resolver(server, port=port, port_name=port_name), short, namespace, count=count) as client:
            return await work(client)

    try:
        return asyncio.run(run())
    except KvError as error:
        raise UserError(str(error), exit_code=1) from None


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
