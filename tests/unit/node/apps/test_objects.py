import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from mesh.node.apps import objects
from mesh.node.apps.context import AppContext
from mesh.node.apps.object_files import Entry
from mesh.node.apps.object_pages import page_of

JSON = {"accept": "application/json"}


def context(volume: Path, **changes: Any) -> AppContext:
    return AppContext(
        pod_name="s3-0", pod_ip="", node_name="node-1", namespace="", container_name="s3", image="mesh/objects",
        address="", ports=(), volume_dir=volume, **changes,
    )  # fmt: skip


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(objects.build({}, context(tmp_path / "data")))) as client:
        yield client


def at(path: str) -> URL:
    return URL(path, encoded=True)


async def keys(store: TestClient[Any, Any], query: str = "") -> list[str]:
    found = await (await store.get(at(f"/logs?{query}"), headers=JSON)).json()
    return [entry["Key"] for entry in found["Contents"]] + [each["Prefix"] for each in found.get("CommonPrefixes", ())]


async def test_an_object_is_put_once_and_stays(store: TestClient[Any, Any]) -> None:
    put = await store.put("/logs/2026/a.txt", data=b"one", headers={"content-type": "text/plain"})
    assert (put.status, put.headers["etag"], put.headers["x-pod"]) == (
        200,
        '"f97c5d29941bfb1b2fdab0874906ab82"',
        "s3-0",
    )
    again = await store.put("/logs/2026/a.txt", data=b"two", headers=JSON)
    assert (again.status, (await again.json())["Code"]) == (409, "ObjectAlreadyExists")
    careful = await store.put("/logs/2026/a.txt", data=b"two", headers={"if-none-match": "*"})
    assert careful.status == 412
    gone = await store.delete("/logs/2026/a.txt")
    assert (gone.status, gone.headers["allow"]) == (405, "GET, HEAD, PUT")
    got = await store.get("/logs/2026/a.txt")
    assert (await got.read(), got.content_type, got.headers["etag"]) == (b"one", "text/plain", put.headers["etag"])
    head = await store.head("/logs/2026/a.txt")
    assert (head.status, head.content_length, await head.read()) == (200, 3, b"")


async def test_of_many_writers_one_wins(store: TestClient[Any, Any]) -> None:
    bodies = [str(number).encode() * 1000 for number in range(10)]
    answers = await asyncio.gather(*(store.put("/logs/a", data=body) for body in bodies))
    winners = [body for body, answer in zip(bodies, answers, strict=True) if answer.status == 200]
    assert sorted(answer.status for answer in answers) == [200] + [409] * 9
    assert await (await store.get("/logs/a")).read() == winners[0]
    assert await keys(store) == ["a"]


@pytest.mark.parametrize(
    ("wanted", "status", "body", "where"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("lines=1-2", 200, b"0123456789", None),
        ("bytes=10-", 416, None, None),
    ],
)
async def test_a_range(
    store: TestClient[Any, Any], wanted: str, status: int, body: bytes | None, where: str | None
) -> None:
    await store.put("/logs/a", data=b"0123456789")
    answer = await store.get("/logs/a", headers={"range": wanted})
    assert (answer.status, answer.headers.get("content-range")) == (status, where)
    assert body is None or await answer.read() == body


