from pathlib import Path
from typing import Any

import pytest

from mesh.api.core import Container, Pod, Volume
from mesh.node.apps.context import BadSetting
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


def test_a_claim_outlives_its_pod_and_follows_it_to_another_node(tmp_path: Path, volumes: Volumes) -> None:
    mount = container({"name": "data", "mountPath": "/data"})
    first = volumes.mount(pod("u-1", CLAIM), mount)
    (first["/data"] / "file").write_text("kept")
    volumes.forget(pod("u-1", CLAIM))
    again = Volumes(tmp_path / "volumes", tmp_path / "nodes" / "node-2").mount(pod("u-2", CLAIM), mount)
    assert (again["/data"] / "file").read_text() == "kept"
    assert first["/data"] == tmp_path / "volumes" / "shop" / "data-kv-0"


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
        pytest.param({"persistentVolumeClaim": {"claimName": "../x"}}, "cannot be part", id="claim with a slash"),
        pytest.param({"persistentVolumeClaim": {"claimName": ".."}}, "cannot be part", id="claim up"),
        pytest.param({"persistentVolumeClaim": {}}, "cannot be part", id="claim without a name"),
        pytest.param({"hostPath": {"path": "/a\0b"}}, "cannot be part", id="null byte"),
        pytest.param(
            {"configMap": {"name": "c"}}, "only emptyDir, hostPath and persistentVolumeClaim", id="config map"
        ),
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
    with pytest.raises(BadSetting, match=r"volume directory 'host/f': File exists"):
        volumes.directory(pod(), Volume(name="v", host_path={"path": "/f"}))
