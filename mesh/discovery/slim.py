"""How little of a pod must stay in memory?

Every node process caches every pod of the mesh, for the labels behind addresses; what translation does not read is
left out.
"""

from mesh.api.core import Container, ContainerPort, Pod, PodSpec, PodStatus
from mesh.api.meta import ObjectMeta, OwnerReference


def slim_pod(pod: Pod) -> Pod:
    """A pod with its names, labels, owner, ports, node and address, and nothing else."""
    meta = pod.metadata
    owner = meta.controller
    ports = [
        ContainerPort.model_construct(name=port.name, container_port=port.container_port, protocol=port.protocol)
        for container in pod.spec.containers
        for port in container.ports or ()
    ]
    return Pod.model_construct(
        metadata=ObjectMeta.model_construct(
            name=meta.name,
            namespace=meta.namespace,
            uid=meta.uid,
            resource_version=meta.resource_version,
            labels=meta.labels,
            owner_references=[_slim_owner(owner)] if owner else None,
        ),
        spec=PodSpec.model_construct(
            containers=[Container.model_construct(name="", ports=ports)], node_name=pod.spec.node_name
        ),
        status=PodStatus.model_construct(phase=pod.status.phase, pod_ip=pod.status.pod_ip),
    )


def _slim_owner(owner: OwnerReference) -> OwnerReference:
    return OwnerReference.model_construct(
        api_version=owner.api_version, kind=owner.kind, name=owner.name, uid=owner.uid, controller=True
    )
