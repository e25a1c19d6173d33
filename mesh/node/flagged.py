"""Which fields of a pod does nobody here carry out? People are told of each, with what happens instead."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from mesh.api.core import Container, Pod
from mesh.node import hooks, probes, read_only, sealing
from mesh.node.apps.context import BadSetting
from mesh.node.images import Image
from mesh.node.launch import runs_program, working_dir
from mesh.node.order import never_ends

Line = tuple[str, str | None]
"""(what is not executed, the container that it concerns)"""


def not_executed(pod: Pod, images: Mapping[str, Image]) -> Iterator[Line]:
    """images: of every container, by name."""
    spec = pod.spec
    extra = spec.model_extra or {}
    if extra.get("hostNetwork"):
        yield "spec.hostNetwork: the pod has an address of its own as every pod here", None
    if extra.get("readinessGates"):
        yield "spec.readinessGates: not waited for", None
    for container in spec.init_containers or ():
        if container.restart_policy != "Always" and never_ends(images[container.name]):
            said = "is no program here and counts as done; with --image NAME=run the container's own command runs"
            yield f"spec.initContainers{{{container.name}}}: {container.image} {said}", container.name
        else:
            yield from _not_executed(container, images[container.name])
    for container in spec.containers:
        yield from _not_executed(container, images[container.name])


def _not_executed(container: Container, image: Image) -> Iterator[Line]:
    where, name, program = f"spec.containers{{{container.name}}}", container.name, runs_program(image)
    if container.command and not image.runs_command:
        instead = "runs as --image says" if program else "is a built-in application here; --image NAME=run runs it"
        yield f"{where}.command: {container.image} {instead}", name
    mounted = {mount.mount_path: Path() for mount in container.volume_mounts or ()}
    if container.working_dir and program and not _in_a_volume(container, mounted):
        yield (
            f"{where}.workingDir: {container.working_dir} is in no volume; programs have no other files of an image",
            name,
        )
    if program and any(mount.read_only for mount in container.volume_mounts or ()) and not read_only.possible():
        yield f"{where}.volumeMounts.readOnly: this system gives no process mounts of its own; it is not enforced", name
    if image.runs_command and not image.needs_seal and not sealing.possible():
        yield f"{where}.image: {container.image} can change your files: this system gives no process mounts", name
    for hook in (hooks.POST_START, hooks.PRE_STOP):
        if why := hooks.not_executed(container, hook, program):
            yield f"{where}.lifecycle.{hook}: {why}", name
    for port in container.ports or ():
        if port.host_port:
            instead = "is not opened on the node; use a Service of type NodePort"
            yield f"{where}.ports.hostPort: {port.host_port} {instead}", name
        if port.protocol != "TCP":
            yield f"{where}.ports.protocol: {port.protocol} port {port.container_port} is not opened, only TCP is", name
    for line in probes.refused(container, program):
        yield line, name


def _in_a_volume(container: Container, mounted: Mapping[str, Path]) -> bool:
    try:
        return working_dir(container, mounted) is not None
    except BadSetting:
        return True  # it leads out of one, and starting it will say so
