"""`mesh kv`: a sharded store from the command line."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mesh.cli import kv_many
from mesh.cli.errors import UserError
from mesh.cli.kv_reach import Count, Dns, Key, Name, Port, PortName, ServiceName, run

app = typer.Typer(help="Put and get keys of a sharded store (image mesh/kv).", no_args_is_help=True)
for command in (kv_many.fill, kv_many.check, kv_many.shards, kv_many.rebalance):
    app.command()(command)


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
    held = run(lambda client: client.put(key, data), service, port, port_name, shards, dns, name)
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
    held = run(lambda client: client.get(key), service, port, port_name, shards, dns, name)
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
    shard, address = run(lambda client: client.where(key), service, port, port_name, shards, dns, name)
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
    held = run(lambda client: client.delete(key), service, port, port_name, shards, dns, name)
    if held is None:
        raise UserError(f"no key {key!r} in {service}", exit_code=1)
    typer.echo(held.shard)
