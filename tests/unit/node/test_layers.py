import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from mesh.node import layers
from mesh.node.images import ImageTable


def test_a_layer_of_files_has_the_digest_of_what_sha256sum_prints(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("print(1)\n")
    (tmp_path / "b.txt").write_text("")
    layer = layers.of_files("application", [(name, str(tmp_path / name)) for name in ("a.py", "b.txt")])
    printed = subprocess.run(["sha256sum", "a.py", "b.txt"], cwd=tmp_path, capture_output=True, check=True).stdout
    assert layer.text == printed
    assert layer.digest == "sha256:" + hashlib.sha256(printed).hexdigest()
    assert (layer.size, layer.whole) == (9, True)


def test_a_file_is_read_again_only_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "app.py"
    path.write_text("one")
    first = layers.of_files("application", [("app.py", str(path))])
    found = path.stat()
    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", lambda *_, **__: pytest.fail("read again"))
        assert layers.of_files("application", [("app.py", str(path))]) == first
    path.write_text("two")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1))
    assert layers.of_files("application", [("app.py", str(path))]).digest != first.digest


def test_what_is_too_large_counts_by_size_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "MAX_BYTES", 10)
    for name, size in (("a", 6), ("b", 6), ("c", 4)):
        (tmp_path / name).write_bytes(b"x" * size)
    layer = layers.of_files("application", [(name, str(tmp_path / name)) for name in "abc"])
    assert [file.whole for file in layer.files] == [True, False, True]
    assert not layer.whole
    os.utime(tmp_path / "b", ns=(1, 1))
    assert layers.of_files("application", [(n, str(tmp_path / n)) for n in "abc"]).digest != layer.digest


@pytest.mark.parametrize(
    ("words", "names"),
    [
        pytest.param(("app.py", "8080", "--verbose"), ["app.py"], id="a file, a number, a flag"),
        pytest.param(("--config=app.py", "app.py"), ["app.py"], id="a flag's file, once"),
        pytest.param(("site",), ["site/a.html", "site/sub/b.html"], id="a directory, in order"),
        pytest.param(("gone.py", "", "--x=", "a\0b"), [], id="nothing that is there"),
        pytest.param(("./app.py",), ["./app.py"], id="as it is written"),
    ],
)
def test_the_files_that_a_command_names(tmp_path: Path, words: tuple[str, ...], names: list[str]) -> None:
    (tmp_path / "app.py").write_text("1")
    for name in ("site/sub/b.html", "site/a.html", "site/.git/x", "site/__pycache__/x.pyc", "site/.hidden"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    assert [name for name, _ in layers.named_files(words, tmp_path)] == names


def test_a_directory_is_read_only_so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "MAX_FILES", 3)
    for number in range(9):
        (tmp_path / f"{number}").write_text("x")
    layer = layers.of_files("application", layers.named_files([str(tmp_path)]))
    assert [file.whole for file in layer.files] == [True, True, True, False]


def test_a_manifest_is_one_that_a_registry_would_take() -> None:
    image = ImageTable().find("nginx:1.25")
    manifest = json.loads(image.manifest)
    assert (manifest["schemaVersion"], manifest["mediaType"]) == (2, layers.MANIFEST)
    assert [layer["digest"] for layer in manifest["layers"]] == [layer.digest for layer in image.layers]
    assert [layer["size"] for layer in manifest["layers"]] == [len(layer.text) for layer in image.layers]
    config = layers.config(image.command, image.layers)
    assert (manifest["config"]["digest"], manifest["config"]["size"]) == (layers.sha256(config), len(config))
    assert json.loads(config)["rootfs"]["diff_ids"] == [layer.digest for layer in image.layers]
