import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mesh.node.apps import shell
from mesh.node.apps.context import AppContext, BadSetting
from mesh.node.images import ImageTable

DATA = {"/data": Path("/v/1"), "/data/deep": Path("/v/2"), "/": Path("/v/3")}


def context(**changes: Any) -> AppContext:
    given: dict[str, Any] = {
        "pod_name": "job-1", "pod_ip": "", "node_name": "", "namespace": "shop", "container_name": "app",
        "image": "busybox", "address": "127.0.0.1", "ports": (), "volume_dir": Path("/v/1"),
    }  # fmt: skip
    return AppContext(**{**given, **changes})


@pytest.mark.parametrize(
    ("image", "command", "args", "words"),
    [
        pytest.param("busybox", ("sh", "-c", "echo hi"), (), ("sh", "-c", "echo hi"), id="command"),
        pytest.param("busybox", (), ("echo", "hi"), ("echo", "hi"), id="args alone"),
        pytest.param("busybox", ("echo",), ("hi",), ("echo", "hi"), id="both"),
        pytest.param("busybox", (), (), ("sh",), id="nothing: its shell"),
        pytest.param("bash", (), (), ("bash",), id="bash"),
        pytest.param("curlimages/curl", (), ("-s", "http://web"), ("curl", "-s", "http://web"), id="an entry point"),
        pytest.param("curlimages/curl", ("sh",), (), ("sh",), id="command in place of the entry point"),
        pytest.param("any/other", ("date",), (), ("date",), id="another image, with --image any/other=run"),
    ],
)
def test_what_runs(image: str, command: tuple[str, ...], args: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert shell.start(image, command, args, context(), None, "").words == words


def test_an_unknown_image_without_a_command_has_nothing_to_run() -> None:
    with pytest.raises(BadSetting, match="there is nothing to run: give the container a command"):
        shell.start("any/other", (), (), context(), None, "")


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("/data", "/v/1"),
        ("/data/x.txt", "/v/1/x.txt"),
        ("--dir=/data", "--dir=/v/1"),
        ("cp a /data/; ls '/data' \"/data\" >/data/log", "cp a /v/1/; ls '/v/1' \"/v/1\" >/v/1/log"),
        ("/data/deep/x /data/deeper", "/v/2/x /v/1/deeper"),
        ("PATH=$PATH:/data/bin", "PATH=$PATH:/v/1/bin"),
        ("/database /my/data ./data ../data $HOME/data ${HOME}/data", None),
        ("wget http://web/data http://web//data /data.txt /data-2", None),
    ],
)
def test_mount_paths_in_words(said: str, wanted: str | None) -> None:
    assert shell.with_volumes([said], DATA) == (said if wanted is None else wanted,)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (("python", "-m", "http.server", "80"), ("python", "-m", "http.server", "--bind", "127.9.9.9", "80")),
        (("sh", "-c", "cd /x; python3 -m http.server 80"),
         ("sh", "-c", "cd /x; python3 -m http.server --bind 127.9.9.9 80")),
        (("python", "-m", "http.server", "--bind", "127.0.0.1"), None),
        (("python", "-m", "http.server", "-b", "127.0.0.1"), None),
        (("echo", "http.server"), None),
    ],
)  # fmt: skip
def test_pythons_web_server_listens_at_the_containers_address(said: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    assert shell.bound(said, "127.9.9.9") == (wanted or said)


def test_the_account_and_the_applets(tmp_path: Path) -> None:
    start = shell.start("busybox", ("sh", "-c", f"cat {shell.ACCOUNT}/namespace; command -v nslookup"), (),
                        context(dns="127.0.0.1:1053", scratch_dir=tmp_path), tmp_path, "/bin:/usr/bin")  # fmt: skip
    done = subprocess.run(
        start.words, env=dict(start.env), cwd=start.folder, capture_output=True, text=True, timeout=10
    )
    namespace, _, applet = done.stdout.strip().partition("/")
    assert (namespace, done.stderr) == ("shop", "")
    assert Path("/" + applet).is_relative_to(tmp_path)
    help_text = subprocess.run(["/" + applet], capture_output=True, text=True, timeout=10, env=dict(start.env))
    assert (help_text.returncode, help_text.stderr) == (2, "usage: nslookup NAME\n")


def test_the_machines_own_wget_is_asked_where_there_is_a_proxy(tmp_path: Path) -> None:
    own = tmp_path / "own" / "wget"
    own.parent.mkdir()
    own.write_text('#!/bin/sh\necho own "$@"\n')
    own.chmod(0o755)
    path = f"{own.parent}:/usr/bin:/bin"
    start = shell.start("busybox", ("wget", "-x"), (), context(dns="127.0.0.1:1053"), tmp_path, path)
    run = partial(subprocess.run, ["sh", "-c", "wget -x"], capture_output=True, text=True, timeout=10)
    assert run(env={**start.env, "http_proxy": "http://127.0.0.1:1"}).stdout == "own -x\n"
    assert run(env=dict(start.env)).stderr.startswith("usage: wget ")


@pytest.mark.parametrize(
    ("commands", "reference", "runs"),
    [
        pytest.param({}, "busybox:1.36", True, id="busybox"),
        pytest.param({}, "docker.io/library/alpine", True, id="alpine, in full"),
        pytest.param({}, "registry.k8s.io/busybox", True, id="from another registry"),
        pytest.param({}, "redis:7-alpine", True, id="redis"),
        pytest.param({}, "somebody/busybox", False, id="somebody else's"),
        pytest.param({}, "nginx", False, id="a built-in application"),
        pytest.param({"busybox": "demo"}, "busybox", False, id="switched off"),
        pytest.param({"busybox": "crash"}, "busybox", False, id="failing on purpose"),
        pytest.param({"busybox": "sleep 3"}, "busybox", False, id="a user's program"),
        pytest.param({"shop": "run"}, "shop:1", True, id="switched on"),
    ],
)
def test_which_images_run_their_containers_command(commands: dict[str, str], reference: str, runs: bool) -> None:
    image = ImageTable(commands).find(reference)
    assert image.runs_command is runs
    if "redis" not in reference:
        start = image.start(("echo",), (), context())
        assert (start is not None) is (runs or bool(image.command))
