"""The store keeps what it acknowledged, and lets only one of two writers win."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from mesh.store import Store, StoreError, StoreEvent, TooOld, WrongVersion

WALL_S = 1_800_000_000.0


def obj(name: str, namespace: str = "default", **more: Any) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", **more}}


@pytest.fixture
def store() -> Store:
    return Store(None, WALL_S)


def test_first_version_comes_from_the_clock(store: Store) -> None:
    assert store.create("pods", obj("a")).version == int(WALL_S * 1000) + 1


def test_version_is_written_into_the_object(store: Store) -> None:
    record = store.create("pods", obj("a"))
    assert record.load()["metadata"]["resourceVersion"] == str(record.version)


def test_a_name_exists_once_per_namespace(store: Store) -> None:
    store.create("pods", obj("a"))
    store.create("pods", obj("a", "other"))
    store.create("services", obj("a"))
    with pytest.raises(WrongVersion) as caught:
        store.create("pods", obj("a"))
    assert caught.value.current is store.get("pods", "default", "a")


def test_only_the_writer_that_saw_the_latest_version_wins(store: Store) -> None:
    first = store.create("pods", obj("a"))
    second = store.replace("pods", obj("a", labels={"x": "1"}), first.version)
    with pytest.raises(WrongVersion):
        store.replace("pods", obj("a", labels={"x": "2"}), first.version)
    assert store.get("pods", "default", "a") is second
    assert second.labels == {"x": "1"}


@pytest.mark.parametrize(
    ("seen", "wins"), [pytest.param(None, True, id="whatever-is-there"), pytest.param(-1, False, id="another-version")]
)
def test_delete_compares_when_asked(store: Store, seen: int | None, wins: bool) -> None:
    made = store.create("pods", obj("a"))
    if wins:
        gone = store.delete("pods", "default", "a", seen)
        assert gone.version > made.version
        assert store.get("pods", "default", "a") is None
    else:
        with pytest.raises(WrongVersion):
            store.delete("pods", "default", "a", seen)
        assert store.get("pods", "default", "a") is made


def test_delete_of_nothing_is_told(store: Store) -> None:
    with pytest.raises(WrongVersion) as caught:
        store.delete("pods", "default", "a")
    assert caught.value.current is None


def test_lists_are_in_namespace_then_name_order(store: Store) -> None:
    for namespace, name in (("b", "a"), ("a", "z"), ("a", "c")):
        store.create("pods", obj(name, namespace))
    assert [record.key for record in store.list("pods")] == [("a", "c"), ("a", "z"), ("b", "a")]
    assert [record.key for record in store.list("pods", "a")] == [("a", "c"), ("a", "z")]
    assert store.list("pods", "none") == []


def test_a_reader_cannot_change_what_is_stored(store: Store) -> None:
    made = store.create("pods", obj("a"))
    made.load()["metadata"]["name"] = "changed"
    assert made.load()["metadata"]["name"] == "a"


def test_listeners_hear_each_change_with_both_sides(store: Store) -> None:
    heard: list[StoreEvent] = []
    end = store.subscribe("pods", heard.append)
    first = store.create("pods", obj("a"))
    second = store.replace("pods", obj("a", labels={"x": "1"}), first.version)
    store.create("services", obj("unheard"))
    last = store.delete("pods", "default", "a")
    end()
    store.create("pods", obj("b"))
    assert [(event.type, event.new, event.old) for event in heard] == [
        ("ADDED", first, None),
        ("MODIFIED", second, first),
        ("DELETED", last, second),
    ]


def test_the_log_resumes_until_it_is_too_old() -> None:
    store = Store(None, WALL_S, events_per_resource=8)
    start = store.version
    versions = [store.create("pods", obj(f"p{number}")).version for number in range(11)]
    assert [event.version for event in store.since("pods", versions[5])] == versions[6:]
    with pytest.raises(TooOld):
        store.since("pods", start)
    assert list(store.since("pods", versions[-1])) == []
    assert list(store.since("services", start)) == []


def test_everything_is_there_after_reopening_and_versions_go_on(tmp_path: Path) -> None:
    path = tmp_path / "objects.db"
    store = Store(path, WALL_S)
    made = store.create("pods", obj("a", labels={"app": "x"}))
    store.create("pods", obj("b"))
    gone = store.delete("pods", "default", "b")
    store.close()
    again = Store(path, wall_s=1.0)  # even when the clock has jumped back
    assert again.get("pods", "default", "a") == made
    assert again.get("pods", "default", "b") is None
    assert again.version >= gone.version
    with pytest.raises(TooOld):
        again.since("pods", made.version)
    again.close()


def test_fields_for_selectors_come_from_the_index_also_after_reopening(tmp_path: Path) -> None:
    def index(resource: str, found: dict[str, Any]) -> dict[str, str]:
        return {"who": f"{resource}/{found['metadata']['name']}"}

    path = tmp_path / "objects.db"
    store = Store(path, WALL_S, index)
    assert store.create("pods", obj("a")).fields == {"who": "pods/a"}
    store.close()
    again = Store(path, WALL_S, index)
    assert [record.fields for record in again.list("pods")] == [{"who": "pods/a"}]
    again.close()


def test_a_second_mesh_on_the_same_state_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "objects.db"
    store = Store(path, WALL_S)
    with pytest.raises(StoreError, match="in use by another running mesh"):
        Store(path, WALL_S)
    store.close()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(lambda path: path.write_bytes(b"hello" * 1000), "not a state file", id="another-file"),
        pytest.param(lambda path: path.mkdir(), "cannot be opened", id="a-directory"),
    ],
)
def test_a_file_that_is_no_state_is_one_clear_line(tmp_path: Path, make: Any, says: str) -> None:
    path = tmp_path / "objects.db"
    make(path)
    with pytest.raises(StoreError, match=says) as caught:
        Store(path, WALL_S)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_damaged_object_is_named(tmp_path: Path) -> None:
    path = tmp_path / "objects.db"
    Store(path, WALL_S).close()
    db = sqlite3.connect(path)
    db.execute("INSERT INTO objects VALUES ('pods', 'default', 'a', 5, '{broken')")
    db.commit()
    db.close()
    with pytest.raises(StoreError, match="pods default/a is damaged"):
        Store(path, WALL_S)


def test_a_write_that_fails_changes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "objects.db", WALL_S)
    made = store.create("pods", obj("a"))
    heard: list[StoreEvent] = []
    store.subscribe("pods", heard.append)
    store.close()  # as good as a disk that is full
    for write in (
        lambda: store.create("pods", obj("b")),
        lambda: store.replace("pods", obj("a", labels={"x": "1"}), made.version),
        lambda: store.delete("pods", "default", "a"),
    ):
        with pytest.raises(StoreError, match="the state could not be written") as caught:
            write()
        assert caught.value.code == 500
    assert store.list("pods") == [made]
    assert heard == []
    assert list(store.since("pods", made.version)) == []


WRITER = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from mesh.store import Store

    store = Store(Path(sys.argv[1]), time.time())
    number = 0
    while True:
        name = f"p{number}"
        record = store.create("pods", {"metadata": {"name": name, "namespace": "d"}, "pad": "x" * 2000})
        if number % 3 == 0:
            record = store.replace("pods", {**record.load(), "again": True}, record.version)
        if number % 7 == 6:
            record = store.delete("pods", "d", name)
            name = "-" + name
        sys.stdout.write(f"{name} {record.version}\\n")
        sys.stdout.flush()
        number += 1
    """
)


