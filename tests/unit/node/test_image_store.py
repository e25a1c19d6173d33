import sys
from pathlib import Path

import pytest

from mesh.node.image_store import ImageStore, PullFailed, default_policy
from mesh.node.images import ImageTable

TAG = "team/web:1"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    path = tmp_path / "work" / "app.py"
    path.parent.mkdir()
    path.write_text("print('one')\n")
    return path


def store(tmp_path: Path, app: Path, command: str = "", node: str = "node-1") -> ImageStore:
    table = ImageTable({TAG: command or f"{sys.executable} {app} --port=8080", "broken": "fail-pull"})
    return ImageStore(table, tmp_path / "images", node)


async def test_the_first_pull_takes_what_lies_there(tmp_path: Path, app: Path) -> None:
    images = store(tmp_path, app)
    pulled = await images.pull(TAG, "IfNotPresent")
    assert pulled.image.command == (sys.executable, str(app), "--port=8080")
    assert pulled.image_id == f"team/web@{images.find(TAG).digest}"
    assert pulled.message == f'Container image "{TAG}" already present on machine'


async def test_if_not_present_runs_the_program_as_it_was(tmp_path: Path, app: Path) -> None:
    images = store(tmp_path, app)
    before = await images.pull(TAG, "IfNotPresent")
    app.write_text("print('two')\n")
    after = await images.pull(TAG, "IfNotPresent")
    assert after.image_id == before.image_id != f"team/web@{images.find(TAG).digest}"
    python, kept, flag = after.image.command
    assert (python, flag) == (sys.executable, "--port=8080")
    assert Path(kept).read_text() == "print('one')\n"
    assert Path(kept).is_relative_to(tmp_path / "images")
    assert after.image.beside == (str(app.parent),)
    assert "(layer application changed since; imagePullPolicy Always takes that)" in after.message
    # The same on the node's next start, and what is written by nobody is not there for others.
    again = await store(tmp_path, app).pull(TAG, "Never")
    assert (again.image_id, again.image.command) == (after.image_id, after.image.command)
    other = await store(tmp_path, app, node="node-2").pull(TAG, "IfNotPresent")
    assert other.image_id == f"team/web@{images.find(TAG).digest}"


async def test_always_takes_the_change_and_says_which_layer(tmp_path: Path, app: Path) -> None:
    images = store(tmp_path, app)
    before = await images.pull(TAG, "Always")
    app.write_text("print('two')\n")
    after = await images.pull(TAG, "Always")
    assert after.image_id != before.image_id
    assert after.image.command == before.image.command
    assert after.message == f'Successfully pulled image "{TAG}" (layer application changed)'
    assert (await images.pull(TAG, "IfNotPresent")).image_id == after.image_id


def copies(tmp_path: Path) -> list[str]:
    """The versions of the application that are kept."""
    found = [path.read_bytes() for path in (tmp_path / "images" / "blobs" / "sha256").iterdir()]
    return sorted(text.decode().split("'")[1] for text in found if text.startswith(b"print("))


async def test_copies_that_no_node_wants_any_more_are_removed(tmp_path: Path, app: Path) -> None:
    one, other = store(tmp_path, app), store(tmp_path, app, node="node-2")
    await other.pull(TAG, "Always")
    for number in range(8):
        app.write_text(f"print('{number}')\n")
        await one.pull(TAG, "Always")
    assert copies(tmp_path) == ["3", "4", "5", "6", "7", "one"], "the other node may need the first one yet"
    assert (await other.pull(TAG, "IfNotPresent")).image.beside
    app.write_text("print('3')\n")
    await one.pull(TAG, "Always")
    assert "3" in copies(tmp_path), "newest again"
    app.write_text("print('one')\n")
    await one.pull(TAG, "Always")
    assert copies(tmp_path) == ["3", "5", "6", "7", "one"]


