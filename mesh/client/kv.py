"""Which pod of a sharded store holds a key, and how is it asked?

The store is a headless service whose pods have stable names (`kv-0`, `kv-1`, ...). DNS tells the names and their
addresses of this moment; a consistent hash over the *names* places a key; that one pod is asked directly. Since
names and not addresses are hashed, a pod that comes back elsewhere still holds its keys.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Self, cast
from urllib.parse import quote

import aiohttp
import dns.asyncresolver
import dns.exception
import dns.resolver
import dns.reversename
from hashring import HashRing
from yarl import URL

DNS_TIMEOUT_S = 5.0
HTTP_TIMEOUT_S = 10.0
_ORDINAL = re.compile(r"(.+)-(0|[1-9][0-9]*)")


class KvError(Exception):
    """The store cannot be asked; `str()` is one line that says why."""


class NoSuchName(KvError):
    """DNS knows no such name, or no such record of it."""


@dataclass(frozen=True, slots=True)
class Shards:
    """The pods behind a service at one moment."""

    service: str
    """Fully qualified."""
    names: tuple[str, ...]
    """Of every shard, also of those that are away: placing must not depend on who is up."""
    addresses: Mapping[str, tuple[str, int]]
    """Name -> address and port, of those that DNS knows."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a shard answered."""

    shard: str
    status: int
    value: bytes


def place(key: str, names: tuple[str, ...]) -> str:
    """The shard of a key. names: of all shards; their order does not matter."""
    return cast(str, _ring(tuple(sorted(names))).get_node(key))


@lru_cache(maxsize=64)
def _ring(names: tuple[str, ...]) -> HashRing:
    if not names:
        raise KvError("a store without shards holds nothing")
    return HashRing(list(names))


def all_names(known: Iterable[str], count: int | None = None, leaving: bool = False) -> tuple[str, ...]:
    """The names of all shards, from those that are known now.

    A pod that is away leaves a gap in the ordinals, which is filled; the last ones can only be filled when `count`
    tells how many there are. leaving: pods beyond `count` are just on their way out, and do not count. Raises KvError
    where names carry no ordinals, belong to several stores, or are more than `count`.
    """
    stems: set[str] = set()
    last = -1
    for name in known:
        match = _ORDINAL.fullmatch(name)
        if match is None or re.fullmatch(r"\d+-\d+-\d+-\d+", name):
            raise KvError(f"pod {name!r} has no stable name: the service needs a StatefulSet behind it")
        stems.add(match[1])
        last = max(last, int(match[2]))
    if len(stems) > 1:
        raise KvError(f"the service has pods of several stores behind it: {', '.join(sorted(stems))}")
    if count is not None and count <= last and not leaving:
        raise KvError(f"there are more shards than {count}: {stems.pop()}-{last} answers")
    return tuple(f"{stem}-{i}" for stem in stems for i in range(count or last + 1))


class Resolver:
    """Finds the shards of a service through one DNS server.

    dns_server: address and port.  port: of the shards; None takes it from the SRV records of `port_name`.
    """

    def __init__(self, dns_server: tuple[str, int], *, port: int | None = None, port_name: str = "http") -> None:
        self._dns = dns.asyncresolver.Resolver(configure=False)
        self._dns.nameservers = [dns_server[0]]
        self._dns.port = dns_server[1]
        self._dns.lifetime = DNS_TIMEOUT_S
        self._dns.cache = None
        self._port = port
        self._port_name = port_name

    async def shards(self, service: str, namespace: str, count: int | None = None, leaving: bool = False) -> Shards:
        """The shards of `service`; count, leaving: as in `all_names`. Raises KvError."""
        host = f"{service}.{namespace}.svc.cluster.local"
        if self._port is None:
            found = await self._from_srv(host)
        else:
            found = await self._from_addresses(host, self._port)
        addresses = {name: address for name, address in found.items() if address is not None}
        return Shards(host, all_names(found, count, leaving), addresses)

    async def _from_srv(self, host: str) -> dict[str, tuple[str, int] | None]:
        """None: a pod whose address went between two questions."""
        found: dict[str, tuple[str, int] | None] = {}
        for record in await self._ask(f"_{self._port_name}._tcp.{host}", "SRV"):
            _, _, port, target = record.split()
            try:
                (address, *_) = await self._ask(target, "A")
                found[_first_label(target, host)] = (address, int(port))
            except NoSuchName:
                found[_first_label(target, host)] = None
        return found

    async def _from_addresses(self, host: str, port: int) -> dict[str, tuple[str, int] | None]:
        """Without a port name there is no SRV; the names behind the addresses are their PTR records."""
        found: dict[str, tuple[str, int] | None] = {}
        for address in await self._ask(host, "A"):
            try:
                names = await self._ask(dns.reversename.from_address(address).to_text(), "PTR")
            except NoSuchName:
                continue  # it went between two questions
            name = next((name for name in names if name.endswith(f".{host}.")), None)
            if name is None:
                raise KvError(f"{host} is no headless service: {address} is not a pod of its own name")
            found[_first_label(name, host)] = (address, port)
        if not found:
            raise KvError(f"{host} is no headless service: nothing behind it has a name of its own")
        return found

    async def _ask(self, name: str, qtype: str) -> list[str]:
        server = f"{self._dns.nameservers[0]}:{self._dns.port}"
        try:
            answer = await self._dns.resolve(name, qtype, search=False)
        except dns.resolver.NXDOMAIN:
            raise NoSuchName(f"DNS knows no {name} (no such service, or no pod of it is ready)") from None
        except dns.resolver.NoAnswer:
            raise NoSuchName(f"DNS knows {name}, but has no {qtype} record of it") from None
        except dns.exception.Timeout:
            raise KvError(f"DNS at {server} does not answer") from None
        except dns.exception.DNSException as error:
            raise KvError(f"DNS at {server} does not answer for {name}: {error}") from None
        return [record.to_text() for record in answer]


