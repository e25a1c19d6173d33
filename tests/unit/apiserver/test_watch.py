"""What a watcher sees through its selectors."""

import asyncio
from typing import Any

import pytest

from mesh.api.errors import Expired
from mesh.api.selectors import parse, parse_fields
from mesh.apiserver.watch import Scope, Watcher, seen_through
from mesh.store import Record, Store, StoreEvent


def record(version: int, labels: dict[str, str], namespace: str = "d", **fields: str) -> Record:
    data = b'{"metadata":{"name":"a","resourceVersion":"%d"}}' % version
    return Record("pods", namespace, "a", version, "u", data, labels, {"metadata.name": "a", **fields})


IN, OUT = {"app": "x"}, {"app": "y"}


@pytest.mark.parametrize(
    ("type_", "old", "new", "expected"),
    [
        pytest.param("ADDED", None, IN, ("ADDED", 2), id="added-in"),
        pytest.param("ADDED", None, OUT, None, id="added-out"),
        pytest.param("MODIFIED", IN, IN, ("MODIFIED", 2), id="stays-in"),
        pytest.param("MODIFIED", OUT, OUT, None, id="stays-out"),
        pytest.param("MODIFIED", OUT, IN, ("ADDED", 2), id="comes-in"),
        pytest.param("MODIFIED", IN, OUT, ("DELETED", 2), id="goes-out"),
        pytest.param("DELETED", IN, IN, ("DELETED", 2), id="deleted-in"),
        pytest.param("DELETED", OUT, OUT, None, id="deleted-out"),
    ],
)
def test_selectors_turn_changes_into_what_the_watcher_knows(type_: Any, old: Any, new: Any, expected: Any) -> None:
    event = StoreEvent(type_, record(2, new), None if old is None else record(1, old))
    change = seen_through(Scope(None, parse("app=x")), event)
    if expected is None:
        assert change is None
    else:
        assert change is not None
        assert (change.type, change.record.version) == expected
        assert change.record.load()["metadata"]["resourceVersion"] == "2"


def test_an_object_that_leaves_is_shown_as_it_last_matched() -> None:
    old, new = record(1, IN), record(2, OUT)
    change = seen_through(Scope(None, parse("app=x")), StoreEvent("MODIFIED", new, old))
    assert change is not None
    assert change.record.labels == IN


@pytest.mark.parametrize(
    ("scope", "covers"),
    [
        pytest.param(Scope(), True, id="all"),
        pytest.param(Scope("d"), True, id="namespace"),
        pytest.param(Scope("e"), False, id="another-namespace"),
        pytest.param(Scope(None, parse("app in (x,y)")), True, id="labels"),
        pytest.param(Scope(None, fields=parse_fields("metadata.name=a,spec.nodeName=n1")), True, id="fields"),
        pytest.param(Scope(None, fields=parse_fields("spec.nodeName!=n1")), False, id="fields-not"),
    ],
)
def test_scope(scope: Scope, covers: bool) -> None:
    assert scope.covers(record(1, IN, **{"spec.nodeName": "n1"})) is covers


def pod(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "d"}}


async def test_a_watcher_reads_on_from_its_position() -> None:
    store = Store(None, 1.0)
    store.create("pods", pod("before"))
    watcher = Watcher(store, "pods", Scope(), store.version)
    assert watcher.read() == []
    store.create("pods", pod("a"))
    store.create("services", pod("other"))
    store.create("pods", pod("b"))
    assert await watcher.wait(1.0)
    assert [change.record.name for change in watcher.read()] == ["a", "b"]
    assert watcher.read() == []
    assert not await watcher.wait(0.01)
    watcher.close()


async def test_a_change_between_read_and_wait_is_not_lost() -> None:
    store = Store(None, 1.0)
    watcher = Watcher(store, "pods", Scope(), store.version)
    watcher.read()
    store.create("pods", pod("a"))
    assert await asyncio.wait_for(watcher.wait(), 1.0)
    watcher.close()


async def test_a_watcher_slower_than_the_log_has_expired() -> None:
    store = Store(None, 1.0, events_per_resource=4)
    watcher = Watcher(store, "pods", Scope(), store.version)
    for number in range(10):
        store.create("pods", pod(f"p{number}"))
    with pytest.raises(Expired, match="too old resource version"):
        watcher.read()
    watcher.close()


async def test_a_closed_watcher_stops_listening() -> None:
    store = Store(None, 1.0)
    watcher = Watcher(store, "pods", Scope(), store.version)
    watcher.close()
    store.create("pods", pod("a"))
    assert not await watcher.wait(0.01)
