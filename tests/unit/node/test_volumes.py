from pathlib import Path
from typing import Any

import pytest

from mesh.api.core import Container, Pod, Volume
from mesh.node import swap
from mesh.node.apps.context import BadSetting
from mesh.node.contents import File
from mesh.node.directories import Where
from mesh.node.volumes import Volumes

CLAIM = {"name": "data", "persistentVolumeClaim": {"claimName": "data-kv-0"}}
EMPTY: dict[str, Any] = {"name": "tmp", "emptyDir": {}}


def pod(uid: str = "u-1", *volumes: dict[str, Any]) -> Pod:
    return Pod.model_validate(
        {"metadata": {"name": "kv-0", "namespace": "shop", "uid": uid}, "spec": {"volumes": list(volumes)}}
    )


def container(*mounts: dict[str, Any]) -> Container:
    return Container.model_validate({"name": "app", "volumeMounts": list(mounts)})


@pytest.fixture
def volumes(tmp_path: Path) -> Volumes:
    return Volumes(tmp_path / "volumes", tmp_path / "nodes" / "node-1")


def test_a_claim_is_where_somebody_found_it(volumes: Volumes) -> None:
    mount = container({"name": "data", "mountPath": "/data"})
    with pytest.raises(BadSetting, match="volume 'data' is not mounted"):
        volumes.mount(pod("u-1", CLAIM), mount)
    volumes.keep(pod("u-1", CLAIM), {"data": Where(volumes.shared_dir, ("pv-1",), read_only=True)})
    assert volumes.mount(pod("u-1", CLAIM), mount)["/data"] == volumes.shared_dir / "pv-1"
    assert volumes.read_only(pod("u-1", CLAIM), mount) == {"/data"}
    volumes.forget(pod("u-1", CLAIM))
    assert (volumes.shared_dir / "pv-1").is_dir()
    with pytest.raises(BadSetting):
        volumes.directory(pod("u-1", CLAIM), Volume.model_validate(CLAIM))


def test_a_mount_may_be_read_only(volumes: Volumes) -> None:
    mounts = container({"name": "tmp", "mountPath": "/a", "readOnly": True}, {"name": "tmp", "mountPath": "/b"})
    assert volumes.read_only(pod("u-1", EMPTY), mounts) == {"/a"}


def test_a_volume_of_no_kind_is_empty(volumes: Volumes) -> None:
    where = volumes.directory(pod(), Volume(name="v"))
    assert where == volumes.pod_dir(pod()) / "empty" / "v"


def test_a_sub_path_may_be_named_by_the_environment(volumes: Volumes) -> None:
    mount = container({"name": "tmp", "mountPath": "/a", "subPathExpr": "$(POD)/x"})
    where = volumes.mount(pod("u-1", EMPTY), mount, {"POD": "kv-0"})["/a"]
    assert where.parts[-2:] == ("kv-0", "x")


def test_a_sub_path_of_files_from_the_api_is_a_copy(volumes: Volumes) -> None:
    place = Where(volumes.pod_dir(pod()), ("files", "c"), read_only=True, swapped=True)
    volumes.keep(pod(), {"c": place})
    swap.write(place.path, {"a/b": File(b"old", 0o644)})
    mount = container(
        {"name": "c", "mountPath": "/etc/b", "subPath": "a/b"}, {"name": "c", "mountPath": "/a", "subPath": "a"}
    )
    wanted = pod("u-1", {"name": "c", "configMap": {"name": "x"}})
    found = volumes.mount(wanted, mount, starts=True)
    swap.write(place.path, {"a/b": File(b"new", 0o644)})
    assert volumes.mount(wanted, mount) == found
    assert (found["/etc/b"].read_text(), (found["/a"] / "b").read_text()) == ("old", "old")
    again = volumes.mount(wanted, mount, starts=True)
    assert (again["/etc/b"].read_text(), (again["/a"] / "b").read_text()) == ("new", "new")
    with pytest.raises(BadSetting, match="cannot be part"):
        volumes.mount(wanted, container({"name": "c", "mountPath": "/x", "subPathExpr": "$(UP)/x"}), {"UP": ".."})
    with pytest.raises(BadSetting, match="failed to prepare subPath for volumeMount /x: no z in the volume"):
        volumes.mount(wanted, container({"name": "c", "mountPath": "/x", "subPath": "z"}))


