"""What surrounds a command that runs beside a container?"""

from collections.abc import Sequence
from pathlib import Path

from mesh.node.addresses import SIDECAR_PORTS
from mesh.node.apps.shell import with_volumes
from mesh.node.container import RunningContainer
from mesh.node.launch import around
from mesh.node.pod import PodWorker
from mesh.node.read_only import Guard

TEMPORARY = "TMPDIR"


def surroundings(
    running: RunningContainer, words: Sequence[str]
) -> tuple[Sequence[str], dict[str, str], Path, Guard | None]:
    """Command, environment, directory and what guards it: those of the container, its sidecar as http_proxy included.

    Where the words name a mountPath, or /tmp of a sealed container, its directory stands there. Raises BadSetting.
    """
    found = around(
        running.pod, running.container, running.image, running.place, running.sources, running.links, typed=True
    )
    context = found.context
    if not context.volumes:
        context.volume_dir.mkdir(parents=True, exist_ok=True)
    names, env = {**found.in_place, **context.volumes}, {**found.env}
    if env.get(TEMPORARY) in found.in_place:
        env[TEMPORARY] = str(found.in_place[env[TEMPORARY]])
    return with_volumes(words, names), env, context.volume_dir, found.guard


def address_of(worker: PodWorker, port: int) -> str:
    """Where a port of the pod is: the sidecar's own on the pod's address, all others at the application."""
    return worker.pod_ip if port in SIDECAR_PORTS else worker.app_ip
