"""Where do the objects of `mesh/objects` lie, so that none is ever changed?

One file an object, below its bucket's directory, named by the hash of its key, so that any key fits and none leads
anywhere else. It holds the bytes, a line break and one line of JSON. A draft becomes an object by a hard link, which
fails where the name is taken: of two writers one wins, also when they are two pods on one volume. Nothing here removes
an object.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

_DRAFT = ".draft-"
_LINE_BYTES = 1 << 14
"""More than the longest line of JSON has."""


class Exists(Exception):
    """There is an object of that name, and it stays as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is known of an object. etag: MD5 of its bytes, as S3 has it.  written: unix seconds.  media: its type."""

    key: str
    size: int
    etag: str
    written: float
    media: str


class Draft:
    """An object that is just being written. Blocking; `keep` or `drop` ends it."""

    def __init__(self, bucket: Path, name: str) -> None:
        bucket.mkdir(parents=True, exist_ok=True)
        self.path = bucket / f"{_DRAFT}{name}"
        self._file: BinaryIO = self.path.open("xb")
        self._digest = hashlib.md5(usedforsecurity=False)
        self.size = 0

    def write(self, piece: bytes) -> None:
        self._file.write(piece)
        self._digest.update(piece)
        self.size += len(piece)

    def keep(self, key: str, media: str, now: float) -> Entry:
        """Make it an object, durably. Raises Exists."""
        entry = Entry(key=key, size=self.size, etag=self._digest.hexdigest(), written=now, media=media)
        self._file.write(b"\n" + json.dumps(asdict(entry)).encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        target = self.path.with_name(file_name(key))
        try:
            os.link(self.path, target)
        except FileExistsError:
            raise Exists(key) from None
        sync(self.path.parent)
        return entry

    def drop(self) -> None:
        """Whatever became of it, the draft goes."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class Buckets:
    """All objects of one volume. Blocking."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._entries: dict[str, dict[str, Entry]] = {}
        """Bucket -> file name -> entry. What was read once stays true, since objects do not change."""

    def buckets(self) -> list[str]:
        if not self._directory.exists():
            return []
        return sorted(path.name for path in self._directory.iterdir() if path.is_dir() and path.name[0] != ".")

    def draft(self, bucket: str, name: str) -> Draft:
        return Draft(self._directory / bucket, name)

    def make(self, bucket: str) -> bool:
        """False when there is such a bucket."""
        where = self._directory / bucket
        if where.is_dir():
            return False
        where.mkdir(parents=True, exist_ok=True)
        return True

    def open(self, bucket: str, key: str) -> tuple[Entry, BufferedReader] | None:
        """An object and its file, at its first byte; None when there is none. The caller closes it."""
        try:
            file = (self._directory / bucket / file_name(key)).open("rb")
        except OSError:
            return None
        entry = self._entry(bucket, file_name(key), file)
        file.seek(0)
        return entry, file

    def list(self, bucket: str) -> list[Entry] | None:
        """Of one bucket, sorted by key; None when there is no such bucket."""
        where = self._directory / bucket
        if not where.is_dir():
            return None
        return sorted(self._all(bucket, where), key=lambda entry: entry.key)

    def _all(self, bucket: str, where: Path) -> Iterator[Entry]:
        known = self._entries.get(bucket, {})
        for name in os.listdir(where):
            if name.startswith("."):
                continue
            if name in known:
                yield known[name]
            else:
                with (where / name).open("rb") as file:
                    yield self._entry(bucket, name, file)

    def _entry(self, bucket: str, name: str, file: BufferedReader) -> Entry:
        known = self._entries.setdefault(bucket, {})
        if name not in known:
            known[name] = read_entry(file)
        return known[name]


def read_entry(file: BinaryIO) -> Entry:
    """The JSON after the last line break of an object's file."""
    size = os.fstat(file.fileno()).st_size
    file.seek(max(0, size - _LINE_BYTES))
    return Entry(**json.loads(file.read().rpartition(b"\n")[2]))


def file_name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def sync(directory: Path) -> None:
    """A new name is only durable once its directory is."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
