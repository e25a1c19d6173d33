"""Who holds a key: figures for 100,000 keys, and the same answer from sidecars and clients before and after restarts.

The sidecars' own choices are seen in real answers, for some keys, and must be those of `mesh.balance.placement`; so its
figures for all keys are the figures of the sidecars.
"""

import asyncio
import os
import random
import re
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp
import pytest

from mesh.balance.placement import Keys, measure, place
from mesh.balance.primes import node_names
from mesh.client.http import HttpClient
from mesh.client.kv import KvClient, Resolver
from mesh.client.kv import place as client_place
from mesh.testing.scenario import Scale
from tests.scenarios.support import ROUTES, Mesh, Up

DOCS = Path(__file__).parents[2]
COUNT = 100_000
PROMISE = 1.1
"""In multiples of what has to move."""
ASKED = 120
IN_README = (
    ("modulo", "modulo", None),
    ("`hashring`", "hashring", None),
    ("Envoy's `ring_hash`, 1,024 points in all", "ring_hash", None),
    ("the same, 1,000 points for each node", "ring_hash", 1000),
    ("Envoy's `maglev`", "maglev", None),
    ("rendezvous", "rendezvous", None),
)
"""The rows of the README's table: title, algorithm, points of a node."""
POINTS = 100
"""Of each node on the ring, in the manifest below."""

RING = """
apiVersion: v1
kind: Service
metadata: {name: kv-ring}
spec: {selector: {app: kv}, ports: [{name: http, port: 7000, targetPort: http}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: kv-ring}
spec:
  host: kv-ring
  trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x-key, ringHash: {minimumRingSize: SIZE}}}}
"""


@pytest.fixture(scope="module")
def keys() -> Keys:
    rng = random.Random(1)
    return Keys(rng.getrandbits(64) for _ in range(COUNT))


@pytest.mark.parametrize(
    ("algorithm", "points", "size", "least", "most"),
    [
        pytest.param("modulo", None, 1024, 9.9, 10.1, id="modulo moves nine keys of ten"),
        pytest.param("hash_modulo", None, 1024, 9.9, 10.1, id="modulo of a hash as well"),
        pytest.param("hashring", None, 1024, 0.9, PROMISE, id="hashring"),
        pytest.param("maglev", None, 1024, 1.0, PROMISE, id="maglev"),
        pytest.param("rendezvous", None, 1024, 0.95, 1.05, id="rendezvous"),
        pytest.param("ring_hash", 103, 1024, 0.85, PROMISE, id="ring, as many points a node before and after"),
        pytest.param("ring_hash", 1000, 1024, 0.95, PROMISE, id="ring, a thousand points a node"),
        pytest.param("ring_hash", None, 1024, 1.5, 1.9, id="ring of Envoy's default size breaks the promise"),
        pytest.param("ring_hash", None, 10_240, 1.5, 1.9, id="ring of any one size does"),
        pytest.param("ring_hash", None, 102_400, 1.5, 1.9, id="ring of any one size, even a large one"),
    ],
)
def test_an_eleventh_node_moves(
    keys: Keys, algorithm: str, points: int | None, size: int, least: float, most: float
) -> None:
    done = measure(algorithm, keys, node_names(10), node_names(11), points, size)
    assert least <= done.moved_fraction / done.ideal_moved_fraction <= most
    if algorithm.endswith("modulo"):
        assert done.moved_fraction == pytest.approx(0.909, abs=0.005)


def test_the_documents_say_so(keys: Keys) -> None:
    """The figures in print are those of this code, and the plot that they go with is there."""
    text = (DOCS / "docs" / "sharding.md").read_text()
    for algorithm in ("modulo", "hash_modulo", "hashring", "ring_hash", "maglev", "rendezvous"):
        done = measure(algorithm, keys, node_names(10), node_names(11))
        row = re.search(rf"^{algorithm} +random +(\S+) +\S+ +(\S+) +\S+ +(\S+)% +(\S+) x$", text, flags=re.M)
        assert row is not None, algorithm
        figures = (done.before.max_over_mean, done.before.cv, done.moved_fraction * 100)
        assert [float(row[i]) for i in (1, 2, 3)] == [round(figures[0], 3), round(figures[1], 4), round(figures[2], 2)]
        assert float(row[4]) == round(done.moved_fraction / done.ideal_moved_fraction, 2)
    for before, after, moved in re.findall(r"^\| `([\d,]+)` \| `([\d,]+)` \|.*\| (\S+) x \|$", text, flags=re.M):
        sizes = [int(each.replace(",", "")) for each in (before, after)]
        old, new = (place("ring_hash", keys, node_names(10 + i), None, size) for i, size in enumerate(sizes))
        changed = sum(one != other for one, other in zip(old, new, strict=True)) / COUNT
        assert float(moved) == round(changed * 11, 2), f"minimumRingSize {before}, then {after}"
    assert "`1,024` | `1,127`" in text
    readme = (DOCS / "README.md").read_text()
    for title, algorithm, points in IN_README:
        done = measure(algorithm, keys, node_names(10), node_names(11), points)
        figures = f"{done.before.max_over_mean:.2f} | {done.moved_fraction:.1%}".replace("%", " %")
        assert f"| {title} | {figures} |" in readme
    assert {"docs/sharding.png"} <= set(re.findall(r"\((docs/\S+\.png)\)", readme))
    assert (DOCS / "docs" / "sharding.png").stat().st_size > 10_000


