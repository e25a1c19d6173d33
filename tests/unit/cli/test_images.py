import json
from pathlib import Path
from typing import Any

import pytest

from mesh.cli import images
from mesh.cli.errors import UserError
from mesh.cli.main import main
from mesh.node.blobs import Blobs
from mesh.node.image_store import ImageStore
from mesh.node.images import ImageTable


@pytest.fixture(autouse=True)
def _no_mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_HOME", str(tmp_path / "home"))


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["images", *words])
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_all_images_without_a_mesh(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys)
    lines = {line.split()[0]: line.split() for line in out.splitlines()}
    assert code == 0
    assert {"nginx", "httpd", "mesh/kv", "mesh/objects", "redis", "busybox"} <= set(lines)
    assert lines["nginx"][1] == "built-in"
    assert lines["nginx"][2] == ImageTable().find("nginx").digest[7:19]


def test_two_tags_share_all_but_their_settings(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "nginx:1.25", "nginx:1.27", "-o", "json")
    one, other = json.loads(out)
    assert (code, one["digest"] != other["digest"]) == (0, True)
    assert {layer["title"]: layer["shared_with"] for layer in one["layers"]} == {
        "base": ["nginx:1.27"],
        "program": ["nginx:1.27"],
        "application": ["nginx:1.27"],
        "settings": [],
    }
    assert [file["name"] for file in one["layers"][2]["files"]][-1] == "mesh/node/apps/welcome.py"


def test_a_program_with_its_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text("print(1)\n")
    code, out, _ = run(capsys, "web", "--image", f"web=sh {app}")
    assert code == 0
    assert f"/sh {app}\n" in out
    assert f"{app}   cc42155088fc   9 B" in out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("nope",), "no image 'nope': no container uses it, and it is not built in; see: mesh images"),
        (("--image", "web"), "--image web: not NAME=COMMAND, and as a file: No such file or directory"),
        (("--image", "web=no-such-program"), "no program 'no-such-program' on this machine"),
        (("--name", "other"), "no mesh named 'other' is running; start one with: mesh up"),
    ],
)
def test_what_cannot_be_shown(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], why: str) -> None:
    code, out, err = run(capsys, *words)
    assert (code != 0, out) == (True, "")
    assert why in err


def pod(name: str, image: str, image_id: str = "") -> dict[str, Any]:
    status = {"containerStatuses": [{"name": "app", "imageID": image_id}]} if image_id else {}
    spec = {"containers": [{"name": "app", "image": image}]}
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": spec, "status": status}


async def test_what_runs_beside_what_lies_there(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text("one")
    table = ImageTable({"web": f"sh {app}"})
    store = ImageStore(table, tmp_path / "images")
    first = await store.pull("web:1")
    app.write_text("two!")
    assert (await store.pull("web:1", "Always")).image_id != first.image_id
    pods = [
        pod("old", "web:1", first.image_id),
        pod("new", "web:1", table.find("web:1").image_id),
        pod("waits", "web:1"),
        pod("lost", "web:1", "web@sha256:00"),
    ]
    used = list(images.containers(pods))
    assert used[0] == ("web:1", "shop/old", "app", first.image_id)
    shown = images.look(table.find("web:1"), used, Blobs(tmp_path / "images" / "blobs" / "sha256"))
    assert {each.pod: each.changed for each in shown.running} == {
        "shop/old": ("application",),
        "shop/new": (),
        "shop/lost": None,
    }
    assert [each.pod for each in shown.stale] == ["shop/old", "shop/lost"]
    text = images.detail(shown, [shown])
    assert f"shop/old:app    {first.image_id[11:23]}   application" in text
    assert images.overview([shown]).splitlines()[1].endswith("3            application, unknown")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param(["web"], ["web:1", "web:2"], id="without a tag: all of them"),
        pytest.param(["web:2"], ["web:2"], id="one tag"),
        pytest.param(["docker.io/library/nginx:1"], ["docker.io/library/nginx:1"], id="built in, not in use"),
        pytest.param(["web:1", "web"], ["web:1", "web:2"], id="each once"),
    ],
)
def test_which_images_are_meant(wanted: list[str], found: list[str]) -> None:
    assert images.chosen(wanted, ["web:2"], ["web:1", "web:2", "nginx:2"]) == found


def test_everything_is_shown_once() -> None:
    found = images.chosen([], ["mine"], ["docker.io/library/nginx:1"])
    assert found[:2] == ["docker.io/library/nginx:1", "mine"]
    assert "nginx" not in found
    assert {"httpd", "redis"} <= set(found)
    with pytest.raises(UserError):
        images.chosen(["x"], [], [])


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (6_831_736, "6.8 MB")])
def test_sizes(count: int, text: str) -> None:
    assert images.size(count) == text
