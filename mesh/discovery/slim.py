"""How little of a pod must stay in memory?

Every node process caches every pod of the mesh, for the labels behind addresses; what translation does not read is
left out.
"""

from functools import lru_cache
from typing import TypeVar

from pydantic import BaseModel

from mesh.api.core import Container, ContainerPort, Pod, PodSpec, PodStatus
from mesh.api.meta import ObjectMeta, OwnerReference

M = TypeVar("M", bound=BaseModel)
REMEMBERED = 512
_SET: dict[type[BaseModel], set[str]] = {}


def slim_pod(pod: Pod) -> Pod:
    """A pod with its names, labels, owner, ports, node and address, and nothing else."""
    meta = pod.metadata
    owner = meta.controller
    ports = tuple(
        (port.name, port.container_port, port.protocol)
        for container in pod.spec.containers
        for port in container.ports or ()
    )
    return _made(
        Pod,
        metadata=_made(
            ObjectMeta,
            name=meta.name,
            namespace=meta.namespace,
            uid=meta.uid,
            resource_version=meta.resource_version,
            labels=_labels(tuple(meta.labels.items())) if meta.labels else meta.labels,
            owner_references=_owners(owner.api_version, owner.kind, owner.name, owner.uid) if owner else None,
        ),
        spec=_spec(ports, pod.spec.node_name),
        status=_made(PodStatus, phase=pod.status.phase, pod_ip=pod.status.pod_ip),
    )


# Pods of one template are alike but for their names and addresses: what is alike is one object. Nobody changes it.


@lru_cache(maxsize=REMEMBERED)
def _labels(items: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return dict(items)


@lru_cache(maxsize=REMEMBERED)
def _owners(api_version: str, kind: str, name: str, uid: str) -> list[OwnerReference]:
    return [_made(OwnerReference, api_version=api_version, kind=kind, name=name, uid=uid, controller=True)]


@lru_cache(maxsize=REMEMBERED)
def _spec(ports: tuple[tuple[str | None, int, str], ...], node_name: str | None) -> PodSpec:
    listed = [_made(ContainerPort, name=name, container_port=port, protocol=protocol) for name, port, protocol in ports]
    return _made(PodSpec, containers=[_made(Container, name="", ports=listed)], node_name=node_name)


def _made(cls: type[M], **values: object) -> M:
    """The model, which remembers no more of its making than all of its kind do."""
    return cls.model_construct(_SET.setdefault(cls, set(values)), **values)
