"""Which keys of a sharded store lie where they belong, and how do the others get there?

After scaling, the ring places some keys on another shard than the one that holds them. `rebalance` asks every shard
for its keys and moves those: stored at the new place unless a newer value is there already, then forgotten at the old
one. Nothing is lost when it is interrupted, and it can be run again; until a key has moved, a reader at its new place
does not find it. Before shards are taken away, move their keys to those that stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote

import aiohttp
from yarl import URL

from mesh.balance.placement import least_moved
from mesh.client.kv import HTTP_TIMEOUT_S, KvError, Resolver, Shards, place

AT_ONCE = 16
"""Keys under way; every shard writes one at a time anyway."""
Address = tuple[str, int]


class ShardAway(KvError):
    """DNS does not know the address of a shard. Nothing has been moved."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What a rebalance did. before, after: shards that held keys, and those that hold them now."""

    before: tuple[str, ...]
    after: tuple[str, ...]
    keys: int
    moved: int
    counts: Mapping[str, int]
    """Shard -> keys it holds now."""

    @property
    def moved_fraction(self) -> float:
        return self.moved / self.keys if self.keys else 0.0

    @property
    def ideal_moved_fraction(self) -> float:
        """What has to move so that every shard holds the same share afterwards."""
        return least_moved(self.before, self.after) if self.before else 0.0


class Mover:
    """Reads and writes shards directly, whoever the ring says."""

    def __init__(self, shards: Shards, session: aiohttp.ClientSession) -> None:
        self._shards, self._session = shards, session
        self._slots = asyncio.Semaphore(AT_ONCE)

    @classmethod
    @asynccontextmanager
    async def of(cls, resolver: Resolver, service: str, namespace: str, count: int | None) -> AsyncIterator[Mover]:
        """Raises KvError where the store is not found."""
        shards = await resolver.shards(service, namespace, count, leaving=True)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=HTTP_TIMEOUT_S)) as session:
            yield cls(shards, session)

    async def held(self) -> dict[str, list[str]]:
        """Shard -> its keys, by its own word. Raises ShardAway."""
        missing = [name for name in self._shards.names if name not in self._shards.addresses]
        if missing:
            raise ShardAway(f"shard {missing[0]} of {self._shards.service} is away, and nobody else knows its keys")
        found = await asyncio.gather(*(self._keys(name) for name in self._shards.names))
        return dict(zip(self._shards.names, found, strict=True))

    async def rebalance(self, keep: int | None = None) -> Moved:
        """Move every key to the shard that the ring of the first `keep` shards (default: all) gives it."""
        held = await self.held()
        names = self._shards.names
        if keep is not None and not 0 < keep <= len(names):
            raise KvError(f"there are {len(names)} shards: keep 1 to {len(names)} of them")
        after = names[: keep or len(names)]
        wrong = [(key, name, place(key, after)) for name, keys in held.items() for key in keys]
        wrong = [(key, old, new) for key, old, new in wrong if old != new]
        await asyncio.gather(*(self._move(key, old, new) for key, old, new in wrong))
        counts = {name: len(keys) for name, keys in (await self.held()).items()}
        before = _in_use([name for name in names if held[name]], names)
        return Moved(before, after, sum(map(len, held.values())), len(wrong), counts)

    async def _keys(self, shard: str) -> list[str]:
        async with self._ask("GET", shard, "/keys") as answer:
            return list((await answer.json())["keys"])

    async def _move(self, key: str, old: str, new: str) -> None:
        path = f"/keys/{quote(key, safe='')}"
        async with self._slots:
            async with self._ask("GET", old, path) as answer:
                if answer.status == 404:  # somebody has deleted it meanwhile
                    return
                value = await answer.read()
            async with self._ask("PUT", new, path, value, {"if-none-match": "*"}) as answer:
                if answer.status not in (201, 412):  # 412: there is a newer value at its new place
                    raise KvError(f"shard {new} answers {answer.status} for key {key!r}; it stays on {old}")
            async with self._ask("DELETE", old, path) as answer:
                if answer.status not in (204, 404):
                    raise KvError(f"shard {old} answers {answer.status} when it should forget key {key!r}")

    @asynccontextmanager
    async def _ask(
        self, method: str, shard: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        address, port = self._shards.addresses[shard]
        url = URL(f"http://{address}:{port}{path}", encoded=True)
        try:
            async with self._session.request(method, url, data=body, headers=headers) as answer:
                yield answer
        except (aiohttp.ClientError, TimeoutError) as error:
            raise KvError(f"shard {shard} at {address}:{port} does not answer: {error or 'timeout'}") from None


def _in_use(holding: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """The shards that keys were placed on: up to the last one that holds any."""
    return tuple(names[: max(map(names.index, holding)) + 1]) if holding else ()
