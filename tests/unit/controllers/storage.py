"""Claims, volumes, classes and pods for tests, as JSON; and time without a heartbeat."""

from typing import Any

from mesh.controllers.nodes import NodeController
from tests.unit.controllers.world import World

Json = dict[str, Any]


def storage_class(
    name: str, *, default: bool = False, provisioner: str = "loopmesh.io/directory", kind: str = "directory",
    **fields: Any,
) -> Json:  # fmt: skip
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "annotations": annotations},
        "provisioner": provisioner,
        "allowVolumeExpansion": True,
        **({"parameters": {"kind": kind}} if provisioner == "loopmesh.io/directory" else {}),
        **fields,
    }


def claim(name: str = "data", *, storage: str = "1Gi", **spec: Any) -> Json:
    resources = {"requests": {"storage": storage}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": resources, **spec},
    }


def volume(name: str = "v", *, storage: str = "1Gi", node: str = "", labels: Any = None, **spec: Any) -> Json:
    if node:
        expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}
    source = {} if {"csi", "local", "nfs"} & set(spec) else {"hostPath": {"path": "/data"}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"capacity": {"storage": storage}, "accessModes": ["ReadWriteOnce"], **source, **spec},
    }


def with_claim(name: str, claim: str = "data", **spec: Any) -> Json:
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "i"}], "volumes": volumes, **spec},
    }


def bound_pod(name: str, node: str, claim: str = "data") -> Json:
    """A pod that only that node takes."""
    return with_claim(name, claim, nodeSelector={"kubernetes.io/hostname": node})


async def silence(world: World, seconds: float, *beating: str) -> None:
    """So long only these nodes are heard of."""
    (nodes,) = [found for found in world.manager.controllers if isinstance(found, NodeController)]
    for number in range(round(seconds / nodes.tick_s)):
        world.clock.at += nodes.tick_s
        if number % round(1 / nodes.tick_s) == 0:
            await world.beat(*beating)
        nodes.tick()
        await world.settle(seconds=0)
