"""The cache follows the API through every kind of trouble."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.api.errors import Expired, Forbidden, Unavailable
from mesh.client.base import ListResult, WatchEvent
from mesh.client.informer import Informer, Informers
from mesh.runtime.tasks import Tasks


def pod(name: str, version: int, uid: str = "u", **meta: Any) -> Pod:
    return Pod.model_validate(
        {"metadata": {"name": name, "namespace": "d", "resourceVersion": str(version), "uid": uid, **meta}}
    )


class FakeClient:
    """Imitates the two verbs that an informer uses; each list and watch plays the next script."""

    def __init__(self, lists: list[Any], watches: list[list[Any]]) -> None:
        self.lists, self.watches = list(lists), list(watches)
        self.watched_from: list[str] = []

    async def list(self, cls: Any, namespace: Any = None, label_selector: str = "", field_selector: str = "") -> Any:
        step = self.lists.pop(0)
        if isinstance(step, Exception):
            raise step
        version, pods = step
        return ListResult(pods, str(version))

    async def watch(self, cls: Any, resource_version: str, *_scope: Any) -> AsyncIterator[Any]:
        self.watched_from.append(resource_version)
        script = self.watches.pop(0) if self.watches else []
        for step in script:
            if isinstance(step, Exception):
                raise step
            yield step
        if not self.watches:
            await asyncio.Event().wait()


def event(kind: Any, obj: Pod) -> WatchEvent[Pod]:
    return WatchEvent(kind, obj)


async def follow(client: FakeClient, heard_count: int, **options: Any) -> tuple[Informer[Pod], list[Any]]:
    informer: Informer[Pod] = Informer(client, Pod, **options)  # type: ignore[arg-type]
    heard: list[Any] = []

    def hear(old: Pod | None, new: Pod | None) -> None:
        version = new.metadata.resource_version if new else None
        heard.append((old.name if old else None, new.name if new else None, version))

    informer.on_change(hear)
    tasks = Tasks("test")
    informer.start(tasks)
    async with asyncio.timeout(5):
        await informer.synced()
        while len(heard) < heard_count:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.01)
    await tasks.close()
    return informer, heard


async def test_list_then_watch() -> None:
    client = FakeClient(
        [(5, [pod("a", 3)])],
        [[event("ADDED", pod("b", 6)), event("MODIFIED", pod("a", 7)), event("DELETED", pod("b", 8))]],
    )
    informer, heard = await follow(client, 4)
    assert heard == [(None, "a", "3"), (None, "b", "6"), ("a", "a", "7"), ("b", None, None)]
    assert [found.name for found in informer.list()] == ["a"]
    assert informer.get("a", "d") is not None
    assert informer.get("b", "d") is None
    assert informer.get("a") is None
    assert (len(informer), informer.resource_version, client.watched_from) == (1, "8", ["5"])


async def test_a_listener_that_comes_late_is_told_what_is_there() -> None:
    informer, _ = await follow(FakeClient([(5, [pod("a", 3)])], []), 1)
    heard: list[Any] = []
    informer.on_change(lambda old, new: heard.append((old, new.name if new else None)))
    assert heard == [(None, "a")]


async def test_an_ended_or_broken_watch_goes_on_from_where_it_was() -> None:
    client = FakeClient(
        [(5, [])], [[event("ADDED", pod("a", 6)), Unavailable("away")], [event("ADDED", pod("b", 7))], []]
    )
    informer, _ = await follow(client, 2)
    assert client.watched_from[:3] == ["5", "6", "7"]
    assert {found.name for found in informer.list()} == {"a", "b"}


async def test_the_cache_stays_while_the_server_is_away() -> None:
    client = FakeClient(
        [(5, [pod("a", 3)])], [[Unavailable("away")] for _ in range(3)] + [[event("ADDED", pod("b", 9))]]
    )
    informer, heard = await follow(client, 2)
    assert heard == [(None, "a", "3"), (None, "b", "9")]
    assert informer.has_synced


async def test_expired_lists_again_and_tells_only_the_difference() -> None:
    client = FakeClient(
        [(5, [pod("a", 3), pod("b", 4), pod("c", 5)]), (20, [pod("a", 3), pod("b", 12), pod("d", 15)])],
        [[Expired("too old")], []],
    )
    informer, heard = await follow(client, 6)
    assert heard[3:] == [("c", None, None), ("b", "b", "12"), (None, "d", "15")]
    assert client.watched_from == ["5", "20"]
    assert {found.name for found in informer.list()} == {"a", "b", "d"}


async def test_a_successor_of_the_same_name_is_two_changes() -> None:
    client = FakeClient([(5, [pod("a", 3, "old")]), (20, [pod("a", 12, "new")])], [[Expired("too old")], []])
    _, heard = await follow(client, 3)
    assert heard == [(None, "a", "3"), ("a", None, None), (None, "a", "12")]


async def test_a_server_that_refuses_is_asked_again() -> None:
    client = FakeClient([Unavailable("away"), Forbidden("no"), (5, [pod("a", 3)])], [])
    _, heard = await follow(client, 1)
    assert heard == [(None, "a", "3")]


async def test_bookmarks_only_move_the_position() -> None:
    client = FakeClient([(5, [])], [[event("BOOKMARK", pod("", 50)), Unavailable("away")], []])
    informer, heard = await follow(client, 0)
    await asyncio.sleep(0)
    assert heard == []
    assert client.watched_from[0] == "5"
    assert informer.resource_version == "50"


async def test_events_that_repeat_what_is_known_are_not_told() -> None:
    client = FakeClient([(5, [pod("a", 3)])], [[event("ADDED", pod("a", 3)), event("DELETED", pod("zzz", 7))]])
    _, heard = await follow(client, 1)
    assert heard == [(None, "a", "3")]


async def test_transform() -> None:
    def strip(found: Pod) -> Pod:
        found.metadata.annotations = None
        return found

    client = FakeClient([(5, [pod("a", 3, annotations={"x": "y"})])], [])
    informer, _ = await follow(client, 1, transform=strip)
    assert [found.metadata.annotations for found in informer.list()] == [None]


async def test_a_failing_listener_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    informer: Informer[Pod] = Informer(FakeClient([(5, [pod("a", 3), pod("b", 4)])], []), Pod)  # type: ignore[arg-type]
    heard: list[str] = []

    def broken(_old: Any, _new: Any) -> None:
        raise RuntimeError("by hand")

    informer.on_change(broken)
    informer.on_change(lambda _old, new: heard.append(new.name if new else ""))
    tasks = Tasks("test")
    informer.start(tasks)
    await asyncio.wait_for(informer.synced(), 5)
    await tasks.close()
    assert heard == ["a", "b"]
    assert "a change callback failed" in caplog.text


async def test_one_informer_a_scope_is_shared() -> None:
    tasks = Tasks("test")
    informers = Informers(FakeClient([(5, []), (5, [])], []), tasks)  # type: ignore[arg-type]
    assert informers.of(Pod) is informers.of(Pod)
    assert informers.of(Pod) is not informers.of(Pod, field_selector="spec.nodeName=n1")
    await asyncio.wait_for(informers.synced(), 5)
    assert all(informer.has_synced for informer in informers)
    await tasks.close()
