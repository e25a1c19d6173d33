"""Which bytes does a node run for a reference: those of the first pull, or what lies there now?

A registry is imitated by the files themselves: the machine's programs and the user's. A pull reads them, and keeps a
copy of what the user may change (manifest, configuration and files, by digest, below `images/blobs`), so that
imagePullPolicy means what it says: `IfNotPresent` runs the kept copy of a program that was changed meanwhile, `Always`
takes the change, `Never` starts only what was there before. `NAME@sha256:...`, as an imageID says it, runs that very
version while it is kept. What is present on a node survives the node's restart.
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
VERSIONS = 5
"""Of one reference whose files are kept on a node."""
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
        pinned = reference.partition("@")[2]
        if image.command and pinned and not self._table.names(reference):
            return await asyncio.to_thread(self._pull_version, image, pinned)
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
            had = self._present.get(reference, [digest])[-1]
            text = f'Container image "{reference}" already present on machine'
            if not image.known:
                text = f'Image "{reference}" is not known here: the demo application stands in for it'
            elif had != digest and image.command:
                changed = self._changed(had, pile)
                change = f"layer {', '.join(changed)} changed" if changed else "changed"
                # Other words under the same name are a new tag, given with --image: nobody asked for the old one.
                kept = self._kept(image, had) if policy != ALWAYS and "settings" not in changed else None
                if kept is not None:
                    return Pulled(kept, f"{repository(reference)}@{had}",
                                  f"{text} ({change} since; imagePullPolicy Always takes that)")  # fmt: skip
                text = f'Successfully pulled image "{reference}" ({change})'
            self._keep(image, pile, manifest, digest)
        return Pulled(replace(image, tools=self._tools), f"{repository(reference)}@{digest}", text)

    def _pull_version(self, image: Image, pinned: str) -> Pulled:
        """The version with this digest: the one that lies there now, or one of those that were kept."""
        text = f'Container image "{image.reference}" already present on machine'
        image_id = f"{repository(image.reference)}@{pinned}"
        now = image.digest
        if now == pinned:
            return Pulled(image, image_id, text)
        with self._lock:
            kept = self._kept(image, pinned)
        if kept is None:
            why = f"no such version was kept, there is {now} now; --image '{image.reference}=COMMAND' names one"
            raise PullFailed("ErrImagePull", f'Failed to pull image "{image.reference}": {why}')
        return Pulled(kept, image_id, text)

    def _keep(self, image: Image, pile: tuple[Layer, ...], manifest: bytes, digest: str) -> None:
        """Remember what was pulled, and copy what may change."""
        if self._blobs is not None:
            for file in (file for layer in pile for file in layer.files if image.command and may_change(file)):
                self._blobs.copy(file)
            if not self._blobs.has(digest):
                for text in (layering.config(image.command, pile), *(layer.text for layer in pile), manifest):
                    self._blobs.write(text)
        had = self._present.get(image.reference, [])
        if had[-1:] != [digest]:
            self._present[image.reference] = [*(each for each in had if each != digest), digest][-VERSIONS:]
            _write_list(self._list, self._present)
            if self._blobs is not None and self._list is not None and (gone := set(had) - set(self._versions())):
                wanted = [
                    each for path in self._list.parent.glob("*.json") for v in _read_list(path).values() for each in v
                ]
                for each in gone:
                    self._blobs.forget(each, wanted)

    def _versions(self) -> list[str]:
        """Every digest that this node remembers."""
        return [each for versions in self._present.values() for each in versions]

    def _kept(self, image: Image, digest: str) -> Image | None:
        """A version with its command's files taken from the kept copies; None where some were not kept and changed."""
        root = self._blobs.unpack(digest) if self._blobs is not None else None
        if root is None or self._blobs is None:
            return None
        moved = [(word, _moved(word, root)) for word in self._blobs.words(digest)]
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


def _read_list(path: Path | None) -> dict[str, list[str]]:
    """reference -> digests that a node pulled, the last one newest."""
    try:
        found = json.loads(path.read_bytes()) if path is not None else {}
        return {str(reference): [str(digest) for digest in versions] for reference, versions in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _write_list(path: Path | None, present: Mapping[str, list[str]]) -> None:
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(present, indent=1) + "\n")
    draft.replace(path)
