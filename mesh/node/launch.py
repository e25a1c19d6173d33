"""What is started when a container starts, and what does it find around it?"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mesh.api.core import Container, Pod
from mesh.client.base import Client
from mesh.node import environment
from mesh.node.apps.context import AppContext
from mesh.node.apps.serving import Listening
from mesh.node.image_store import ImageStore
from mesh.node.images import Image
from mesh.node.kubelet.journal import Journal
from mesh.node.process import Program
from mesh.node.sources import Sources
from mesh.node.volumes import Volumes
from mesh.runtime.clock import Clock


class Work(Protocol):
    """What runs: `Listening` or `Program`."""

    async def wait(self) -> int: ...

    async def stop(self, grace_s: float) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a container runs. address: where it listens.  proxy: URL of the pod's sidecar, empty without one.

    dns: ADDRESS:PORT of the mesh's DNS.
    """

    address: str
    pod_ip: str
    host_ip: str
    proxy: str
    dns: str
    log_dir: Path
    volumes: Volumes
    images: ImageStore
    clock: Clock
    client: Client


@dataclass(frozen=True, slots=True)
class Around:
    """What a container finds around it. env: that of its manifest, with what a program finds besides.

    volumes: mountPath -> directory.  directory: the first of them, else one of the container's own, which need not
    exist.  args, command: the container's own, with variables filled in.
    """

    own: Mapping[str, str]
    env: Mapping[str, str]
    volumes: Mapping[str, Path]
    directory: Path
    command: tuple[str, ...]
    args: tuple[str, ...]
    ports: tuple[int, ...]


def runs_program(image: Image) -> bool:
    """Whether a child process runs."""
    return bool(image.command) or image.runs_command


def around(
    pod: Pod, container: Container, image: Image, place: Place, sources: Sources, starts: bool = False
) -> Around:
    """starts: the container starts now, and is not merely joined. Raises BadSetting."""
    own = environment.container_env(container, pod, place.pod_ip, place.host_ip, sources)
    command = tuple(environment.expand(word, own) for word in container.command or ())
    args = tuple(environment.expand(arg, own) for arg in container.args or ())
    declared = tuple(port.container_port for port in container.ports or () if port.protocol == "TCP")
    ports = declared if runs_program(image) else image.ports(declared, args)
    volumes = place.volumes.mount(pod, container, own, starts)
    named: dict[str, Path] = {}
    for mount in container.volume_mounts or ():
        named.setdefault(mount.name, volumes[mount.mount_path])
    given = environment.program_env(
        pod, address=place.address, ports=ports, pod_ip=place.pod_ip, proxy=place.proxy, volumes=volumes, named=named
    )
    directory = next(iter(volumes.values()), place.volumes.scratch(pod, container))
    return Around(own, {**given, **own}, volumes, directory, command, args, ports)


async def launch(
    pod: Pod, container: Container, image: Image, place: Place, sources: Sources, journal: Journal
) -> Work:
    """Start the container's application or program. Raises BadSetting, OSError."""
    found = around(pod, container, image, place, sources, starts=True)
    read_only = place.volumes.read_only(pod, container)
    context = AppContext(
        pod_name=pod.name,
        pod_ip=place.pod_ip,
        node_name=pod.spec.node_name or "",
        namespace=pod.namespace,
        container_name=container.name,
        image=container.image,
        address=place.address,
        ports=found.ports,
        volume_dir=found.directory,
        volumes=found.volumes,
        labels=pod.metadata.label_map,
        args=found.args,
        scratch_dir=place.volumes.scratch(pod, container),
        dns=place.dns,
        read_only=read_only,
        volume_read_only=next(iter(found.volumes), None) in read_only,
    )
    start = image.start(found.command, found.args, context)
    if start is not None:
        env = {**found.env, **start.env, **found.own}
        return await Program.start(start.words, env, journal.begin_file(), start.folder)
    app = image.build(found.own, context)
    return await Listening.open(app, place.address, found.ports, journal.begin_memory())
