"""`mesh demo`: which scenarios there are, and what is said when there is none of that name."""

import dataclasses
import json
import socket
from pathlib import Path

import pytest
from click import unstyle

from mesh.cli import demo, ending, launch, state
from mesh.cli.errors import UserError
from mesh.cli.main import main


def running_as(name: str) -> state.State:
    return state.State(
        name=name,
        gateway="http://127.0.1.1:8080",
        api="http://127.0.1.1:8001",
        dns="127.0.1.1:1053",
        kubeconfig="",
        control_pid=1,
        gateway_pid=2,
        state_dir="",
    )


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["demo", *words])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, unstyle(err)


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--list")
    assert code == 0
    assert out.splitlines()[0].split() == ["NAME", "TITLE"]
    assert {"canary", "shadow"} <= {line.split()[0] for line in out.splitlines()[1:]}


def test_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--list", "-o", "json")
    assert code == 0
    assert {"name", "title", "what"} == set(json.loads(out)[0])


def test_an_unknown_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "canarry")
    assert code == 2
    assert err.startswith("mesh: no scenario 'canarry'; there are ab-test, blue-green, canary,")
    assert len(err.splitlines()) == 1


def test_a_folder_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "scenario.yaml").write_text("title: t\nwhat: w\nsteps: [{pause: 0}]\n")
    assert demo.find(f"{tmp_path}/").title == "t"
    (tmp_path / "scenario.yaml").write_text("title: t\nwhat: w\nsteps: [{paus: 0}]\n")
    with pytest.raises(UserError, match=r"scenario.yaml: steps\[0\]\.paus"):
        demo.find(f"{tmp_path}/")


def test_a_running_mesh_as_a_scenario_sees_it() -> None:
    running = dataclasses.replace(running_as("demo"), nodes=[state.NodeProcess("node-1", 3)])
    world = demo.world_of(running)
    assert world.gateway == "http://127.0.1.1:8080"
    assert world.dns == ("127.0.1.1", 1053)
    assert world.nodes == {"node-1": 3}


@pytest.mark.parametrize(
    ("taken", "name"),
    [
        pytest.param([], "demo-canary", id="nothing runs"),
        pytest.param(["default"], "demo-canary", id="another mesh runs"),
        pytest.param(["demo-canary"], "demo-canary-2", id="the same demo runs"),
        pytest.param(["demo-canary", "demo-canary-2"], "demo-canary-3", id="and once more"),
    ],
)
def test_two_demos_do_not_share_a_name(monkeypatch: pytest.MonkeyPatch, taken: list[str], name: str) -> None:
    monkeypatch.setattr(state, "running", lambda: [running_as(each) for each in taken])
    assert demo.free_name("demo-canary") == name


@pytest.mark.parametrize("fails", [pytest.param(False, id="it ends well"), pytest.param(True, id="it is interrupted")])
def test_a_demo_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fails: bool) -> None:
    monkeypatch.setenv("MESH_HOME", str(tmp_path))
    stopped: list[str] = []
    folders: list[Path] = []

    def start(options: launch.UpOptions, progress: object) -> state.State:
        (tmp_path / options.name).mkdir()
        assert options.state_dir is not None
        folders.append(Path(options.state_dir).parent)
        return running_as(options.name)

    monkeypatch.setattr(launch, "start", start)
    monkeypatch.setattr(ending, "stop", lambda running: stopped.append(running.name))

    def use() -> None:
        with demo.own_mesh(demo.find("canary")) as running:
            assert folders[0].exists()
            assert running.name == "demo-canary"
            if fails:
                raise KeyboardInterrupt

    if fails:
        with pytest.raises(KeyboardInterrupt):
            use()
    else:
        use()
    assert stopped == ["demo-canary"]
    assert list(tmp_path.iterdir()) == []
    assert not folders[0].exists()


def test_a_port_in_use_is_left_to_its_owner(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        found = demo.free_port("127.0.0.1", taken)
    assert found not in (0, taken)
    assert f"127.0.0.1:{taken} is in use by another program; taking port {found}" in capsys.readouterr().err
    assert demo.free_port("127.0.0.1", found) == found


def test_a_datagram_port_counts_too() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        datagram.bind(("127.0.0.1", 0))
        taken = datagram.getsockname()[1]
        assert demo.free_port("127.0.0.1", taken) != taken
