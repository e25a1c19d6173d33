"""Blocks of addresses: one mesh each, kept for those who may return."""

import tempfile
from pathlib import Path

import pytest

from mesh.cli.blocks import BLOCKS, take_block
from mesh.cli.errors import UserError


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which no mesh runs."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()


def test_a_kept_state_wants_its_block_again(tmp_path: Path) -> None:
    first, block = take_block(tmp_path / "a")
    with first:
        assert block == 0
        assert (tmp_path / "a" / "block").read_text() == "0\n"
        with pytest.raises(UserError, match="in use by another mesh"):
            take_block(tmp_path / "a")
        second, other = take_block(tmp_path / "b")
        second.close()
        assert other == 1
    again, same = take_block(tmp_path / "a")
    again.close()
    assert same == 0


def test_the_addresses_of_a_killed_mesh_are_left_to_it_while_there_are_others(tmp_path: Path) -> None:
    killed, block = take_block(tmp_path / "a")
    killed.close()
    (tmp_path / "a" / "objects.db-wal").touch()  # as SQLite leaves it where nobody closed the database
    taken = [take_block(tmp_path / str(number)) for number in range(BLOCKS)]
    for lock, _ in taken:
        lock.close()
    assert [number for _, number in taken] == [1, 2, 3, 4, 5, 6, 7, block]


def test_the_addresses_of_a_stopped_mesh_are_free(tmp_path: Path) -> None:
    stopped, _ = take_block(tmp_path / "a")
    stopped.close()
    lock, block = take_block(tmp_path / "b")
    lock.close()
    assert block == 0


def test_a_machine_holds_eight(tmp_path: Path) -> None:
    taken = [take_block(tmp_path / str(number))[0] for number in range(BLOCKS)]
    with pytest.raises(UserError, match="eight meshes"):
        take_block(tmp_path / "ninth")
    for lock in taken:
        lock.close()
