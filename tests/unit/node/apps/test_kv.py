import asyncio
import http.client
import io
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from mesh.node.apps.kv import MAX_KEY_BYTES, MAX_VALUE_BYTES, KeyFiles, build


@dataclass
class Here:
    volume_dir: Path
    pod_name: str = "kv-0"
    node_name: str = "node-1"
    volume_read_only: bool = False


@pytest.fixture
async def shard(tmp_path: Path) -> AsyncIterator[TestClient]:
    async with TestClient(TestServer(build({}, Here(tmp_path / "data")))) as client:
        yield client


def at(key: str) -> URL:
    return URL(f"/keys/{quote(key, safe='')}", encoded=True)


async def test_a_key_lives_from_put_to_delete(shard: TestClient) -> None:
    assert (await shard.get("/keys/a")).status == 404
    assert (await shard.put("/keys/a", data=b"one")).status == 201
    assert (await shard.put("/keys/a", data=b"\x00two")).status == 204
    answer = await shard.get("/keys/a")
    assert (answer.status, await answer.read()) == (200, b"\x00two")
    assert (answer.headers["x-pod"], answer.headers["x-node"]) == ("kv-0", "node-1")
    assert (await shard.delete("/keys/a")).status == 204
    assert (await shard.get("/keys/a")).status == 404
    assert (await shard.delete("/keys/a")).status == 404


async def test_a_key_that_is_held_stays_for_who_asks_for_that(shard: TestClient) -> None:
    careful = {"if-none-match": "*"}
    assert (await shard.put("/keys/a", data=b"one", headers=careful)).status == 201
    assert (await shard.put("/keys/a", data=b"two", headers=careful)).status == 412
    assert await (await shard.get("/keys/a")).read() == b"one"


async def test_keys_are_listed_in_order(shard: TestClient) -> None:
    for key in ("b", "a"):
        await shard.put(f"/keys/{key}", data=b"")
    assert await (await shard.get("/keys")).json() == {"pod": "kv-0", "keys": ["a", "b"]}
    assert await (await shard.get("/")).text() == "kv-0 holds 2 keys\n"


@pytest.mark.parametrize("key", ["a b", "ä/ö", "...", "%2F", "a?b#c", "\U0001f511", "x" * MAX_KEY_BYTES])
async def test_any_text_can_be_a_key(shard: TestClient, key: str) -> None:
    assert (await shard.put(at(key), data=b"v")).status == 201
    assert await (await shard.get(at(key))).read() == b"v"
    assert (await (await shard.get("/keys")).json())["keys"] == [key]


async def test_too_much_is_refused_and_not_stored(shard: TestClient) -> None:
    assert (await shard.put(at("x" * (MAX_KEY_BYTES + 1)), data=b"v")).status == 414
    assert (await shard.put(at("big"), data=io.BytesIO(bytes(MAX_VALUE_BYTES + 1)))).status == 413
    assert (await shard.put(at("fits"), data=io.BytesIO(bytes(MAX_VALUE_BYTES)))).status == 201
    assert (await (await shard.get("/keys")).json())["keys"] == ["fits"]


async def test_bytes_that_are_no_text_are_no_key(shard: TestClient) -> None:
    assert (await shard.put(URL("/keys/%FF%FE", encoded=True), data=b"v")).status in (201, 400)
    assert (await shard.get("/keys")).status == 200


async def test_concurrent_writes_of_one_key_leave_one_of_them(shard: TestClient) -> None:
    values = [str(i).encode() * 50 for i in range(20)]
    await asyncio.gather(*(shard.put("/keys/a", data=value) for value in values))
    assert await (await shard.get("/keys/a")).read() in values


async def test_keys_outlive_the_container(tmp_path: Path) -> None:
    for value in (b"first", b"second"):
        async with TestClient(TestServer(build({}, Here(tmp_path)))) as client:
            await client.put("/keys/a", data=value)
    async with TestClient(TestServer(build({}, Here(tmp_path, pod_name="kv-0", node_name="node-2")))) as client:
        answer = await client.get("/keys/a")
        assert (await answer.read(), answer.headers["x-node"]) == (b"second", "node-2")


async def test_a_read_only_volume_is_read_and_never_written(tmp_path: Path) -> None:
    files = KeyFiles(tmp_path)
    files.open()
    files.put("a", b"1")
    next(tmp_path.iterdir()).with_suffix(".draft").write_bytes(b"half")
    (tmp_path / "README").write_text("somebody's own")
    before = sorted(path.name for path in tmp_path.iterdir())
    async with TestClient(TestServer(build({}, Here(tmp_path, volume_read_only=True)))) as client:
        assert await (await client.get("/keys/a")).read() == b"1"
        for answer in (await client.put("/keys/a", data=b"2"), await client.delete("/keys/a")):
            assert (answer.status, await answer.text()) == (403, "kv-0: the volume is mounted read-only\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_draft_that_was_never_acknowledged_is_thrown_away(tmp_path: Path) -> None:
    files = KeyFiles(tmp_path)
    files.open()
    files.put("a", b"1")
    (draft,) = [path.with_suffix(".draft") for path in tmp_path.iterdir()]
    draft.write_bytes(b"half")
    again = KeyFiles(tmp_path)
    again.open()
    assert (again.keys(), again.get("a"), draft.exists()) == (["a"], b"1", False)


def test_a_write_is_synced_before_it_is_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = KeyFiles(tmp_path)
    files.open()
    synced: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.path.isdir(f"/proc/self/fd/{handle}")))
    files.put("a", b"1")
    assert synced == [False, True]  # the file, then its directory
    files.delete("a")
    assert synced == [False, True, True]


SERVE = """
import sys
from aiohttp import web
from pathlib import Path
from mesh.node.apps.kv import build
class Here:
    volume_dir, pod_name, node_name, volume_read_only = Path(sys.argv[1]), "kv-0", "node-1", False
def say(text):
    print(text, flush=True)
web.run_app(build({}, Here()), host="127.0.0.1", port=0, print=say, handle_signals=False)
"""


@pytest.mark.live
def test_a_killed_process_loses_no_acknowledged_write(tmp_path: Path) -> None:
    written: dict[str, bytes] = {}
    for round_number in range(2):
        process = subprocess.Popen([sys.executable, "-c", SERVE, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            base = next(line for line in process.stdout if "http://" in line).split("http://")[1].split()[0]
            connection = http.client.HTTPConnection(base, timeout=10)
            for i in range(30):
                key, value = f"{round_number}-{i}", f"value {i}".encode()
                connection.request("PUT", f"/keys/{key}", value)
                assert connection.getresponse().read() == b""
                written[key] = value
            connection.close()
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            process.stdout.close()
    files = KeyFiles(tmp_path)
    files.open()
    assert {key: files.get(key) for key in list(files.keys())} == written
