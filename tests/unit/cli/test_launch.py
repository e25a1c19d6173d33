"""What is judged before a mesh is started."""

import sys
from pathlib import Path

import pytest

from mesh.cli import launch
from mesh.cli.errors import UserError
from mesh.cli.judging import judge
from mesh.cli.manifests import read


def test_images_come_from_words_and_files(tmp_path: Path) -> None:
    listed = tmp_path / "images"
    listed.write_text(f"# my programs\n\nb={sys.executable} -V\n")
    images = launch.parse_images([f"a={sys.executable} app.py --x 'y z'", str(listed), "c=crash"])
    assert images["a"].endswith("app.py --x 'y z'")
    assert set(images) == {"a", "b", "c"}
    assert images["c"] == "crash"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        pytest.param("a=/no/such/program -x", "no program '/no/such/program' on this machine", id="program"),
        pytest.param("a=", "use NAME=COMMAND", id="no command"),
        pytest.param("=ls", "use NAME=COMMAND", id="no name"),
        pytest.param("a='ls", "No closing quotation", id="quotes"),
        pytest.param("/no/such/file", "not NAME=COMMAND, and as a file", id="file"),
    ],
)
def test_images_that_cannot_run(entry: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        launch.parse_images([entry])


def test_every_wrong_object_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        "apiVersion: config.istio.io/v1alpha2\nkind: RouteRule\nmetadata: {name: r}\n"
        "spec: {destination: {name: a}, route: [{labels: {v: '1'}, weight: 99}]}\n---\n"
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {}\n"
    )
    with pytest.raises(UserError) as refused:
        judge(read([str(path)]))
    lines = str(refused.value).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"{path}: RouteRule r: spec.route")
    assert "100" in lines[0]
    assert lines[1].startswith(f"{path}: Deployment d: spec.selector")


@pytest.mark.parametrize("wait_s", [-1.0, float("nan"), float("inf")])
def test_a_wait_that_cannot_be(wait_s: float) -> None:
    with pytest.raises(UserError, match="0 to 86400 seconds"):
        launch.start(launch.UpOptions(wait_s=wait_s), print)


def test_a_name_is_for_one_mesh_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_HOME", str(tmp_path))
    with launch.take_name("a"), launch.take_name("b"), pytest.raises(UserError, match="'a' is just starting") as told:
        launch.take_name("a")
    assert told.value.exit_code == 1
    launch.take_name("a").close()


def test_folders_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UserError, match=f"--state {file}: cannot be written"):
        launch.folder_for(launch.UpOptions(state_dir=str(file)))
    monkeypatch.setenv("MESH_HOME", str(file / "below"))
    with pytest.raises(UserError, match="below: cannot be written"):
        launch.take_name("a")


def test_only_a_kept_state_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_HOME", str(tmp_path / "home"))
    for options, kept in ((launch.UpOptions(), False), (launch.UpOptions(state_dir=str(tmp_path / "mine")), True)):
        (launch.folder_for(options) / "objects.db").touch()
        assert (launch.folder_for(options) / "objects.db").exists() is kept
