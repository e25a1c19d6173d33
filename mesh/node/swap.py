"""How do the files of a directory change all at once?

As the kubelet does it: the files lie in a directory of their own, `..data` links to that, and every name links into
`..data`. Renaming one link changes everything that a reader sees.
"""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from mesh.node.contents import File

DATA = "..data"
_OURS = re.compile(r"\.\.[A-Za-z0-9_]+")


def write(directory: Path, files: Mapping[str, File]) -> bool:
    """Make the directory hold exactly these files; False when it did already. Raises OSError."""
    os.makedirs(directory, exist_ok=True)
    before = _now(directory)
    if before is not None and _same(before, files):
        return False
    fresh = Path(tempfile.mkdtemp(prefix="..", dir=directory))
    fresh.chmod(0o755)
    for name, file in files.items():
        place = fresh / name
        os.makedirs(place.parent, exist_ok=True)
        place.write_bytes(file.data)
        place.chmod(file.mode)
    _link(fresh.name, directory / DATA)
    names = {name.partition("/")[0] for name in files}
    for name in names:
        if not (directory / name).is_symlink():
            _link(f"{DATA}/{name}", directory / name)
    for entry in directory.iterdir():
        if not entry.name.startswith("..") and entry.name not in names:
            entry.unlink()
    if before is not None:
        shutil.rmtree(before, ignore_errors=True)
    return True


def _now(directory: Path) -> Path | None:
    """The directory that the files lie in. A link that is none of ours is not followed: what it names is removed."""
    try:
        name = os.readlink(directory / DATA)
    except OSError:
        return None
    found = directory / name
    return found if _OURS.fullmatch(name) and found.is_dir() and not found.is_symlink() else None


def _same(before: Path, files: Mapping[str, File]) -> bool:
    held = {str(path.relative_to(before)) for path in before.rglob("*") if path.is_file()}
    if held != set(files):
        return False
    try:
        return all(
            (before / name).read_bytes() == file.data and (before / name).stat().st_mode & 0o7777 == file.mode
            for name, file in files.items()
        )
    except OSError:
        return False


def _link(target: str, link: Path) -> None:
    draft = link.with_name(link.name + "_tmp")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    draft.symlink_to(target)
    draft.replace(link)
