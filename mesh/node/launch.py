"""What is started when a container starts, and what does it find around it?"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from mesh.api.core import Container, Pod
from mesh.client.base import Client
from mesh.node import environment, last_words, pod_dns, read_only, sealing
from mesh.node.apps.context import AppContext, BadSetting
from mesh.node.apps.serving import Listening
from mesh.node.apps.start import Start
from mesh.node.directories import inside, parts_of
from mesh.node.image_store import ImageStore
from mesh.node.images import Image, repository
from mesh.node.kubelet.journal import Journal
from mesh.node.process import Program
from mesh.node.service_links import NO_LINKS
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

    dns: ADDRESS:PORT of the mesh's DNS; nameserver: its address in the cluster.
    """

    address: str
    pod_ip: str
    host_ip: str
    proxy: str
    dns: str
    nameserver: str
    log_dir: Path
    volumes: Volumes
    images: ImageStore
    clock: Clock
    client: Client


@dataclass(frozen=True, slots=True)
class Around:
    """What a container finds around it.

    own: the environment of its manifest.  env: that with what a program finds besides.  start: how it begins as a
    child process; None for a built-in application.  guard: keeps a process from what is read-only.  in_place: which
    directories of the container's own a sealed one finds in place of the machine's.
    """

    own: Mapping[str, str]
    env: Mapping[str, str]
    context: AppContext
    start: Start | None
    guard: read_only.Guard | None = None
    in_place: Mapping[str, Path] = field(default_factory=dict)


def runs_program(image: Image) -> bool:
    """Whether a child process runs."""
    return bool(image.command) or image.runs_command


def working_dir(container: Container, volumes: Mapping[str, Path]) -> Path | None:
    """Where the container wants to start, if that is in a volume: no other path of an image is here."""
    for mount, where in volumes.items():
        wanted, top = container.working_dir or "", mount.rstrip("/")
        if wanted.rstrip("/") == top or wanted.startswith(f"{top}/"):
            return inside(where, parts_of(wanted[len(top) :]))
    return None


def around(
    pod: Pod, container: Container, image: Image, place: Place, sources: Sources,
    links: Mapping[str, str] = NO_LINKS, starts: bool = False, typed: bool = False,
) -> Around:  # fmt: skip
    """links: what a program finds of services.  starts: the container starts now, and is not merely joined.

    typed: a person gave the words, and may do what a person may.  Raises BadSetting, OSError.
    """
    own = environment.container_env(container, pod, place.pod_ip, place.host_ip, sources, links)
    known = {**links, **own} if links else own
    command = tuple(environment.expand(word, known) for word in container.command or ())
    args = tuple(environment.expand(arg, known) for arg in container.args or ())
    declared = tuple(port.container_port for port in container.ports or () if port.protocol == "TCP")
    volumes, scratch = place.volumes.mount(pod, container, own, starts), place.volumes.scratch(pod, container)
    fixed = place.volumes.read_only(pod, container)
    context = AppContext(
        pod_name=pod.name,
        pod_ip=place.pod_ip,
        node_name=pod.spec.node_name or "",
        namespace=pod.namespace,
        container_name=container.name,
        image=container.image,
        address=place.address,
        ports=declared if runs_program(image) else image.ports(declared, args),
        volume_dir=next(iter(volumes.values()), scratch),
        volumes=volumes,
        labels=pod.metadata.label_map,
        args=args,
        scratch_dir=scratch,
        dns=place.dns,
        read_only=fixed,
        volume_read_only=next(iter(volumes), None) in fixed,
    )
    end = last_words.file_of(place.volumes, pod, container)
    if image.runs_command:
        # Its words may name the file, as they may name what is mounted.
        named = replace(context, volumes={last_words.path_in(container): end, **volumes})
        start = image.start(command, args, named)
    else:
        start = image.start(command, args, context)
    if start is None and starts:
        return Around(own, own, context, None)
    given = _given(pod, container, place, context)
    if starts:
        given |= last_words.begin(end)
    in_place = _in_place(pod, container, image, place, context)
    if in_place:
        given["TMPDIR"] = sealing.OWN[0]
    env = {**links, **given, **(start.env if start else {}), **own}
    guard = read_only.guard([volumes[mount] for mount in fixed])
    if in_place and not typed:
        guard = sealing.seal(_room(pod, container, image, place, context, in_place))
    return Around(own, env, context, start, guard, in_place)


def _in_place(pod: Pod, container: Container, image: Image, place: Place, context: AppContext) -> Mapping[str, Path]:
    """What a sealed container has in place of directories of the machine; empty for others. Raises BadSetting."""
    if not image.runs_command:
        return {}
    if not sealing.possible():
        if image.needs_seal:
            name = repository(image.reference)
            raise BadSetting(
                f"{name} runs the container's command on this machine, as you, and this system gives no process mounts "
                f"of its own, which would keep it from your files; to run it all the same: mesh up --image {name}=run"
            )
        return {}
    return {
        path: mounted
        if (mounted := context.volumes.get(path)) and path not in context.read_only and mounted.is_dir()
        else place.volumes.own(pod, container, path.rpartition("/")[2])
        for path in sealing.OWN
    }


def _room(
    pod: Pod, container: Container, image: Image, place: Place, context: AppContext, in_place: Mapping[str, Path]
) -> sealing.Room:
    volumes, scratch = place.volumes, place.volumes.scratch(pod, container)
    scratch.mkdir(parents=True, exist_ok=True)
    free = [where for path, where in context.volumes.items() if path not in context.read_only]
    roots = [volumes.shared_dir, volumes.node_dir]
    return sealing.Room(
        writable=[*free, scratch, last_words.file_of(volumes, pod, container)],
        fixed=[context.volumes[path] for path in context.read_only],
        own=in_place,
        roots=roots,
        seen=[*roots, *([image.tools] if image.tools else [])],
        empty=volumes.own(pod, container, "nothing"),
    )


def _given(pod: Pod, container: Container, place: Place, context: AppContext) -> dict[str, str]:
    """What a program finds without asking for it."""
    named: dict[str, Path] = {}
    for mount in container.volume_mounts or ():
        named.setdefault(mount.name, context.volumes[mount.mount_path])
    given = environment.program_env(
        pod, address=place.address, ports=context.ports, pod_ip=place.pod_ip, proxy=place.proxy,
        volumes=context.volumes, named=named,
    )  # fmt: skip
    return given | pod_dns.prepare(pod, place.volumes.pod_dir(pod), place.pod_ip, place.nameserver, place.dns)


async def launch(
    pod: Pod, container: Container, image: Image, place: Place, sources: Sources, links: Mapping[str, str],
    journal: Journal,
) -> Work:  # fmt: skip
    """Start the container's application or program. Raises BadSetting, OSError."""
    found = around(pod, container, image, place, sources, links, starts=True)
    if found.start is not None:
        words, folder = found.start.words, working_dir(container, found.context.volumes) or found.start.folder
        return await Program.start(words, found.env, journal.begin_file(), folder, found.guard)
    app = image.build(found.own, found.context)
    return await Listening.open(app, place.address, found.context.ports, journal.begin_memory())
