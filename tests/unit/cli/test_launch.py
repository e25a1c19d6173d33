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


def test_a_kept_state_wants_its_block_again(tmp_path: Path) -> None:
    lock, block = launch.take_block(tmp_path)
    with lock:
        assert (tmp_path / "block").read_text() == f"{block}\n"
        with pytest.raises(UserError, match="in use by another mesh"):
            launch.take_block(tmp_path)
    again, same = launch.take_block(tmp_path)
    again.close()
    assert same == block
