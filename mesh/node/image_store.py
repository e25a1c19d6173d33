"""Which bytes does a node run for a reference: those of the first pull, or what lies there now?

A registry is imitated by the files themselves: the machine's programs and the user's. A pull reads them, and keeps a
copy of what the user may change (manifest, configuration and files, by digest, below `images/blobs`), so that
imagePullPolicy means what it says: `IfNotPresent` runs the kept copy of a program that was changed meanwhile, `Always`
takes the change, `Never` starts only what was there before. What is present on a node survives the node's restart.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mesh.node import layers as layering
from mesh.node.blobs import Blobs, inside
from mesh.node.images import MISSING, Image, ImageTable, repository
from mesh.node.layers import HeldFile, Layer

ALWAYS, IF_NOT_PRESENT, NEVER = "Always", "IfNotPresent", "Never"
_INTERPRETER = re.compile(r"(python|pypy|node|deno|bun|ruby|perl|php|java|lua|sh|bash)[-.\d]*")
"""They need their own place: a copy elsewhere finds no library."""
_SYSTEM = ("/usr/", "/bin/", "/sbin/", "/lib/", "/opt/", "/nix/")


class PullFailed(Exception):
    """reason: ErrImagePull or ErrImageNeverPull; `str()` is the message of the event and of the waiting state."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


@dataclass(frozen=True, slots=True)
class Pulled:
    """image: what to run.  image_id: for the container's status.  message: of the event `Pulled`."""

    image: Image
    image_id: str
    message: str


class ImageStore:
    """The images of one node. directory: of the whole mesh, `images`; None keeps nothing, so every start takes what
    lies there now.
    """

    def __init__(self, table: ImageTable, directory: Path | None = None, node: str = "node") -> None:
        self._table = table
        self._tools = directory / "tools" if directory is not None else None
        self._blobs = Blobs(directory / "blobs" / "sha256") if directory is not None else None
        self._list = directory / "present" / f"{node}.json" if directory is not None else None
        self._present = _read_list(self._list)
        self._built_in: dict[str, Pulled] = {}
        self._lock = threading.Lock()

    async def pull(self, reference: str, policy: str | None = None) -> Pulled:
        """What a container that starts now runs. policy: its imagePullPolicy, as defaulted. Raises PullFailed."""
        if reference in self._built_in:  # its code is loaded, and stays as it is while this process lives
            return self._built_in[reference]
        image = self._table.find(reference)
        if image.behaviour == "fail-pull":
            raise PullFailed("ErrImagePull", f'Failed to pull image "{reference}": {MISSING}')
        if policy == NEVER and not image.known:
            text = f'Container image "{reference}" is not present with pull policy of Never'
            raise PullFailed("ErrImageNeverPull", f"{text}; --image NAME=COMMAND gives one")
        pulled = await asyncio.to_thread(self._pull, image, policy or default_policy(reference))
        if not image.command:
            self._built_in[reference] = pulled
        return pulled

    def find(self, reference: str) -> Image:
        """What a reference stands for, whatever was pulled before; costs nothing."""
        return self._table.find(reference)

    def _pull(self, image: Image, policy: str) -> Pulled:
        reference, pile = image.reference, image.layers
        manifest = layering.manifest(image.command, pile)
        digest = layering.sha256(manifest)
        with self._lock:
            had = self._present.get(reference, digest)
            text = f'Container image "{reference}" already present on machine'
            if not image.known:
                text = f'Image "{reference}" is not known here: the demo application stands in for it'
            elif had != digest and image.command:
                changed = self._changed(had, pile)
                change = f"layer {', '.join(changed)} changed" if changed else "changed"
                # Other words under the same name are a new tag, given with --image: nobody asked for the old one.
                kept = self._kept(image, had, pile) if policy != ALWAYS and "settings" not in changed else None
                if kept is not None:
                    return Pulled(kept, f"{repository(reference)}@{had}",
                                  f"{text} ({change} since; imagePullPolicy Always takes that)")  # fmt: skip
                text = f'Successfully pulled image "{reference}" ({change})'
            self._keep(image, pile, manifest, digest)
        return Pulled(replace(image, tools=self._tools), f"{repository(reference)}@{digest}", text)

    def _keep(self, image: Image, pile: tuple[Layer, ...], manifest: bytes, digest: str) -> None:
        """Remember what was pulled, and copy what may change."""
        if self._blobs is not None and not self._blobs.has(digest):
            self._blobs.write(layering.config(image.command, pile))
            for layer in pile:
                self._blobs.write(layer.text)
                for file in layer.files if image.command else ():
                    if may_change(file):
                        self._blobs.copy(file)
            self._blobs.write(manifest)
        had = self._present.get(image.reference)
        if had != digest:
            self._present[image.reference] = digest
            _write_list(self._list, self._present)
            if had is not None and self._blobs is not None and self._list is not None:
                present = (_read_list(path) for path in self._list.parent.glob("*.json"))
                self._blobs.forget(had, {each for listed in present for each in listed.values()})

    def _kept(self, image: Image, digest: str, pile: tuple[Layer, ...]) -> Image | None:
        """The image with its command's files taken from the kept copies; None where a changed one was not kept."""
        now = {file.name: file.digest for layer in pile for file in layer.files}
        root = self._blobs.unpack(digest, now) if self._blobs is not None else None
        if root is None:
            return None
        moved = [(word, _moved(word, root)) for word in image.command]
        beside = dict.fromkeys(os.path.dirname(os.path.abspath(word)) for word, where in moved if where != word)
        return replace(image, command=tuple(where for _, where in moved), beside=tuple(beside))

    def _changed(self, had: str, pile: tuple[Layer, ...]) -> list[str]:
        """The titles of the layers that differ from those of a kept manifest; empty when it is not kept."""
        before = self._blobs.layers(had) if self._blobs is not None else {}
        return [layer.title for layer in pile if before and before.get(layer.title) != layer.digest]


def default_policy(reference: str) -> str:
    """As the API server sets it: Always without a tag or with `latest`, else IfNotPresent."""
    if "@" in reference:
        return IF_NOT_PRESENT
    tag = reference.rpartition("/")[2].partition(":")[2]
    return ALWAYS if tag in ("", "latest") else IF_NOT_PRESENT


def may_change(file: HeldFile) -> bool:
    """Whether a copy is kept: not of the machine's own programs, nor of what is too large to be read."""
    own = os.path.realpath(file.path).startswith(_SYSTEM) or _INTERPRETER.fullmatch(os.path.basename(file.path))
    return file.whole and not own


def _moved(word: str, root: Path) -> str:
    """A word of a command with the file that it names taken from below `root`, if it is there."""
    flag, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    where = root / inside(value)
    return f"{flag}{equals}{where}" if value and where.exists() else word


def _read_list(path: Path | None) -> dict[str, str]:
    """reference -> digest of what a node pulled before."""
    try:
        found = json.loads(path.read_bytes()) if path is not None else {}
    except (OSError, ValueError):
        return {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _write_list(path: Path | None, present: Mapping[str, str]) -> None:
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(present, indent=1) + "\n")
    draft.replace(path)
