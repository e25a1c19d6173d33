"""`mesh kv fill|check|shards|rebalance`: many keys of a sharded store, and what scaling does to them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from mesh.cli import output
from mesh.cli.errors import UserError
from mesh.cli.kv_reach import Count, Dns, Name, PortName, ServiceName, run, run_mover
from mesh.cli.up import Form

if TYPE_CHECKING:
    from mesh.client.kv import KvClient

Work = Callable[["KvClient", str], Awaitable[bool]]
CLIENTS = 8
MOST_KEYS = 100_000
Keys = Annotated[int, typer.Argument(min=1, max=MOST_KEYS, help="How many keys.")]
Prefix = Annotated[str, typer.Option(help="The keys are called PREFIX0, PREFIX1, ...")]
FormOption = Annotated[Form, typer.Option("-o", "--output", help="For people, or for programs.")]


def fill(
    keys: Keys,
    prefix: Prefix = "key-",
    service: ServiceName = "kv",
    port_name: PortName = "http",
    shards: Count = None,
    dns: Dns = None,
    name: Name = None,
) -> None:
    """Put many numbered keys, each with a value that names it."""

    async def one(client: KvClient, key: str) -> bool:
        return (await client.put(key, value_of(key))).status < 300

    stored = run(lambda client: each(client, one, keys, prefix), service, None, port_name, shards, dns, name)
    output.data(f"stored {stored} keys in {service}")


def check(
    keys: Keys,
    prefix: Prefix = "key-",
    service: ServiceName = "kv",
    port_name: PortName = "http",
    shards: Count = None,
    dns: Dns = None,
    name: Name = None,
) -> None:
    """Get the keys of `fill`; exit code 1 when one is missing or has another value."""

    async def one(client: KvClient, key: str) -> bool:
        held = await client.get(key)
        return held is not None and held.value == value_of(key)

    found = run(lambda client: each(client, one, keys, prefix), service, None, port_name, shards, dns, name)
    output.data(f"found {found} of {keys} keys where they belong")
    if found < keys:
        raise UserError(
            f"{keys - found} of {keys} keys are not where the ring says; after scaling: mesh kv rebalance", 1
        )


def shards(
    service: ServiceName = "kv",
    port_name: PortName = "http",
    dns: Dns = None,
    name: Name = None,
    form: FormOption = Form.text,
) -> None:
    """How many keys each shard holds, by its own word."""
    held = run_mover(lambda mover: mover.held(), service, port_name, dns, name)
    counts = {shard: len(keys) for shard, keys in held.items()}
    if form is Form.json:
        output.as_json({"keys": sum(counts.values()), "counts": counts})
    else:
        output.data(table(counts))


def rebalance(
    keep: Annotated[
        int | None, typer.Option(min=1, help="Move all keys to the first so many shards, before others are taken away.")
    ] = None,
    service: ServiceName = "kv",
    port_name: PortName = "http",
    dns: Dns = None,
    name: Name = None,
    form: FormOption = Form.text,
) -> None:
    """Move the keys that lie elsewhere than the ring says, as after scaling; prints how many, beside the least."""
    done = run_mover(lambda mover: mover.rebalance(keep), service, port_name, dns, name)
    if form is Form.json:
        output.as_json(
            {
                "keys": done.keys,
                "moved": done.moved,
                "shards_before": len(done.before),
                "shards": len(done.after),
                "moved_fraction": round(done.moved_fraction, 6),
                "ideal_moved_fraction": round(done.ideal_moved_fraction, 6),
                "counts": dict(done.counts),
            }
        )
        return
    output.data(
        f"{len(done.before)} -> {len(done.after)} shards: moved {done.moved} of {done.keys} keys "
        f"({done.moved_fraction:.1%}); the least is {done.ideal_moved_fraction:.1%}"
    )


def value_of(key: str) -> bytes:
    return f"value of {key}".encode()


async def each(client: KvClient, work: Work, keys: int, prefix: str) -> int:
    """How many of the numbered keys the work was good for; a few clients share them."""
    names = [f"{prefix}{number}" for number in range(keys)]
    await client.where(names[0])  # looks the shards up once, before many ask at the same time

    async def some(share: list[str]) -> int:
        return sum([await work(client, key) for key in share])

    return sum(await asyncio.gather(*(some(names[i::CLIENTS]) for i in range(CLIENTS))))


def table(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    rows = [("SHARD", "KEYS", "SHARE")]
    rows += [(shard, str(count), f"{count / total:.1%}" if total else "-") for shard, count in counts.items()]
    return output.columns(rows)