class Store:
    """The store of a running mesh, as sidecars, the gateway and clients see it."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.names: list[str] = []
        self.addresses: dict[str, str] = {}

    async def restarts(self) -> None:
        """End every shard at once, and wait until each is back, under its name and at another address."""
        before = self.addresses
        async with HttpClient(self.mesh.up["api"]) as client:
            await self.mesh.hands(client).kill_pods("app=kv", len(before))
        await self.stands(len(before))
        assert not set(before.values()) & set(self.addresses.values())

    async def stands(self, count: int) -> None:
        """Wait until so many shards are ready."""
        async with HttpClient(self.mesh.up["api"]) as client:
            deadline = time.monotonic() + 30
            while True:
                pods = await self.mesh.hands(client).pods("app=kv")
                if len(pods) == count and all(pod.ready for pod in pods):
                    break
                assert time.monotonic() < deadline, f"{len(pods)} shards, {count} wanted"
                await asyncio.sleep(0.05)
        self.addresses = {pod.name: str(pod.status.pod_ip) for pod in pods}
        self.names = node_names(count)
        assert sorted(self.addresses) == sorted(self.names)

    async def through(self, proxy: str, host: str, keys: Sequence[str]) -> dict[str, str]:
        """key -> the pod that a proxy asks for it."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:

            async def ask(some: Sequence[str]) -> dict[str, str]:
                found = {}
                for key in some:
                    headers = {"x-key": key, "host": host}
                    # A sidecar is a proxy that is told the whole address; the gateway is told the host alone.
                    how = {"proxy": proxy} if ":15001" in proxy else {}
                    url = f"http://{host}/keys/{key}" if how else f"{proxy}/keys/{key}"
                    async with session.get(url, headers=headers, **how) as answer:  # type: ignore[arg-type]
                        found[key] = answer.headers["x-pod"]
                return found

            parts = await asyncio.gather(*(ask(keys[i::4]) for i in range(4)))
        return {key: pod for part in parts for key, pod in part.items()}

    def sidecar(self, name: str) -> str:
        return f"http://{self.addresses[name]}:15001"

    async def settles(self, host: str, keys: Sequence[str], wanted: Mapping[str, str]) -> None:
        """Two sidecars send every key where it should go, as soon as they have heard of all shards."""
        deadline = time.monotonic() + 15
        for name in (self.names[0], self.names[-1]):
            while (seen := await self.through(self.sidecar(name), host, keys[:20])) != {
                k: wanted[k] for k in keys[:20]
            }:
                assert time.monotonic() < deadline, f"{name} to {host}: {seen}"
                await asyncio.sleep(0.05)
            assert await self.through(self.sidecar(name), host, keys) == wanted

    async def clients(self, keys: Sequence[str]) -> dict[str, str]:
        """key -> pod, as a client finds it."""
        async with KvClient(Resolver(self.mesh.dns), "kv") as client:
            return {key: (await client.where(key))[0] for key in keys}


def placed(algorithm: str, keys: Keys, texts: Sequence[str], count: int, points: int | None = None) -> dict[str, str]:
    names = node_names(count)
    return dict(zip(texts, (names[i] for i in place(algorithm, keys, names, points)), strict=True))


@pytest.mark.live
@pytest.mark.timeout(120)
async def test_sidecars_and_clients_find_their_shards_again(up: Up, tmp_path: Path) -> None:
    for file in ("shards.yaml", "hashed.yaml"):
        (tmp_path / file).write_text(
            (ROUTES / "headless-sharding" / file).read_text().replace("replicas: 5", "replicas: 10")
        )
    (tmp_path / "ring.yaml").write_text(RING.replace("SIZE", str(10 * POINTS)))
    files = [word for file in ("shards.yaml", "hashed.yaml", "ring.yaml") for word in ("-f", str(tmp_path / file))]
    rng = random.Random(2)
    numbers = Keys(rng.getrandbits(64) for _ in range(ASKED))
    texts = [str(number) for number in numbers.numbers]
    ten = {"kv-hashed:7000": placed("maglev", numbers, texts, 10),
           "kv-ring:7000": placed("ring_hash", numbers, texts, 10, POINTS)}  # fmt: skip
    clients = {key: client_place(key, tuple(node_names(10))) for key in texts}

    store = Store(up(*files, "--state", str(tmp_path / "state")))
    await store.stands(10)
    for host, wanted in ten.items():
        await store.settles(host, texts, wanted)
    assert await store.through(store.mesh.gateway, "kv.example", texts) == ten["kv-hashed:7000"]
    assert await store.clients(texts) == clients

    kill(store.mesh)
    store = Store(up("--state", str(tmp_path / "state")))
    await store.stands(10)
    for host, wanted in ten.items():
        await store.settles(host, texts, wanted)

    await store.restarts()
    for host, wanted in ten.items():
        await store.settles(host, texts, wanted)
    assert await store.clients(texts) == clients

    store.mesh.apply_text(RING.replace("SIZE", str(11 * POINTS)))
    async with HttpClient(store.mesh.up["api"]) as client:
        await store.mesh.hands(client).scale(Scale(kind="StatefulSet", name="kv", replicas=11))
    await store.stands(11)
    eleven = {"kv-hashed:7000": placed("maglev", numbers, texts, 11),
              "kv-ring:7000": placed("ring_hash", numbers, texts, 11, POINTS)}  # fmt: skip
    for host, wanted in eleven.items():
        await store.settles(host, texts, wanted)
        assert {wanted[key] for key in texts if wanted[key] != ten[host][key]} >= {"kv-10"}
    assert await store.clients(texts) == {key: client_place(key, tuple(node_names(11))) for key in texts}


def kill(mesh: Mesh) -> None:
    """SIGKILL to every process, and wait until all are gone."""
    for pid in mesh.pids():
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while left := [pid for pid in mesh.pids() if Path(f"/proc/{pid}/cmdline").exists() and _lives(pid)]:
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
