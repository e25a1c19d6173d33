import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from mesh.api.services import EndpointSlice, Service
from mesh.client.kv import KvClient, KvError, Resolver, all_names, place
from mesh.dns.server import DnsServer
from mesh.dns.zone import View, view
from mesh.node.apps.kv import build

BLOCK = "127.77.40"  # addresses of this file's shards


@pytest.mark.parametrize(
    ("known", "count", "names"),
    [
        pytest.param(["kv-1", "kv-0"], None, ("kv-0", "kv-1"), id="all-there"),
        pytest.param(["kv-0", "kv-2"], None, ("kv-0", "kv-1", "kv-2"), id="a-gap-is-filled"),
        pytest.param(["kv-1"], 4, ("kv-0", "kv-1", "kv-2", "kv-3"), id="count-fills-the-end"),
        pytest.param(["my-kv-10"], None, tuple(f"my-kv-{i}" for i in range(11)), id="two-digits"),
    ],
)
def test_names_of_all_shards(known: list[str], count: int | None, names: tuple[str, ...]) -> None:
    assert all_names(known, count) == names


@pytest.mark.parametrize(
    ("known", "count", "message"),
    [
        pytest.param(["127-244-0-1"], None, "no stable name", id="deployment-behind-it"),
        pytest.param(["web-abc12"], None, "no stable name", id="no-ordinal"),
        pytest.param(["a-0", "b-0"], None, "several stores behind it: a, b", id="two-sets"),
        pytest.param(["kv-3"], 3, "more shards than 3: kv-3", id="count-too-small"),
    ],
)
def test_names_that_cannot_be_placed_by(known: list[str], count: int | None, message: str) -> None:
    with pytest.raises(KvError, match=message):
        all_names(known, count)


def test_placing_does_not_depend_on_the_order_of_names() -> None:
    names = tuple(f"kv-{i}" for i in range(5))
    keys = [f"key-{i}" for i in range(1000)]
    placed = [place(key, names) for key in keys]
    assert placed == [place(key, tuple(reversed(names))) for key in keys]
    assert set(placed) == set(names)
    assert max(placed.count(name) for name in names) < 500


def test_a_new_shard_takes_keys_and_moves_no_others() -> None:
    old, new = tuple(f"kv-{i}" for i in range(4)), tuple(f"kv-{i}" for i in range(5))
    moved = {place(key, new) for key in map(str, range(2000)) if place(key, old) != place(key, new)}
    assert "kv-4" in moved
    staying = sum(place(key, old) == place(key, new) for key in map(str, range(2000)))
    assert staying > 1200


def test_nothing_can_be_placed_without_shards() -> None:
    with pytest.raises(KvError):
        place("a", ())


