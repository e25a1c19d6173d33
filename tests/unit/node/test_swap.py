import os
from pathlib import Path

from mesh.node.contents import File
from mesh.node.swap import write


def seen(directory: Path) -> dict[str, str]:
    names = [path for path in directory.rglob("*") if path.is_file() and ".." not in str(path.relative_to(directory))]
    return {str(path.relative_to(directory)): path.read_text() for path in names}


def test_files_are_links_into_one_directory_that_is_swapped(tmp_path: Path) -> None:
    assert write(tmp_path, {"a": File(b"1", 0o600), "sub/b": File(b"2", 0o644)})
    assert ((tmp_path / "a").read_text(), (tmp_path / "sub" / "b").read_text()) == ("1", "2")
    assert (os.readlink(tmp_path / "a"), (tmp_path / "a").stat().st_mode & 0o777) == ("..data/a", 0o600)
    first = os.readlink(tmp_path / "..data")
    assert write(tmp_path, {"a": File(b"3", 0o600), "c": File(b"4", 0o644)})
    assert os.readlink(tmp_path / "..data") != first
    assert not (tmp_path / first).exists()
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("..")) == ["a", "c"]
    assert ((tmp_path / "a").read_text(), (tmp_path / "c").read_text()) == ("3", "4")


def test_an_open_file_stays_as_it_was(tmp_path: Path) -> None:
    write(tmp_path, {"a": File(b"old", 0o644)})
    with open(tmp_path / "a") as file:
        write(tmp_path, {"a": File(b"new", 0o644)})
        assert file.read() == "old"


def test_a_link_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "volume"
    for folder in (outside, inside):
        folder.mkdir()
    (outside / "kept").touch()
    for target in (outside, Path("../outside")):
        (inside / "..data").unlink(missing_ok=True)
        (inside / "..data").symlink_to(target)
        write(inside, {"a": File(b"1", 0o644)})
        assert (outside / "kept").exists()
        assert (inside / "a").read_text() == "1"


def test_nothing_new_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"a": File(b"1", 0o644)})
    first = os.readlink(tmp_path / "..data")
    assert not write(tmp_path, {"a": File(b"1", 0o644)})
    assert os.readlink(tmp_path / "..data") == first
    assert write(tmp_path, {"a": File(b"1", 0o600)})
    assert write(tmp_path, {})
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith("..")] == []
