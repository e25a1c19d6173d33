"""Which objects exist, and who changed them first?

One process owns the file. Reads come from memory; every write is committed to SQLite before it is acknowledged.
WAL with synchronous=NORMAL hands each commit to the operating system without waiting for the disk: a killed process
loses nothing, a power failure may lose the last moments but never the file. One increasing number versions everything;
it starts at the wall clock's milliseconds and never goes back, so a client that survives a restart is told to list
again instead of being shown stale data.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from mesh.api.errors import ApiError
from mesh.store.log import EventLog, StoreEvent
from mesh.store.record import Index, Record, make

Listener = Callable[[StoreEvent], None]
EVENTS_PER_RESOURCE = 4096
_RESERVE = 100_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, data TEXT NOT NULL,
  PRIMARY KEY (resource, namespace, name));
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


class StoreError(ApiError):
    """The state file cannot be used; the message is one line for a user, and an internal error for an API client."""


class WrongVersion(Exception):
    """The object is not at the version that the writer saw; `current` is what is there (None: nothing)."""

    def __init__(self, current: Record | None) -> None:
        super().__init__("the object has been modified")
        self.current = current


def _no_fields(_resource: str, _obj: dict[str, Any]) -> dict[str, str]:
    return {}


class Store:
    """Objects by (resource, namespace, name).

    path: the SQLite file; None keeps everything in memory.  wall_s: seconds since 1970, for the first version.
    index: the fields of an object that selectors may ask for.  events_per_resource: how far back a watch may resume.
    """

    def __init__(
        self,
        path: Path | None,
        wall_s: float,
        index: Index = _no_fields,
        events_per_resource: int = EVENTS_PER_RESOURCE,
    ) -> None:
        self._index = index
        self._events_per_resource = events_per_resource
        self._objects: dict[str, dict[tuple[str, str], Record]] = defaultdict(dict)
        self._listeners: dict[str, list[Listener]] = defaultdict(list)
        self._logs: dict[str, EventLog] = {}
        self._db = _open(path)
        self._reserved = 0
        self.version = self._first_version(wall_s)
        self._floor = self.version
        self._load(path)

    def get(self, resource: str, namespace: str, name: str) -> Record | None:
        """The latest version of one object."""
        return self._objects[resource].get((namespace, name))

    def list(self, resource: str, namespace: str | None = None) -> list[Record]:
        """All objects of a resource in (namespace, name) order; namespace None means everywhere."""
        objects = self._objects[resource]
        if namespace is None:
            return [objects[key] for key in sorted(objects)]
        return [objects[key] for key in sorted(key for key in objects if key[0] == namespace)]

    def count(self, resource: str) -> int:
        """How many objects of a resource there are."""
        return len(self._objects[resource])

    def resources(self) -> Iterator[str]:
        """Every resource that has objects."""
        return (resource for resource, objects in self._objects.items() if objects)

    def create(self, resource: str, obj: dict[str, Any]) -> Record:
        """Store a new object. Raises WrongVersion when one of that name exists."""
        meta = obj["metadata"]
        key = (meta.get("namespace") or "", meta["name"])
        existing = self._objects[resource].get(key)
        if existing is not None:
            raise WrongVersion(existing)
        record = make(resource, obj, self._next(), self._index)
        self._execute(
            "INSERT INTO objects (resource, namespace, name, version, data) VALUES (?, ?, ?, ?, ?)",
            (resource, *key, record.version, record.data.decode()),
        )
        self._objects[resource][key] = record
        self._tell(StoreEvent("ADDED", record, None))
        return record

    def replace(self, resource: str, obj: dict[str, Any], seen: int) -> Record:
        """Store a new version of an object that is still at version `seen`. Raises WrongVersion otherwise."""
        meta = obj["metadata"]
        key = (meta.get("namespace") or "", meta["name"])
        old = self._objects[resource].get(key)
        if old is None or old.version != seen:
            raise WrongVersion(old)
        record = make(resource, obj, self._next(), self._index)
        self._execute(
            "UPDATE objects SET version = ?, data = ? WHERE resource = ? AND namespace = ? AND name = ?",
            (record.version, record.data.decode(), resource, *key),
        )
        self._objects[resource][key] = record
        self._tell(StoreEvent("MODIFIED", record, old))
        return record

    def delete(self, resource: str, namespace: str, name: str, seen: int | None = None) -> Record:
        """Remove an object; the answer is its last state at the version of the deletion. Raises WrongVersion."""
        old = self._objects[resource].get((namespace, name))
        if old is None or (seen is not None and old.version != seen):
            raise WrongVersion(old)
        last = make(resource, old.load(), self._next(), self._index)
        self._execute(
            "DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?", (resource, namespace, name)
        )
        del self._objects[resource][old.key]
        self._tell(StoreEvent("DELETED", last, old))
        return last

    def since(self, resource: str, version: int) -> Sequence[StoreEvent]:
        """The events of a resource above `version`. Raises TooOld."""
        log = self._logs.get(resource)
        if log is None:
            log = self._logs[resource] = EventLog(self._floor, self._events_per_resource)
        return log.since(version)

    def subscribe(self, resource: str, listener: Listener) -> Callable[[], None]:
        """Call `listener` after every later change of a resource, in order; the answer ends it."""
        listeners = self._listeners[resource]
        listeners.append(listener)

        def end() -> None:
            if listener in listeners:
                listeners.remove(listener)

        return end

    def close(self) -> None:
        """Give the file back. Not needed for durability."""
        self._db.close()

    def _tell(self, event: StoreEvent) -> None:
        resource = event.new.resource
        log = self._logs.get(resource)
        if log is None:
            log = self._logs[resource] = EventLog(self._floor, self._events_per_resource)
        log.append(event)
        for listener in tuple(self._listeners[resource]):
            listener(event)

    def _next(self) -> int:
        self.version += 1
        if self.version >= self._reserved:
            self._reserve(self.version)
        return self.version

    def _first_version(self, wall_s: float) -> int:
        row = self._execute("SELECT value FROM counters WHERE name = 'version'").fetchone()
        first = max(int(wall_s * 1000), row[0] if row else 0)
        self._reserve(first)
        return first

    def _reserve(self, version: int) -> None:
        # Numbers are reserved in blocks, so that a deletion needs no write of the counter and still none is used twice.
        self._reserved = version + _RESERVE
        self._execute("INSERT OR REPLACE INTO counters (name, value) VALUES ('version', ?)", (self._reserved,))

    def _execute(self, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        try:
            return self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise StoreError(f"the state could not be written: {error}") from error

    def _load(self, path: Path | None) -> None:
        for resource, namespace, name, version, data in self._execute(
            "SELECT resource, namespace, name, version, data FROM objects"
        ):
            try:
                obj = orjson.loads(data)
                self._objects[resource][(namespace, name)] = make(resource, obj, version, self._index)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                where = f"{resource} {namespace}/{name}"
                raise StoreError(f"{path}: {where} is damaged ({error}); move the file away to start afresh") from error


def _open(path: Path | None) -> sqlite3.Connection:
    """The database, owned by this process alone. Raises StoreError."""
    shown = str(path) if path is not None else ":memory:"
    try:
        # Autocommit: each statement is a transaction, on disk's side of the process when execute() returns.
        db = sqlite3.connect(shown, timeout=0.2, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.executescript(_SCHEMA)
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise StoreError(f"{shown}: the state is in use by another running mesh") from error
        raise StoreError(f"{shown}: the state cannot be opened: {error}") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{shown}: not a state file of loopmesh: {error}") from error
    return db
