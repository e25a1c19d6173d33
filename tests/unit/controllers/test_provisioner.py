"""Does data go, and only that data?"""

import shutil
from pathlib import Path

import pytest

from mesh.api.storage import PersistentVolume, PersistentVolumeClaim
from mesh.controllers.provisioner import remove_below
from mesh.controllers.settings import Settings
from tests.unit.controllers.storage import claim, storage_class
from tests.unit.controllers.world import World


def test_a_directory_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "v" / "a" / "b").mkdir(parents=True)
    (tmp_path / "w").mkdir()
    remove_below(tmp_path, "v")
    remove_below(tmp_path, "never-made")
    assert [path.name for path in tmp_path.iterdir()] == ["w"]


def test_links_are_cut_not_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "volumes", tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    (root / "v").mkdir(parents=True)
    (root / "v" / "link").symlink_to(outside)
    (root / "link").symlink_to(outside)
    remove_below(root, "v")
    remove_below(root, "link")
    assert list(root.iterdir()) == []
    assert (outside / "precious").read_text() == "x"


@pytest.mark.parametrize("name", ["..", "", "a/b", "/etc", "."])
def test_only_plain_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(AssertionError):
        remove_below(tmp_path, name)


async def test_a_claim_that_cannot_be_had_says_so_once_and_the_rest_goes_on(world: World) -> None:
    await world.apply(storage_class("standard", default=True))
    await world.apply(claim("many", accessModes=["ReadWriteMany"]))
    await world.apply(claim("fine"))
    await world.settle()
    for number in range(3):
        await world.patch(PersistentVolumeClaim, "many", {"metadata": {"labels": {"touched": str(number)}}})
        await world.settle()
    (failed,) = [event for event in await world.events() if event.reason == "ProvisioningFailed"]
    assert (failed.involved_object.name, failed.count, failed.type) == ("many", 1, "Warning")
    assert (await world.get(PersistentVolumeClaim, "fine")).status.phase == "Bound"


async def test_a_class_that_comes_later_serves_those_who_wait(world: World) -> None:
    await world.apply(claim(storageClassName="later"))
    await world.settle()
    assert (await world.get(PersistentVolumeClaim, "data")).status.phase == "Pending"
    await world.apply(storage_class("later"))
    await world.settle()
    assert (await world.get(PersistentVolumeClaim, "data")).status.phase == "Bound"


async def test_data_that_cannot_be_removed_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(Settings(node_grace_s=1e6, volume_dir=str(tmp_path)))
    await world.apply(storage_class("standard", default=True))
    await world.apply(claim())
    await world.settle()
    (made,) = await world.all(PersistentVolume, None)
    (tmp_path / made.name).mkdir()
    remove = shutil.rmtree

    def refuse(where: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "rmtree", refuse)
    await world.client.delete(PersistentVolumeClaim, "data", "default")
    await world.settle()
    (kept,) = await world.all(PersistentVolume, None)
    assert kept.metadata.deletion_timestamp
    (told,) = [event for event in await world.events() if event.reason == "VolumeFailedDelete"]
    assert told.message == "directory of the volume: Permission denied"
    monkeypatch.setattr(shutil, "rmtree", remove)
    await world.settle(seconds=10)
    assert (await world.all(PersistentVolume, None), list(tmp_path.iterdir())) == ([], [])
    world.close()