def _first_label(name: str, host: str) -> str:
    label, _, rest = name.rstrip(".").partition(".")
    if rest.lower() != host.lower():
        raise KvError(f"{name} is not a pod of {host}")
    return label.lower()


class KvClient:
    """One store. Use as `async with`; addresses are kept and looked up again when a shard cannot be reached.

    count: how many shards there are; None infers it from those that DNS knows.  leaving: further ones that DNS still
    knows are on their way out; without it they are an error.
    """

    def __init__(
        self,
        resolver: Resolver,
        service: str,
        namespace: str = "default",
        *,
        count: int | None = None,
        leaving: bool = False,
    ) -> None:
        self._resolver, self._leaving = resolver, leaving
        self._service, self._namespace, self._count = service, namespace, count
        self._shards: Shards | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=HTTP_TIMEOUT_S))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def where(self, key: str) -> tuple[str, tuple[str, int] | None]:
        """The shard of a key and its address; None while it is away."""
        shards = await self._lookup()
        name = place(key, shards.names)
        return name, shards.addresses.get(name)

    async def put(self, key: str, value: bytes) -> Held:
        """Store; when this returns the value is durable. Raises KvError."""
        return self._expect(key, await self._request("PUT", key, value), (200, 201, 204))

    async def get(self, key: str) -> Held | None:
        """The value and the shard that holds it; None: there is no such key. Raises KvError."""
        held = self._expect(key, await self._request("GET", key), (200, 404))
        return None if held.status == 404 else held

    async def delete(self, key: str) -> Held | None:
        """Forget a key; None: there was none. Raises KvError."""
        held = self._expect(key, await self._request("DELETE", key), (200, 204, 404))
        return None if held.status == 404 else held

    @staticmethod
    def _expect(key: str, held: Held, good: tuple[int, ...]) -> Held:
        if held.status not in good:
            text = held.value.decode(errors="replace").strip()
            raise KvError(f"shard {held.shard} answers {held.status} for key {key!r}: {text[:200]}")
        return held

    async def _lookup(self, *, again: bool = False) -> Shards:
        if self._shards is None or again:
            self._shards = await self._resolver.shards(self._service, self._namespace, self._count, self._leaving)
            # The ring may grow with what is learnt, and must not shrink because somebody is away.
            self._count = max(self._count or 0, len(self._shards.names))
        return self._shards

    async def _request(self, method: str, key: str, value: bytes | None = None) -> Held:
        """Ask the shard of the key; an address that no longer works is looked up once more."""
        if key in ("", ".", ".."):
            raise KvError(f"key {key!r} cannot be a path segment; choose another")
        tried: tuple[str, int] | None = None
        for again in (False, True):
            shards = await self._lookup(again=again)
            name = place(key, shards.names)
            address = shards.addresses.get(name)
            if address is None or address == tried:
                continue
            try:
                return await self._send(method, name, address, key, value)
            except (aiohttp.ClientConnectionError, TimeoutError):
                tried = address
        at = f" at {tried[0]}:{tried[1]}" if tried else ""
        raise KvError(f"shard {name}{at} of {shards.service} cannot be reached; it alone holds key {key!r}")

    async def _send(self, method: str, shard: str, address: tuple[str, int], key: str, value: bytes | None) -> Held:
        if self._session is None:
            raise RuntimeError("use KvClient as `async with`")
        url = URL(f"http://{address[0]}:{address[1]}/keys/{quote(key, safe='')}", encoded=True)
        body = None if value is None else io.BytesIO(value)
        async with self._session.request(method, url, data=body) as answer:
            return Held(shard, answer.status, await answer.read())
