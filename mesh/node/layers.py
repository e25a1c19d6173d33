"""What is an image made of, byte by byte?

An image is a pile of layers, as in a registry: what the machine gives, the program, the application, the settings of
the tag. A layer of files has the digest of the list that `sha256sum` prints for them, so that anybody can check it;
a layer of settings that of its JSON. Files are read once for each change of their size or time.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

MAX_FILES = 2000
MAX_BYTES = 256 << 20
"""Of one layer. What a directory holds beyond these counts by name, size and time of change alone."""
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
FILES_LAYER = "application/vnd.loopmesh.layer.sha256sum"
JSON_LAYER = "application/vnd.loopmesh.layer.v1+json"
TITLE, BYTES = "org.opencontainers.image.title", "io.loopmesh.bytes"
_SKIPPED = frozenset({"__pycache__", "node_modules"})
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class HeldFile:
    """One file of a layer. name: as the image knows it.  path: where it is read from.  digest: of its bytes."""

    name: str
    path: str
    digest: str
    size: int

    @property
    def whole(self) -> bool:
        """Whether its bytes were read; the digest of one that is too large is that of its size and time."""
        return not self.digest.startswith("stat:")


@dataclass(frozen=True, slots=True)
class Layer:
    """title: base, program, application or settings.  text: what is hashed.  size: bytes that the layer stands for."""

    title: str
    text: bytes
    size: int
    media_type: str = JSON_LAYER
    files: tuple[HeldFile, ...] = ()

    @property
    def digest(self) -> str:
        return sha256(self.text)

    @property
    def whole(self) -> bool:
        """False where some files were too many or too large to be read."""
        return all(file.whole for file in self.files)


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def as_json(value: Any) -> bytes:
    """One text for one value: digests depend on it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def base() -> Layer:
    """What every image of this machine stands on."""
    text = as_json({"architecture": platform.machine(), "loopmesh": mesh_version(), "os": platform.system().lower()})
    return Layer("base", text, len(text))


def settings(values: Mapping[str, Any]) -> Layer:
    """What a tag says for itself."""
    text = as_json(values)
    return Layer("settings", text, len(text))


def of_files(title: str, named: Iterable[tuple[str, str]]) -> Layer:
    """A layer of (name, path) pairs. A path that is gone is left out: the program itself will say so."""
    held: list[HeldFile] = []
    left = MAX_BYTES
    for name, path in named:
        found = hold(name, path, left if len(held) < MAX_FILES else 0)
        if found is not None:
            held.append(found)
            left -= found.size if found.whole else 0
    text = "".join(f"{file.digest.removeprefix('sha256:')}  {file.name}\n" for file in held).encode(
        errors="surrogateescape"
    )
    return Layer(title, text, sum(file.size for file in held), FILES_LAYER, tuple(held))


def hold(name: str, path: str, most: int) -> HeldFile | None:
    """One file, read if it has at most so many bytes; None when it is not there or no file."""
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            return None
        if found.st_size > most:
            return HeldFile(name, path, f"stat:{found.st_size}:{found.st_mtime_ns}", found.st_size)
        return HeldFile(name, path, file_digest(path, found.st_mtime_ns, found.st_size), found.st_size)
    except OSError:
        return None


@lru_cache(maxsize=4 * MAX_FILES)
def file_digest(path: str, mtime_ns: int, size: int) -> str:
    """Of a file's bytes. mtime_ns, size: of the moment, so that a changed file is read again. Raises OSError."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return "sha256:" + digest.hexdigest()


def named_files(words: Sequence[str], folder: Path | None = None) -> Iterator[tuple[str, str]]:
    """The files that words of a command name, and those in the directories that they name: (name, path) pairs.

    folder: where relative names begin; None is the process's own.  `--flag=NAME` names a file as well as NAME does.
    """
    seen = set()
    for word in words:
        name = word.partition("=")[2] if word.startswith("-") else word
        if not name or name in seen or not {"\0", "\n"}.isdisjoint(name):
            continue
        seen.add(name)
        path = os.path.join(folder, name) if folder is not None else name
        if os.path.isdir(path):
            yield from _inside(name, path)
        elif os.path.isfile(path):
            yield name, path


def _inside(name: str, path: str) -> Iterator[tuple[str, str]]:
    """The files of a directory in a fixed order, without hidden ones, at most `MAX_FILES` and one."""
    count = 0
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(each for each in folders if each not in _SKIPPED and not each.startswith("."))
        for file in sorted(each for each in files if not each.startswith(".") and "\n" not in each):
            whole = os.path.join(folder, file)
            yield os.path.join(name, os.path.relpath(whole, path)), whole
            count += 1
            if count > MAX_FILES:
                return


def interpreter() -> tuple[str, str]:
    """The Python that runs this, as (name, path)."""
    path = os.path.realpath(sys.executable)
    return os.path.basename(path), path


def modules(names: Iterable[str]) -> list[tuple[str, str]]:
    """The source of imported modules, as (name, path) pairs."""
    found = []
    for name in names:
        path = getattr(sys.modules.get(name), "__file__", None)
        if path:
            found.append((name.replace(".", "/") + ".py", path))
    return found


@lru_cache(maxsize=1)
def mesh_version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # takes a while to import, and nobody waits for it

    try:
        return version("loopmesh")
    except PackageNotFoundError:
        return "0"


def config(words: Sequence[str], layers: Sequence[Layer]) -> bytes:
    """The image's configuration, in the Open Container Initiative's form."""
    return as_json(
        {
            "architecture": platform.machine(),
            "os": platform.system().lower(),
            "config": {"Entrypoint": list(words)},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        }
    )


def manifest(words: Sequence[str], layers: Sequence[Layer]) -> bytes:
    """The image's manifest, in the same form; its digest is the image's. words: of the command, none if built in."""
    said = config(words, layers)
    return as_json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": sha256(said), "size": len(said)},
            "layers": [
                {
                    "mediaType": layer.media_type,
                    "digest": layer.digest,
                    "size": len(layer.text),
                    "annotations": {TITLE: layer.title, BYTES: str(layer.size)},
                }
                for layer in layers
            ],
        }
    )