async def test_lists(store: TestClient[Any, Any]) -> None:
    for key in ("b/2", "a", "b/1", "c&<"):
        await store.put(at(f"/logs/{quote(key, safe='')}"), data=b"x")
    assert await keys(store) == ["a", "b/1", "b/2", "c&<"]
    assert await keys(store, "prefix=b/") == ["b/1", "b/2"]
    assert await keys(store, "delimiter=/") == ["a", "c&<", "b/"]
    page = await (await store.get("/logs?max-keys=2", headers=JSON)).json()
    assert (page["IsTruncated"], page["KeyCount"], page["NextContinuationToken"]) == (True, 2, "b/1")
    assert await keys(store, "continuation-token=b/1") == ["b/2", "c&<"]
    text = await (await store.get("/logs")).text()
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/')
    assert re.findall("<Key>(.*?)</Key>", text) == ["a", "b/1", "b/2", "c&amp;&lt;"]
    assert (await (await store.get("/", headers=JSON)).json())["Buckets"] == {"Bucket": [{"Name": "logs"}]}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        pytest.param("GET", "/logs/none", 404, "NoSuchKey", id="no object"),
        pytest.param("GET", "/none", 404, "NoSuchBucket", id="no bucket"),
        pytest.param("PUT", "/logs", 409, "BucketAlreadyOwnedByYou", id="a bucket twice"),
        pytest.param("DELETE", "/logs", 405, "MethodNotAllowed", id="a bucket stays"),
        pytest.param("POST", "/logs/a", 405, "MethodNotAllowed", id="post"),
        pytest.param("PUT", "/%2e%2e/a", 400, "InvalidBucketName", id="out of the volume"),
        pytest.param("PUT", "/UPPER/a", 400, "InvalidBucketName", id="a bucket's name"),
        pytest.param("PUT", "/logs/" + "x" * 1025, 400, "KeyTooLongError", id="a long key"),
        pytest.param("PUT", "/logs/%ff", 400, "InvalidURI", id="no UTF-8"),
        pytest.param("GET", "/logs?max-keys=many", 400, "InvalidArgument", id="max-keys"),
    ],
)
async def test_refusals(store: TestClient[Any, Any], method: str, path: str, status: int, code: str) -> None:
    assert (await store.put("/logs")).status == 200
    answer = await store.request(method, at(path), headers=JSON)
    assert (answer.status, (await answer.json())["Code"]) == (status, code)


@pytest.mark.parametrize(
    "key", ["../../etc/passwd", "a/../b", "...", "%2e%2e", "a b", "\x01\n", "ü" * 512, "\U0001f511"]
)
async def test_any_text_can_be_a_key(store: TestClient[Any, Any], tmp_path: Path, key: str) -> None:
    path = at(f"/logs/{quote(key, safe='')}")
    assert (await store.put(path, data=b"v")).status == 200
    assert await (await store.get(path)).read() == b"v"
    assert await keys(store) == [key]
    assert [p.name for p in tmp_path.iterdir()] == ["data"]
    assert all(len(p.name) == 64 for p in (tmp_path / "data" / "logs").iterdir())


async def test_objects_outlive_the_container_and_are_seen_by_other_pods(tmp_path: Path) -> None:
    one, other = (TestClient(TestServer(objects.build({}, context(tmp_path)))) for _ in range(2))
    async with one, other:
        await one.put("/logs/a", data=b"1")
        assert await keys(other) == ["a"]
        assert (await other.put("/logs/a", data=b"2")).status == 409
        await other.put("/logs/b", data=b"2")
        assert await keys(one) == ["a", "b"]
    async with TestClient(TestServer(objects.build({}, context(tmp_path)))) as later:
        assert await (await later.get("/logs/a")).read() == b"1"


async def test_sizes_are_bounded_and_nothing_is_left_behind(
    store: TestClient[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "MAX_OBJECT_BYTES", 1000)

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 300

    assert (await store.put("/logs/a", data=b"x" * 1001)).status == 413
    assert (await store.put("/logs/a", data=endless())).status == 413
    assert (await store.put("/logs/b", data=b"x" * 1000)).status == 200
    assert len(list((tmp_path / "data" / "logs").iterdir())) == 1


async def test_a_read_only_volume(tmp_path: Path) -> None:
    async with TestClient(TestServer(objects.build({}, context(tmp_path, volume_read_only=True)))) as store:
        assert (await store.put("/logs/a", data=b"1")).status == 403
        assert (await store.get("/logs/a")).status == 404
    assert list(tmp_path.iterdir()) == []


def test_a_page_goes_on_behind_a_shared_prefix() -> None:
    entries = [Entry(key=key, size=0, etag="", written=0, media="") for key in ("a", "b/1", "b/2", "c")]
    first = page_of(entries, "", "/", "", 2)
    assert ([e.key for e in first.entries], first.prefixes, first.next) == (["a"], ("b/",), "b/")
    second = page_of(entries, "", "/", first.next, 2)
    assert ([e.key for e in second.entries], second.prefixes, second.next) == (["c"], (), "")
