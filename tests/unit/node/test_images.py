import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mesh.node.apps import demo, http_echo, kv, welcome
from mesh.node.apps.context import BadSetting
from mesh.node.images import ImageTable, repository, short_name


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("nginx", "nginx"),
        ("nginx:1.25", "nginx"),
        ("docker.io/library/nginx:1.25", "nginx"),
        ("library/httpd@sha256:00", "httpd"),
        ("docker.io/hashicorp/http-echo:1", "hashicorp/http-echo"),
        ("registry.example:5000/team/app:2", "registry.example:5000/team/app"),
    ],
)
def test_short_name(reference: str, name: str) -> None:
    assert short_name(reference) == name


@pytest.mark.parametrize(
    ("reference", "factory", "known"),
    [
        ("containersol/k8s-deployment-strategies", demo.build, True),
        ("httpd:2.4", welcome.httpd, True),
        ("docker.io/library/nginx", welcome.nginx, True),
        ("hashicorp/http-echo:0.2.3", http_echo.build, True),
        ("mesh/kv", kv.build, True),
        ("somebody/nginx", demo.build, False),
        ("unheard:of", demo.build, False),
    ],
)
def test_what_is_built_in(reference: str, factory: object, known: bool) -> None:
    image = ImageTable().find(reference)
    assert (image.built_in.factory, image.known, image.command, image.behaviour) == (factory, known, (), "")


def test_a_users_command_wins_and_the_exact_reference_first() -> None:
    table = ImageTable({"web": "python3 'my app.py'", "web:2": "python3 two.py", "nginx": "other"})
    assert table.find("web:1").command == ("python3", "my app.py")
    assert table.find("web:2").command == ("python3", "two.py")
    assert table.find("docker.io/library/nginx:1").command == ("other",)


@pytest.mark.parametrize("behaviour", ["fail-pull", "crash", "never-ready"])
def test_images_that_misbehave(behaviour: str) -> None:
    image = ImageTable({"nginx": behaviour}).find("nginx:1")
    assert (image.behaviour, image.command, image.built_in.factory) == (behaviour, (), welcome.nginx)


def test_a_tag_that_does_not_exist() -> None:
    assert ImageTable().find("nginx:does-not-exist").behaviour == "fail-pull"


@pytest.mark.parametrize(
    ("image", "declared", "args", "ports"),
    [
        pytest.param("nginx", (8080, 9090), (), (8080, 9090), id="as declared"),
        pytest.param("nginx", (), (), (80,), id="its own where nothing is declared"),
        pytest.param("any", (), (), (8080,), id="the demo application's"),
        pytest.param("hashicorp/http-echo", (), ("-text=x",), (5678,), id="http-echo"),
        pytest.param("hashicorp/http-echo", (80,), ("-text=x",), (80,), id="http-echo, declared"),
        pytest.param("hashicorp/http-echo", (80,), ("-text=x", "-listen=:90"), (80, 90), id="and where it is told"),
        pytest.param("hashicorp/http-echo", (90,), ("-text=x", "-listen=:90"), (90,), id="both the same"),
    ],
)
def test_ports(image: str, declared: tuple[int, ...], args: tuple[str, ...], ports: tuple[int, ...]) -> None:
    assert ImageTable().find(image).ports(declared, args) == ports


def test_a_bad_argument_is_told_before_anything_listens() -> None:
    with pytest.raises(BadSetting, match="-listen"):
        ImageTable().find("hashicorp/http-echo").ports((), ("-text=x", "-listen=:nine"))


def test_image_ids_tell_what_runs() -> None:
    plain, mine = ImageTable().find("web:1"), ImageTable({"web": "run me"}).find("web:1")
    assert re.fullmatch(r"web@sha256:[0-9a-f]{64}", plain.image_id)
    assert plain.image_id != mine.image_id
    assert plain.image_id == ImageTable().find("web:1").image_id
    assert repository("a/b:c") == "a/b"


def test_tags_that_run_the_same_have_one_digest() -> None:
    table = ImageTable({"web": "run me", "shop": "run me"})
    assert table.find("web:1").digest == table.find("web:2").digest == table.find("shop").digest
    assert ImageTable().find("nginx:1.25").digest != ImageTable().find("nginx:1.27").digest
    assert ImageTable().find("my/one").digest != ImageTable().find("my/other").digest
    assert ImageTable({"web": "crash"}).find("web").digest != ImageTable().find("web").digest


@pytest.mark.parametrize(
    ("reference", "titles"),
    [
        pytest.param("nginx", ["base", "program", "application", "settings"], id="built in"),
        pytest.param("web", ["base", "program", "application", "settings"], id="a user's"),
        pytest.param("busybox", ["base", "program", "settings"], id="this machine's"),
        pytest.param("run", ["base", "settings"], id="whatever the container says"),
        pytest.param("any/other", ["base", "program", "application", "settings"], id="stands in"),
    ],
)
def test_layers(reference: str, titles: list[str]) -> None:
    image = ImageTable({"web": f"{sys.executable} {__file__}", "run": "run"}).find(reference)
    assert [layer.title for layer in image.layers] == titles
    if reference == "web":
        assert [file.name for layer in image.layers for file in layer.files] == [sys.executable, __file__]


def test_a_kept_program_still_finds_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import beside; print(beside.WORD)")
    (tmp_path / "beside.py").write_text("WORD = 'found'")
    kept = tmp_path / "kept" / "app.py"
    kept.parent.mkdir()
    shutil.copy(tmp_path / "app.py", kept)
    image = replace(ImageTable({"web": f"{sys.executable} {kept}"}).find("web"), beside=(str(tmp_path),))
    start = image.start((), ("more",), None)  # type: ignore[arg-type]
    assert start is not None
    assert start.words == (sys.executable, str(kept), "more")
    done = subprocess.run(start.words, env=dict(start.env), capture_output=True, text=True, timeout=20)
    assert done.stdout == "found\n", done.stderr


@pytest.mark.parametrize(
    ("command", "message"),
    [("run 'me", "image web: command .*No closing quotation"), ("  ", "image web: the command is empty")],
)
def test_a_command_that_is_no_command_is_refused_at_once(command: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageTable({"web": command})
