"""How is a directory made that a manifest names, so that no name leads out of where it belongs?"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from mesh.node.apps.context import BadSetting

_SAFE = re.compile(r"(?!\.{1,2}$)[-A-Za-z0-9._@:+=,~ ]{1,255}")


@dataclass(frozen=True, slots=True)
class Where:
    """The place of a volume: `names` below `root`, which it may not leave.

    read_only: nobody may write to it.  swapped: its files come from the API and are replaced all at once.
    """

    root: Path
    names: tuple[str, ...]
    read_only: bool = False
    swapped: bool = False

    @property
    def path(self) -> Path:
        """Raises BadSetting when it would lie elsewhere."""
        return inside(self.root, self.names)


def parts_of(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)


def inside(root: Path, names: tuple[str, ...]) -> Path:
    """A path below the root, which need not exist. Raises BadSetting when a name is none or leads out."""
    for name in names:
        if not _SAFE.fullmatch(name):
            raise BadSetting(f"{name!r} cannot be part of a volume's path")
    where = root.joinpath(*names)
    # A program may have left a symbolic link where the next directory would go: look before anything is made.
    if not where.resolve().is_relative_to(root.resolve()):
        raise BadSetting(f"{'/'.join(names)!r} leads out of the state directory")
    return where


def make(root: Path, names: tuple[str, ...]) -> Path:
    """The file or directory there; a directory is made where nothing is. Raises BadSetting."""
    where = inside(root, names)
    try:
        if not where.exists():
            os.makedirs(where, exist_ok=True)
    except OSError as error:
        raise BadSetting(f"volume directory {'/'.join(names)!r}: {error.strerror}") from error
    return where
