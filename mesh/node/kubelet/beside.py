"""What surrounds a command that runs beside a container?"""

from pathlib import Path

from mesh.node import environment
from mesh.node.addresses import SIDECAR_PORTS
from mesh.node.container import RunningContainer
from mesh.node.pod import PodWorker


def surroundings(running: RunningContainer) -> tuple[dict[str, str], Path]:
    """Environment and directory: those of the container, its sidecar as http_proxy included. Raises BadSetting."""
    container, pod, place = running.container, running.pod, running.place
    declared = tuple(port.container_port for port in container.ports or () if port.protocol == "TCP")
    volumes = place.volumes.mount(pod, container)
    directory = next(iter(volumes.values()), None)
    if directory is None:
        directory = place.volumes.scratch(pod, container)
        directory.mkdir(parents=True, exist_ok=True)
    given = environment.program_env(
        pod,
        address=place.address,
        ports=declared if running.image.command else running.image.ports(declared, container.args or ()),
        pod_ip=place.pod_ip,
        proxy=place.proxy,
        volumes=volumes,
    )
    own = environment.container_env(container, pod, place.pod_ip, place.host_ip, running.sources)
    return {**given, **own}, directory


def address_of(worker: PodWorker, port: int) -> str:
    """Where a port of the pod is: the sidecar's own on the pod's address, all others at the application."""
    return worker.pod_ip if port in SIDECAR_PORTS else worker.app_ip
