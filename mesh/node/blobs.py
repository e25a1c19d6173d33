"""Where do the bytes of images lie that a node may need again?"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from mesh.node import layers as layering
from mesh.node.layers import HeldFile


class Blobs:
    """Bytes by their digest, one file each. Several nodes write here: a file appears whole or not at all."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, digest: str) -> Path:
        return self.directory / digest.removeprefix("sha256:")

    def has(self, digest: str) -> bool:
        return self.path(digest).exists()

    def read(self, digest: str) -> bytes | None:
        try:
            return self.path(digest).read_bytes()
        except OSError:
            return None

    def write(self, data: bytes) -> None:
        path = self.path(layering.sha256(data))
        if not path.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f"{path.name}.{os.getpid()}")
            draft.write_bytes(data)
            draft.replace(path)

    def copy(self, file: HeldFile) -> None:
        """Keep a file's bytes and mode; nothing is kept if it has changed since its digest was taken."""
        path = self.path(file.digest)
        if not path.exists():
            copy_whole(Path(file.path), path, file.digest)

    def layers(self, digest: str) -> dict[str, str]:
        """Title -> digest of the layers of a kept manifest; empty when it is not kept."""
        held = self.read(digest)
        found = json.loads(held)["layers"] if held else []
        return {layer["annotations"][layering.TITLE]: layer["digest"] for layer in found}

    def files(self, digest: str) -> dict[str, str]:
        """Name -> digest of all files of a kept manifest."""
        held = self.read(digest)
        found = {}
        for layer in json.loads(held)["layers"] if held else ():
            if layer["mediaType"] == layering.FILES_LAYER:
                for line in (self.read(layer["digest"]) or b"").decode(errors="surrogateescape").splitlines():
                    hexdigest, _, name = line.partition("  ")
                    found[name] = hexdigest if hexdigest.startswith("stat:") else f"sha256:{hexdigest}"
        return found

    def forget(self, digest: str, wanted: Iterable[str]) -> None:
        """Remove the copies of a manifest's files that none of the wanted manifests has. What the manifest says stays,
        since containers may still run it and people ask what has changed since.
        """
        keep = {held for other in wanted for held in self.files(other).values()}
        for held in set(self.files(digest).values()) - keep:
            self.path(held).unlink(missing_ok=True)

    def words(self, digest: str) -> tuple[str, ...]:
        """The command of a kept manifest; empty where it is not kept."""
        manifest = self.read(digest)
        config = self.read(json.loads(manifest)["config"]["digest"]) if manifest else None
        return tuple(json.loads(config)["config"]["Entrypoint"]) if config else ()

    def unpack(self, digest: str) -> Path | None:
        """A directory with the kept files of a manifest under their names; None where nothing was kept, or not all
        that has changed since.
        """
        root = self.directory.parent.parent / "unpacked" / digest.removeprefix("sha256:")
        some = False
        for name, held in self.files(digest).items():
            blob, where = self.path(held), root / inside(name)
            if blob.exists():
                some = True
                if not where.exists():
                    copy_whole(blob, where, held)
            else:
                now = layering.hold(name, name, layering.MAX_BYTES)
                if now is None or now.digest != held:
                    return None
        return root if some else None


def copy_whole(source: Path, target: Path, digest: str) -> None:
    """Copy bytes and mode in one step; nothing appears if the bytes are not those of the digest any more."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.copy(source, draft)
        found = draft.stat()
        if layering.file_digest(str(draft), found.st_mtime_ns, found.st_size) == digest:
            draft.replace(target)
    except OSError:
        pass  # it has gone or may not be read: the program will say so when it runs
    finally:
        draft.unlink(missing_ok=True)


def inside(name: str) -> str:
    """Where a file of that name lies in an unpacked image: no name leads out of it."""
    return "/".join("_up" if part == ".." else part for part in name.split("/") if part not in ("", ".")) or "_here"