@dataclass
class Store:
    """Shards as applications on addresses of their own, and the DNS that finds them."""

    root: Path
    dns: DnsServer = field(init=False)
    running: dict[str, tuple[web.AppRunner, str]] = field(default_factory=dict)
    port: int = 0
    service_port_name: str = "http"
    headless: bool = True

    def __post_init__(self) -> None:
        self.dns = DnsServer(self.view, "127.0.0.1", 0)

    def view(self) -> View:
        meta = {"name": "kv", "namespace": "shop", "labels": {"kubernetes.io/service-name": "kv"}}
        ports = [{"name": self.service_port_name, "port": self.port}]
        endpoints = [{"addresses": [ip], "hostname": name} for name, (_, ip) in self.running.items()]
        slices = [EndpointSlice.model_validate({"metadata": meta, "endpoints": endpoints, "ports": ports})]
        spec = {"clusterIP": "None" if self.headless else "127.96.0.9", "ports": ports}
        return view([Service.model_validate({"metadata": meta, "spec": spec})], slices)

    async def up(self, name: str, ip: str) -> None:
        class Here:
            volume_dir, pod_name, node_name, volume_read_only = self.root / name, name, "node-1", False

        runner = web.AppRunner(build({}, Here()))
        await runner.setup()
        site = web.TCPSite(runner, ip, self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        self.running[name] = (runner, ip)

    async def down(self, name: str) -> None:
        runner, _ = self.running.pop(name)
        await runner.cleanup()

    def client(self, **more: int) -> KvClient:
        return KvClient(Resolver((self.dns.address, self.dns.port)), "kv", "shop", **more)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    built = Store(tmp_path)
    await built.dns.start()
    for i in range(5):
        await built.up(f"kv-{i}", f"{BLOCK}.{i + 1}")
    yield built
    for name in list(built.running):
        await built.down(name)
    await built.dns.close()


async def held(store: Store) -> dict[str, list[str]]:
    """Shard -> keys, read from the shards' directories."""
    from mesh.node.apps.kv import KeyFiles

    found = {}
    for directory in store.root.iterdir():
        files = KeyFiles(directory)
        await asyncio.to_thread(files.open)
        found[directory.name] = files.keys()
    return found


async def test_keys_spread_over_shards_and_each_lives_on_one(store: Store) -> None:
    keys = [f"key-{i}" for i in range(100)]
    async with store.client() as client:
        for key in keys:
            await client.put(key, key.encode())
        for key in keys:
            found = await client.get(key)
            assert found is not None
            assert found.value == key.encode()
    holding = await held(store)
    assert sorted(key for names in holding.values() for key in names) == sorted(keys)
    assert all(holding.values())


async def test_a_shard_that_returns_elsewhere_still_holds_its_keys(store: Store) -> None:
    async with store.client() as client:
        keys = [key for key in map(str, range(200)) if place(key, tuple(f"kv-{i}" for i in range(5))) == "kv-3"][:5]
        for key in keys:
            await client.put(key, b"v")
        await store.down("kv-3")
        await store.up("kv-3", f"{BLOCK}.99")
        for key in keys:
            found = await client.get(key)  # the kept address is refused, and looked up again
            assert found is not None
            assert (found.shard, found.value) == ("kv-3", b"v")
        assert (await client.where(keys[0])) == ("kv-3", (f"{BLOCK}.99", store.port))


@pytest.mark.parametrize("away", ["kv-1", "kv-4"], ids=["in-between", "the-last"])
async def test_keys_of_a_shard_that_is_away_go_nowhere_else(store: Store, away: str) -> None:
    key = next(key for key in map(str, range(200)) if place(key, tuple(f"kv-{i}" for i in range(5))) == away)
    await store.down(away)
    async with store.client(count=5) as client:
        with pytest.raises(KvError, match=rf"shard {away} .*cannot be reached"):
            await client.put(key, b"v")
        assert await client.where(key) == (away, None)


async def test_a_client_that_saw_all_shards_remembers_how_many(store: Store) -> None:
    key = next(key for key in map(str, range(200)) if place(key, tuple(f"kv-{i}" for i in range(5))) == "kv-4")
    async with store.client() as client:
        await client.put(key, b"v")
        await store.down("kv-4")
        with pytest.raises(KvError, match="kv-4"):
            await client.get(key)


async def test_absent_keys_and_deletion(store: Store) -> None:
    async with store.client() as client:
        assert await client.get("a") is None
        assert await client.delete("a") is None
        put = await client.put("a/b ?ä", b"\x00")
        deleted = await client.delete("a/b ?ä")
        assert deleted is not None
        assert deleted.shard == put.shard
        assert await client.get("a/b ?ä") is None


async def test_what_the_shard_refuses_is_told(store: Store) -> None:
    async with store.client() as client:
        with pytest.raises(KvError, match="answers 414"):
            await client.put("x" * 600, b"")
        with pytest.raises(KvError, match="answers 413"):
            await client.put("big", bytes(2 << 20))


@pytest.mark.parametrize("key", ["", ".", ".."])
async def test_keys_that_no_path_can_carry(store: Store, key: str) -> None:
    async with store.client() as client:
        with pytest.raises(KvError, match="cannot be a path segment"):
            await client.put(key, b"v")


async def test_a_given_port_needs_no_port_name(store: Store) -> None:
    store.service_port_name = ""
    resolver = Resolver((store.dns.address, store.dns.port), port=store.port)
    async with KvClient(resolver, "kv", "shop") as client:
        assert (await client.put("a", b"v")).shard == place("a", tuple(f"kv-{i}" for i in range(5)))
    by_name = Resolver((store.dns.address, store.dns.port))
    with pytest.raises(KvError, match=r"DNS knows no _http\._tcp\.kv\.shop"):
        await by_name.shards("kv", "shop")


async def test_other_services_are_told_apart(store: Store) -> None:
    resolver = Resolver((store.dns.address, store.dns.port), port=store.port)
    with pytest.raises(KvError, match="no such service"):
        await resolver.shards("none", "shop")
    store.headless = False
    with pytest.raises(KvError, match="no headless service"):
        await resolver.shards("kv", "shop")
    with pytest.raises(KvError, match="not a pod of"):
        await Resolver((store.dns.address, store.dns.port)).shards("kv", "shop")


async def test_a_dns_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh.client.kv.DNS_TIMEOUT_S", 0.2)
    with pytest.raises(KvError, match=r"DNS at 127\.77\.40\.200:9 does not answer"):
        await Resolver((f"{BLOCK}.200", 9), port=1).shards("kv", "shop")
