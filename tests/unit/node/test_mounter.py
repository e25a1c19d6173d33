"""Volumes of pods on a real node agent: found, waited for, renewed, limited and given back."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from mesh.api import scheme
from mesh.api.config import ConfigMap, Secret
from mesh.api.core import Node, Pod
from mesh.api.meta import ObjectMeta
from mesh.node import mounter

CLAIM = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
MOUNT = [{"name": "data", "mountPath": "/data"}]
DISK = "kubernetes.io/csi/loopmesh.io/directory^pv-data"


def config(world: Any, name: str = "c", **data: str) -> Any:
    return world.client.create(ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data=data))


async def eventually(holds: Any, within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while not await holds():
            await asyncio.sleep(0.01)


def folder(agent: Any, name: str, kind: str = "files") -> Path:
    (worker,) = agent.pods
    return Path(worker.host.volumes.pod_dir(worker.pod)) / kind / name


async def test_a_claims_directory_is_its_volumes(world: Any) -> None:
    agent = await world.node()
    await world.claim()
    world.make(volumes=CLAIM, volumeMounts=MOUNT)
    await world.ready()
    assert (world.folder / "volumes" / "pv-data").is_dir()
    assert not agent.pods[0].host.volumes.read_only(agent.pods[0].pod, agent.pods[0].pod.spec.containers[0])


@pytest.mark.parametrize("modes", [("ReadOnlyMany",), ("ReadWriteMany", "ReadOnlyMany")])
async def test_what_can_only_be_read_is_mounted_so(world: Any, modes: tuple[str, ...]) -> None:
    agent = await world.node()
    await world.claim(modes=modes)
    world.make(volumes=CLAIM, volumeMounts=MOUNT)
    await world.ready()
    worker = agent.pods[0]
    found = worker.host.volumes.read_only(worker.pod, worker.pod.spec.containers[0])
    assert found == ({"/data"} if modes == ("ReadOnlyMany",) else set())


async def test_a_pod_waits_for_its_claim_and_says_so(world: Any) -> None:
    await world.node()
    world.make(volumes=CLAIM, volumeMounts=MOUNT)
    (event, *_) = await world.events("FailedMount")
    assert event.message == (
        "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process "
        "volumes=[data]: error processing PVC default/data: failed to fetch PVC from API server: "
        'persistentvolumeclaims "data" not found'
    )
    pod = await world.until(lambda pod: pod.status.container_statuses)
    assert (pod.status.container_statuses[0].state.waiting or {})["reason"] == "ContainerCreating"
    await world.claim()
    await world.ready()


async def test_a_disk_is_used_only_once_it_is_attached(world: Any) -> None:
    agent = await world.node()

    async def node() -> Node:
        return await world.client.get(Node, "node-1")

    assert (await node()).status.volumes_in_use == []
    await world.claim(csi={"driver": "loopmesh.io/directory", "volumeHandle": "pv-data"})
    world.make(volumes=CLAIM, volumeMounts=MOUNT, terminationGracePeriodSeconds=1)

    async def used() -> bool:
        return (await node()).status.volumes_in_use == [DISK]

    await eventually(used)
    await asyncio.sleep(0.1)
    assert not (await world.pod()).ready
    attached = {"status": {"volumesAttached": [{"name": DISK, "devicePath": ""}]}}
    await world.client.patch(Node, "node-1", attached, subresource="status")
    await world.ready()
    await world.client.delete(Pod, "web", "default")

    async def free() -> bool:
        return (await node()).status.volumes_in_use == [] and not agent.pods

    await eventually(free)
    await world.gone()


async def test_a_disk_that_is_never_attached_is_told(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounter, "LONG_S", 0.1)
    await world.node()
    await world.claim(csi={"driver": "loopmesh.io/directory", "volumeHandle": "pv-data"})
    world.make(volumes=CLAIM, volumeMounts=MOUNT)
    (event, *_) = await world.events("FailedMount")
    assert "unmounted volumes=[data]" in event.message
    assert "timed out waiting for the condition" in event.message


async def test_a_job_that_is_done_uses_its_disk_no_longer(world: Any) -> None:
    await world.node(images={"job": f"{sys.executable} -c pass"})
    await world.claim(csi={"driver": "loopmesh.io/directory", "volumeHandle": "pv-data"})
    attached = {"status": {"volumesAttached": [{"name": DISK, "devicePath": ""}]}}
    await world.client.patch(Node, "node-1", attached, subresource="status")
    world.make(image="job", restartPolicy="Never", volumes=CLAIM, volumeMounts=MOUNT)
    await world.until(lambda pod: pod.status.phase == "Succeeded")

    async def free() -> bool:
        return (await world.client.get(Node, "node-1")).status.volumes_in_use == []

    await eventually(free)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param({"nfs": {"server": "s", "path": "/"}}, "only csi with driver loopmesh.io/directory", id="nfs"),
        pytest.param({"csi": {"driver": "ebs", "volumeHandle": "v"}}, "only csi with driver", id="another driver"),
        pytest.param(
            {"hostPath": {"path": "/x", "type": "Directory"}}, "hostPath type check failed: /x is not a directory",
            id="a directory that is not there",
        ),
    ],
)  # fmt: skip
async def test_a_volume_that_cannot_be_mounted_says_why(world: Any, source: dict[str, Any], message: str) -> None:
    await world.node()
    await world.claim(**source)
    world.make(volumes=CLAIM, volumeMounts=MOUNT)
    (event, *_) = await world.events("FailedMount")
    assert event.message.startswith('MountVolume.SetUp failed for volume "data" : ')
    assert message in event.message


async def test_a_volume_on_the_node(world: Any) -> None:
    agent = await world.node()
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["node-1"]}
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}}
    await world.claim(local={"path": "/mnt/disk"}, nodeAffinity=affinity)
    world.make(volumes=CLAIM, volumeMounts=MOUNT)
    await world.ready()
    assert (agent.pods[0].host.volumes.node_dir / "host" / "mnt" / "disk").is_dir()


async def test_a_pod_that_moved_finds_nothing_and_is_told_why(world: Any) -> None:
    left = world.folder / "nodes" / "node-0" / "host" / "var" / "data"
    left.mkdir(parents=True)
    (left / "file").touch()
    await world.node()
    world.make(volumes=[{"name": "data", "hostPath": {"path": "/var/data"}}], volumeMounts=MOUNT)
    await world.ready()
    (event,) = await world.events("EmptyHostPath")
    assert event.message == (
        'volume "data": hostPath /var/data is new and empty on node-1; node-0 has it, but a hostPath belongs to its '
        "node and did not move with the pod"
    )


async def test_a_host_path_that_must_be_there(world: Any) -> None:
    agent = await world.node()
    world.make(volumes=[{"name": "data", "hostPath": {"path": "/d", "type": "Directory"}}], volumeMounts=MOUNT)
    (event, *_) = await world.events("FailedMount")
    assert event.message == (
        'MountVolume.SetUp failed for volume "data" : hostPath type check failed: /d is not a directory'
    )
    (agent.pods[0].host.volumes.node_dir / "host" / "d").mkdir(parents=True)
    await world.ready()


async def test_files_of_objects_appear_and_follow_them(world: Any) -> None:
    agent = await world.node()
    await config(world, a="1")
    secret = Secret(metadata=ObjectMeta(name="s", namespace="default"), data={"key": "a2V5"})
    await world.client.create(secret)
    fields = [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
    world.make(
        volumes=[
            {"name": "c", "configMap": {"name": "c"}},
            {"name": "s", "secret": {"secretName": "s", "defaultMode": 256}},
            {"name": "d", "downwardAPI": {"items": fields}},
        ],
        volumeMounts=[{"name": "c", "mountPath": "/c"}],
    )
    await world.ready()
    assert (folder(agent, "c") / "a").read_text() == "1"
    assert (folder(agent, "s") / "key").read_text() == "key"
    await world.client.patch(ConfigMap, "c", {"data": {"a": "2", "b": "3"}}, "default")
    await world.client.patch(Pod, "web", {"metadata": {"labels": {"app": "other"}}}, "default")

    async def renewed() -> bool:
        return (folder(agent, "c") / "b").exists() and (folder(agent, "d") / "labels").read_text() == 'app="other"'

    await eventually(renewed)
    assert (folder(agent, "c") / "a").read_text() == "2"
    await world.client.delete(ConfigMap, "c", "default")
    await asyncio.sleep(0.1)
    assert (folder(agent, "c") / "a").read_text() == "2", "what is deleted stays where it is mounted"


async def test_a_pod_waits_for_an_object(world: Any) -> None:
    await world.node()
    world.make(volumes=[{"name": "c", "configMap": {"name": "c"}}], volumeMounts=[{"name": "c", "mountPath": "/c"}])
    (event, *_) = await world.events("FailedMount")
    assert event.message == 'MountVolume.SetUp failed for volume "c" : configmap "c" not found'
    await config(world, a="1")
    await world.ready()


async def test_a_pod_that_writes_too_much_is_evicted(world: Any) -> None:
    agent = await world.node()
    world.make(
        volumes=[{"name": "tmp", "emptyDir": {"sizeLimit": "1Ki"}}], volumeMounts=[{"name": "tmp", "mountPath": "/t"}]
    )
    await world.ready()
    (folder(agent, "tmp", "empty") / "file").write_bytes(b"x" * 1025)
    pod = await world.until(lambda pod: pod.status.phase == "Failed")
    said = 'Usage of EmptyDir volume "tmp" exceeds the limit "1Ki". '
    assert (pod.status.reason, pod.status.message) == ("Evicted", said)
    (event,) = await world.events("Evicted")
    assert (event.type, event.message) == ("Warning", said)


async def test_an_empty_dir_outlives_a_restart_of_a_container(world: Any) -> None:
    code = "import os; open(os.environ['VOLUME_TMP'] + '/n', 'a').write('x')"
    agent = await world.node(images={"app": f'{sys.executable} -c "{code}"'})
    world.make(image="app", volumes=[{"name": "tmp"}], volumeMounts=[{"name": "tmp", "mountPath": "/t"}])
    await world.until(lambda pod: pod.status.container_statuses and pod.status.container_statuses[0].restart_count > 1)
    assert len((folder(agent, "tmp", "empty") / "n").read_text()) >= 2


async def test_a_kind_that_is_not_executed_keeps_the_pod_waiting(world: Any) -> None:
    await world.node()
    kind = scheme.BY_NAME["pods"]
    body = {"nodeName": "node-1", "containers": [{"name": "app", "image": "httpd"}],
            "volumes": [{"name": "x", "nfs": {"server": "s", "path": "/"}}]}  # fmt: skip
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "default"}, "spec": body}
    world.registry.create(kind, pod, "default")
    (event, *_) = await world.events("FailedMount")
    assert "only emptyDir, hostPath, persistentVolumeClaim" in event.message


async def test_a_pod_that_waits_for_a_volume_may_run_out_of_time(world: Any, sidecars: Any) -> None:
    made = sidecars()
    await world.node(sidecars=made)
    world.make(volumes=CLAIM, volumeMounts=MOUNT, activeDeadlineSeconds=1)
    pod = await world.until(lambda pod: pod.status.phase == "Failed")
    assert pod.status.reason == "DeadlineExceeded"
    await world.claim()
    await asyncio.sleep(0.5)
    assert made == [], "nothing starts any more"