async def test_an_earlier_version_by_its_digest(tmp_path: Path, app: Path) -> None:
    images = store(tmp_path, app)
    first = await images.pull(TAG, "Always")
    app.write_text("print('two')\n")
    second = await images.pull(TAG, "Always")
    back = await images.pull(first.image_id, "IfNotPresent")
    assert back.image_id == first.image_id
    assert Path(back.image.command[1]).read_text() == "print('one')\n"
    now = await images.pull(second.image_id, "Always")
    assert (now.image_id, now.image.command) == (second.image_id, second.image.command)
    other = store(tmp_path, app, f"{sys.executable} -V")
    assert (await other.pull(first.image_id)).image.command == back.image.command, "with the words of its time"
    with pytest.raises(PullFailed, match="no such version was kept, there is sha256:"):
        await images.pull("team/web@sha256:" + "0" * 64)
    exact = ImageStore(ImageTable({f"{first.image_id}": "sh"}), tmp_path / "images")
    assert (await exact.pull(first.image_id)).image.command == ("sh",), "a command for this very digest"


async def test_another_command_under_the_same_name_is_a_new_tag(tmp_path: Path, app: Path) -> None:
    before = await store(tmp_path, app).pull(TAG, "IfNotPresent")
    after = await store(tmp_path, app, f"{sys.executable} {app} --port=9090").pull(TAG, "IfNotPresent")
    assert after.image_id != before.image_id
    assert after.image.command[-1] == "--port=9090"


async def test_a_file_that_was_removed_still_runs_where_it_was_pulled(tmp_path: Path, app: Path) -> None:
    images = store(tmp_path, app)
    await images.pull(TAG, "IfNotPresent")
    app.unlink()
    assert Path((await images.pull(TAG, "IfNotPresent")).image.command[1]).read_text() == "print('one')\n"


async def test_without_a_place_nothing_is_kept(tmp_path: Path, app: Path) -> None:
    images = ImageStore(ImageTable({TAG: f"{sys.executable} {app}"}))
    before = await images.pull(TAG, "IfNotPresent")
    app.write_text("print('two')\n")
    after = await images.pull(TAG, "IfNotPresent")
    assert after.image_id != before.image_id
    assert after.image.command == before.image.command


@pytest.mark.parametrize(
    ("reference", "policy", "reason", "message"),
    [
        pytest.param("broken:1", "Always", "ErrImagePull", 'Failed to pull image "broken:1": image not found', id="set"),
        pytest.param("nginx:does-not-exist", None, "ErrImagePull", "image not found", id="tag"),
        pytest.param("shop:1", "Never", "ErrImageNeverPull",
                     'Container image "shop:1" is not present with pull policy of Never', id="never"),
    ],
)  # fmt: skip
async def test_what_cannot_be_pulled(
    tmp_path: Path, app: Path, reference: str, policy: str | None, reason: str, message: str
) -> None:
    with pytest.raises(PullFailed, match=message) as caught:
        await store(tmp_path, app).pull(reference, policy)
    assert caught.value.reason == reason


async def test_built_in_images_are_present(tmp_path: Path, app: Path) -> None:
    images = store(tmp_path, app)
    nginx = await images.pull("nginx:1.25", "Never")
    assert nginx.message == 'Container image "nginx:1.25" already present on machine'
    assert nginx is await images.pull("nginx:1.25", "Always")
    shop = await images.pull("shop:1", "IfNotPresent")
    assert shop.message == 'Image "shop:1" is not known here: the demo application stands in for it'


@pytest.mark.parametrize(
    ("reference", "policy"),
    [
        ("web", "Always"),
        ("web:latest", "Always"),
        ("web:1", "IfNotPresent"),
        ("registry:5000/web", "Always"),
        ("registry:5000/web:2", "IfNotPresent"),
        ("web@sha256:00", "IfNotPresent"),
    ],
)
def test_default_policy(reference: str, policy: str) -> None:
    assert default_policy(reference) == policy