@pytest.mark.parametrize("after_s", [0.3, 0.8])
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path, after_s: float) -> None:
    path, log = tmp_path / "objects.db", tmp_path / "acknowledged"
    with log.open("wb") as out:
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=out)
        try:
            deadline = time.monotonic() + 20
            while log.stat().st_size == 0 and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(after_s)
        finally:
            os.kill(writer.pid, signal.SIGKILL)
            writer.wait(10)
    lines = log.read_text().split("\n")[:-1]
    assert len(lines) > 100
    store = Store(path, time.time())
    for line in lines:
        name, version = line.split()
        found = store.get("pods", "d", name.lstrip("-"))
        if name.startswith("-"):
            assert found is None, name
        else:
            assert found is not None, name
            assert found.version == int(version)
    assert store.version >= max(int(line.split()[1]) for line in lines)
    store.close()


@pytest.mark.alone
def test_writes_are_fast_enough_for_a_thousand_pods(tmp_path: Path) -> None:
    store = Store(tmp_path / "objects.db", time.time())
    body = obj("x", pad="x" * 2500)
    began = time.perf_counter()
    for number in range(1000):
        body["metadata"]["name"] = f"p{number}"
        store.create("pods", body)
    rate = 1000 / (time.perf_counter() - began)
    store.close()
    assert rate > 3000, f"{rate:.0f} writes a second"
