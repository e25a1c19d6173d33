"""Is a hostPath what its type says, and is it the same one that the pod had on another node?"""

import os
from collections.abc import Callable
from pathlib import Path

from mesh.node.apps.context import BadSetting
from mesh.node.directories import Where, make

_CHECKS: dict[str, tuple[Callable[[Path], bool], str]] = {
    "Directory": (Path.is_dir, "a directory"),
    "DirectoryOrCreate": (Path.is_dir, "a directory"),
    "File": (Path.is_file, "a file"),
    "FileOrCreate": (Path.is_file, "a file"),
    "Socket": (Path.is_socket, "a socket"),
    "CharDevice": (Path.is_char_device, "a character device"),
    "BlockDevice": (Path.is_block_device, "a block device"),
}


def prepare(where: Where, path: str, kind: str) -> None:
    """Check, and make what may be made. Raises BadSetting, as the kubelet says it.

    path: as the manifest says.  kind: `hostPath.type`, empty for no check.
    """
    place = where.path
    if kind == "FileOrCreate" and not place.exists():
        try:
            os.makedirs(place.parent, exist_ok=True)
            place.touch()
        except OSError as error:
            raise BadSetting(f"hostPath type check failed: {path}: {error.strerror}") from error
    elif kind in ("", "DirectoryOrCreate"):
        make(where.root, where.names)
    if kind:
        holds, title = _CHECKS.get(kind, (None, ""))
        if holds is None:
            raise BadSetting(f"hostPath type {kind!r} is not known")
        if not holds(place):
            raise BadSetting(f"hostPath type check failed: {path} is not {title}")


def elsewhere(where: Where) -> list[str]:
    """The other nodes of the mesh whose disk has something at the same path."""
    nodes = where.root.parent
    if not nodes.is_dir():
        return []
    return sorted(node.name for node in nodes.iterdir() if node != where.root and _holds(node.joinpath(*where.names)))


def _holds(place: Path) -> bool:
    try:
        return place.is_file() or bool(os.listdir(place))
    except OSError:
        return False
