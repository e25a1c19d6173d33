"""Where running meshes are found."""

import os
from pathlib import Path

import pytest

from mesh.cli import state
from mesh.cli.errors import UserError


def make(name: str, pid: int) -> state.State:
    return state.State(
        name=name,
        gateway="http://127.0.0.1:8080",
        api="http://127.0.0.1:8001",
        dns="127.0.0.1:1053",
        kubeconfig="",
        control_pid=pid,
        gateway_pid=pid,
        state_dir="",
        nodes=[state.NodeProcess("node-1", 1)],
    )


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MESH_HOME", str(tmp_path))
    return tmp_path


def test_what_is_saved_is_loaded_while_its_process_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "alive", lambda pid: pid == 77)
    state.save(make("a", 77))
    state.save(make("dead", 78))
    assert state.load("a") == make("a", 77)
    assert [found.name for found in state.running()] == ["a"]
    assert state.choose(None).name == "a"
    with pytest.raises(state.NotRunning, match="running: a"):
        state.load("dead")


def test_nothing_runs() -> None:
    with pytest.raises(state.NotRunning, match="start one with: mesh up") as refused:
        state.choose(None)
    assert refused.value.exit_code == 1


def test_several_need_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "alive", lambda pid: True)
    state.save(make("a", 1))
    state.save(make("b", 2))
    with pytest.raises(UserError, match=r"choose one with --name \(a, b\)"):
        state.choose(None)


def test_another_program_with_the_same_pid_is_not_a_mesh() -> None:
    assert not state.alive(os.getpid())


@pytest.mark.parametrize("name", ["", "../x", "A", "a/b", "-a", "a" * 60])
def test_names_stay_file_names(name: str) -> None:
    with pytest.raises(UserError, match="--name"):
        state.folder(name)
