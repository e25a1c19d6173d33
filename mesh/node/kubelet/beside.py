"""What surrounds a command that runs beside a container?"""

from pathlib import Path

from mesh.node.addresses import SIDECAR_PORTS
from mesh.node.container import RunningContainer
from mesh.node.launch import around
from mesh.node.pod import PodWorker


def surroundings(running: RunningContainer) -> tuple[dict[str, str], Path]:
    """Environment and directory: those of the container, its sidecar as http_proxy included. Raises BadSetting."""
    found = around(running.pod, running.container, running.image, running.place, running.sources)
    if not found.volumes:
        found.directory.mkdir(parents=True, exist_ok=True)
    return dict(found.env), found.directory


def address_of(worker: PodWorker, port: int) -> str:
    """Where a port of the pod is: the sidecar's own on the pod's address, all others at the application."""
    return worker.pod_ip if port in SIDECAR_PORTS else worker.app_ip