def test_an_empty_dir_dies_with_its_pod(volumes: Volumes) -> None:
    where = volumes.mount(pod("u-1", EMPTY), container({"name": "tmp", "mountPath": "/tmp"}))["/tmp"]
    (where / "file").write_text("gone")
    other = volumes.mount(pod("u-2", EMPTY), container({"name": "tmp", "mountPath": "/tmp"}))["/tmp"]
    volumes.forget(pod("u-1", EMPTY))
    assert (where.exists(), other.exists()) == (False, True)


def test_pods_that_are_no_longer_here_leave_nothing(volumes: Volumes) -> None:
    made = [volumes.mount(pod(uid, EMPTY), container({"name": "tmp", "mountPath": "/t"}))["/t"] for uid in ("a", "b")]
    volumes.keep_only({"b"})
    assert [where.exists() for where in made] == [False, True]


def test_a_host_path_stays_below_the_nodes_directory(volumes: Volumes) -> None:
    where = volumes.directory(pod(), Volume(name="v", host_path={"path": "/var/log"}))
    assert where == volumes.node_dir / "host" / "var" / "log"


def test_a_sub_path_and_the_order_of_mounts(volumes: Volumes) -> None:
    mounts = container(
        {"name": "tmp", "mountPath": "/b", "subPath": "x/y"},
        {"name": "tmp", "mountPath": "/a"},
    )
    found = volumes.mount(pod("u-1", EMPTY), mounts)
    assert list(found) == ["/b", "/a"]
    assert found["/b"] == found["/a"] / "x" / "y"


def test_scratch_is_not_made(volumes: Volumes) -> None:
    assert not volumes.scratch(pod(), container()).exists()


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        pytest.param({"hostPath": {"path": "/../../etc"}}, r"'\.\.' cannot be part", id="up"),
        pytest.param({"hostPath": {"path": "/a\0b"}}, "cannot be part", id="null byte"),
        pytest.param({"nfs": {"server": "s", "path": "/"}}, "is not mounted", id="of another kind"),
    ],
)
def test_what_is_refused(volumes: Volumes, volume: dict[str, Any], message: str) -> None:
    with pytest.raises(BadSetting, match=message):
        volumes.directory(pod(), Volume.model_validate({"name": "v", **volume}))
    assert not list(volumes.node_dir.parent.parent.glob("**/*"))


def test_a_mount_without_a_volume(volumes: Volumes) -> None:
    with pytest.raises(BadSetting, match="no volume named 'data'"):
        volumes.mount(pod(), container({"name": "data", "mountPath": "/d"}))


def test_a_link_that_leads_out_is_not_followed(tmp_path: Path, volumes: Volumes) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (volumes.node_dir / "host").mkdir(parents=True)
    (volumes.node_dir / "host" / "link").symlink_to(outside)
    with pytest.raises(BadSetting, match="leads out of the state directory"):
        volumes.directory(pod(), Volume(name="v", host_path={"path": "/link/new"}))
    assert list(outside.iterdir()) == []


def test_a_file_in_the_way_is_a_clear_refusal(volumes: Volumes) -> None:
    (volumes.node_dir / "host").mkdir(parents=True)
    (volumes.node_dir / "host" / "f").write_text("")
    with pytest.raises(BadSetting, match=r"volume directory 'host/f/x': Not a directory"):
        volumes.directory(pod(), Volume(name="v", host_path={"path": "/f/x"}))
