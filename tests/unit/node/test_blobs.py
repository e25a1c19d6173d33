from pathlib import Path

import pytest

from mesh.node import layers
from mesh.node.blobs import Blobs, copy_whole, inside


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("app.py", "app.py"),
        ("./app.py", "app.py"),
        ("/home/me/app.py", "home/me/app.py"),
        ("../../etc/passwd", "_up/_up/etc/passwd"),
        ("site//a/../b", "site/a/_up/b"),
        (".", "_here"),
        ("/", "_here"),
    ],
)
def test_no_name_leads_out(name: str, where: str) -> None:
    assert inside(name) == where


def test_what_is_written_is_found_by_its_digest(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    digest = layers.sha256(b"text")
    assert (blobs.has(digest), blobs.read(digest)) == (False, None)
    for _ in range(2):
        blobs.write(b"text")
    assert (blobs.has(digest), blobs.read(digest)) == (True, b"text")
    assert [path.name for path in (tmp_path / "blobs").iterdir()] == [digest.removeprefix("sha256:")]


def test_a_file_that_changed_meanwhile_is_not_kept(tmp_path: Path) -> None:
    source, target = tmp_path / "app.py", tmp_path / "kept" / "app.py"
    source.write_text("two")
    copy_whole(source, target, layers.sha256(b"one"))
    assert list(target.parent.iterdir()) == []
    source.chmod(0o755)
    copy_whole(source, target, layers.sha256(b"two"))
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("two", 0o755)
    copy_whole(tmp_path / "gone", tmp_path / "kept" / "gone", layers.sha256(b""))
    assert [path.name for path in target.parent.iterdir()] == ["app.py"]


def test_what_is_not_kept_says_nothing(tmp_path: Path) -> None:
    blobs, digest = Blobs(tmp_path / "blobs"), "sha256:" + "0" * 64
    assert (blobs.layers(digest), blobs.files(digest), blobs.words(digest), blobs.unpack(digest)) == ({}, {}, (), None)
