from pathlib import Path

import pytest

from mesh.node.apps.context import BadSetting
from mesh.node.directories import Where
from mesh.node.host_paths import elsewhere, prepare


def where(root: Path, *names: str) -> Where:
    return Where(root / "node-1", ("host", *names))


@pytest.mark.parametrize(
    ("kind", "made"),
    [("", "directory"), ("DirectoryOrCreate", "directory"), ("FileOrCreate", "file")],
)
def test_what_is_made(tmp_path: Path, kind: str, made: str) -> None:
    place = where(tmp_path, "a", "b")
    prepare(place, "/a/b", kind)
    assert (place.path.is_dir(), place.path.is_file()) == (made == "directory", made == "file")
    prepare(place, "/a/b", kind)


@pytest.mark.parametrize(
    ("kind", "is_there", "message"),
    [
        ("Directory", "", "hostPath type check failed: /a is not a directory"),
        ("Directory", "file", "hostPath type check failed: /a is not a directory"),
        ("DirectoryOrCreate", "file", "hostPath type check failed: /a is not a directory"),
        ("File", "", "hostPath type check failed: /a is not a file"),
        ("FileOrCreate", "directory", "hostPath type check failed: /a is not a file"),
        ("Socket", "file", "hostPath type check failed: /a is not a socket"),
        ("CharDevice", "", "hostPath type check failed: /a is not a character device"),
        ("BlockDevice", "", "hostPath type check failed: /a is not a block device"),
        ("Folder", "", "hostPath type 'Folder' is not known"),
    ],
)
def test_what_is_refused(tmp_path: Path, kind: str, is_there: str, message: str) -> None:
    place = where(tmp_path, "a")
    place.path.parent.mkdir(parents=True)
    if is_there:
        place.path.mkdir() if is_there == "directory" else place.path.touch()
    with pytest.raises(BadSetting, match=message):
        prepare(place, "/a", kind)


def test_where_else_it_is(tmp_path: Path) -> None:
    assert elsewhere(where(tmp_path / "none", "a")) == []
    for node, content in (("node-2", "x"), ("node-3", ""), ("node-1", "x")):
        folder = tmp_path / node / "host" / "a"
        folder.mkdir(parents=True)
        if content:
            (folder / content).touch()
    assert elsewhere(where(tmp_path, "a")) == ["node-2"]
