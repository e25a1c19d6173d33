"""What does a pod need of its node, and what stands beside it?"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mesh.api.core import Pod
from mesh.client.base import Client
from mesh.node.events import Recorder
from mesh.node.image_store import ImageStore
from mesh.node.mounter import Mounter
from mesh.node.status_writer import StatusWriter
from mesh.node.volumes import Volumes
from mesh.runtime.clock import Clock
from mesh.runtime.tasks import Tasks

INJECT = "sidecar.istio.io/inject"


class Sidecar(Protocol):
    """The proxy beside a pod, handed in by the emulator."""

    async def start(self) -> None:
        """Bind and have a configuration. Raises BindError."""
        ...

    async def drain(self, timeout_s: float) -> None:
        """Finish what is in flight, telling clients to come on another connection."""
        ...

    async def stop(self) -> None: ...


SidecarFactory = Callable[[Pod, str, str], Sidecar]
"""(pod, its address, the application's address) -> a sidecar that has not started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSettings:
    """What may be tuned about pods."""

    linger_s: float = 0.3
    """How long a pod that was told to go keeps serving as before, so that every proxy learns of it first."""

    drain_s: float = 5.0
    """How long its sidecar may then finish what is in flight before the application is told to stop: Istio's 5 s."""

    backoff_base_s: float = 10.0
    backoff_cap_s: float = 300.0
    """Between two starts of a container that fails: the kubelet's 10 s doubling to 5 minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What a pod needs of its node. dns: ADDRESS:PORT of the mesh's DNS; nameserver: its address in the cluster."""

    client: Client
    clock: Clock
    tasks: Tasks
    recorder: Recorder
    statuses: StatusWriter
    images: ImageStore
    volumes: Volumes
    mounter: Mounter
    sidecars: SidecarFactory | None
    log_dir: Path
    node_ip: str
    dns: str
    nameserver: str
    settings: PodSettings


def meshed(pod: Pod) -> bool:
    """Whether a sidecar stands beside the pod: unless its label or annotation says `false`."""
    written = pod.metadata.annotation_map.get(INJECT) or pod.metadata.label_map.get(INJECT) or "true"
    return written.lower() != "false"
