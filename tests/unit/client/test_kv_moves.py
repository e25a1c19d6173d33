from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mesh.client.kv import KvError, Resolver, all_names, place
from mesh.client.kv_moves import Moved, Mover
from tests.unit.client.test_kv import Store

BLOCK = "127.77.42"  # addresses of this file's shards
KEYS = [f"key-{i}" for i in range(120)]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """Three shards with all keys where they belong."""
    built = Store(tmp_path)
    await built.dns.start()
    for i in range(3):
        await built.up(f"kv-{i}", f"{BLOCK}.{i + 1}")
    async with built.client() as client:
        for key in KEYS:
            await client.put(key, key.encode())
    yield built
    for name in list(built.running):
        await built.down(name)
    await built.dns.close()


async def rebalance(store: Store, keep: int | None = None, count: int | None = None) -> Moved:
    resolver = Resolver((store.dns.address, store.dns.port))
    async with Mover.of(resolver, "kv", "shop", count) as mover:
        return await mover.rebalance(keep)


async def all_found(store: Store, count: int) -> bool:
    async with store.client(count=count) as client:
        return all([(held := await client.get(key)) is not None and held.value == key.encode() for key in KEYS])


async def test_keys_move_to_new_shards_and_away_from_those_that_go(store: Store) -> None:
    for i in (3, 4):
        await store.up(f"kv-{i}", f"{BLOCK}.{i + 1}")
    three, five = all_names(["kv-2"]), all_names(["kv-4"])
    wrong = sum(place(key, three) != place(key, five) for key in KEYS)
    done = await rebalance(store)
    assert (done.before, done.after, done.keys, done.moved) == (three, five, len(KEYS), wrong)
    assert done.ideal_moved_fraction == pytest.approx(2 / 5)
    assert (sum(done.counts.values()), min(done.counts.values()) > 0) == (len(KEYS), True)
    assert await all_found(store, 5)
    assert (await rebalance(store)).moved == 0

    back = await rebalance(store, keep=3)
    assert (back.after, back.counts["kv-3"], back.counts["kv-4"]) == (three, 0, 0)
    assert back.ideal_moved_fraction == pytest.approx(2 / 5)
    for i in (3, 4):
        await store.down(f"kv-{i}")
    assert await all_found(store, 3)


async def test_the_newer_value_wins(store: Store) -> None:
    await store.up("kv-3", f"{BLOCK}.4")
    key = next(key for key in KEYS if place(key, all_names(["kv-3"])) == "kv-3")
    async with store.client() as client:
        await client.put(key, b"newer")
        await rebalance(store)
        held = await client.get(key)
    assert held is not None
    assert (held.shard, held.value) == ("kv-3", b"newer")


@pytest.mark.parametrize("away", ["kv-1", "kv-2"])
async def test_nothing_moves_while_a_shard_is_away(store: Store, away: str) -> None:
    await store.down(away)
    with pytest.raises(KvError, match=f"shard {away} of kv.shop.svc.cluster.local is away"):
        await rebalance(store, keep=1, count=3)


async def test_more_shards_than_there_are_cannot_be_kept(store: Store) -> None:
    with pytest.raises(KvError, match="there are 3 shards: keep 1 to 3 of them"):
        await rebalance(store, keep=4)


async def test_shards_on_their_way_out_are_not_asked(store: Store) -> None:
    """The API wants two; the third still answers."""
    await rebalance(store, keep=2)
    done = await rebalance(store, count=2)
    assert (done.after, done.keys, done.moved) == (("kv-0", "kv-1"), len(KEYS), 0)


async def test_a_store_without_keys(tmp_path: Path) -> None:
    done = Moved((), ("kv-0",), 0, 0, {"kv-0": 0})
    assert (done.moved_fraction, done.ideal_moved_fraction) == (0, 0)
