"""How does a command start a mesh and wait until it can be used, and how does it stop one?"""

import contextlib
import fcntl
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mesh.cli import manifests, readiness, rest, state
from mesh.cli.apply import apply_manifests
from mesh.cli.blocks import take_block
from mesh.cli.ending import STOP_S
from mesh.cli.errors import UserError
from mesh.cli.judging import judge
from mesh.emulator.settings import Settings
from mesh.node.addresses import Plan

START_S = 30.0
MAX_WAIT_S = 86_400
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """What a person may say to `mesh up`. images: `NAME=COMMAND` entries.  wait_s: how long pods may take."""

    files: tuple[str, ...] = ()
    nodes: int = 2
    name: str = "default"
    state_dir: str | None = None
    images: tuple[str, ...] = ()
    access_log: bool = False
    node_grace_s: float = 4.0
    volume_grace_s: float = 0.0
    gateway_port: int = Plan.gateway_port
    gateway_tls_port: int = Plan.gateway_tls_port
    api_port: int = Plan.api_port
    dns_port: int = Plan.dns_port
    dns_forward: str = ""
    separate_gateway: bool = False
    zones: tuple[str, ...] = ()
    nodes_in: tuple[str, ...] = ()
    wait_s: float = 60.0


def start(options: UpOptions, progress: Progress) -> state.State:
    """Start a mesh, apply the files, and return when everything in them is ready.

    Everything that can be judged from the files alone is judged before a process starts. On any failure, and on
    Ctrl-C, what was started is stopped again. Raises UserError.
    """
    state.check_name(options.name)
    if not 0 <= options.wait_s <= MAX_WAIT_S:
        raise UserError(f"--wait {options.wait_s}: 0 to {MAX_WAIT_S} seconds")
    objects = manifests.read(options.files) if options.files else []
    judge(objects)
    if any(running.name == options.name for running in state.running()):
        raise UserError(f"a mesh named {options.name!r} is running; stop it with: mesh down --name {options.name}", 1)
    images = parse_images(options.images)
    with take_name(options.name) as own:
        control, events, settings = _begin(options, images, own)
    try:
        running = first_state(events, control, settings, progress)
        if objects:
            progress(f"applying {len(objects)} objects")
            apply_manifests(running.api, objects)
        readiness.wait(rest.Rest(running.api), settings.nodes, options.wait_s, progress)
        advise(running.api, objects, progress)
        control.returncode = 0  # it lives on by itself; this object must not complain that it does
        return running
    except BaseException:
        end(control)
        state.forget(options.name)
        raise
    finally:
        events.close()


def advise(api: str, objects: Sequence[manifests.Manifest], progress: Progress) -> None:
    """Tell a person without privileges which of the services that they asked for have no address of their own."""
    lowest = readiness.lowest_port()
    if lowest > 1 and any(manifest.kind.kind == "Service" for manifest in objects):
        own = {manifest.name for manifest in objects}
        services = [s for s in readiness.items(rest.Rest(api), "services") if s["metadata"]["name"] in own]
        if unserved := readiness.unserved(services, lowest):
            progress(
                f"note: ports below {lowest} need privileges, so these services answer through the gateway and "
                f"sidecars but not at their cluster address: {', '.join(unserved)}; the README says how to change it"
            )


def _begin(
    options: UpOptions, images: dict[str, str], own: IO[bytes]
) -> tuple[subprocess.Popen[bytes], IO[bytes], Settings]:
    """Folder, addresses, process: what a mesh has before its first report. own: the lock of its name."""
    where = folder_for(options)
    lock, block = take_block(where)
    try:
        settings = Settings(
            name=options.name,
            nodes=options.nodes,
            block=block,
            state_dir=str(where.resolve()),
            gateway_port=options.gateway_port,
            gateway_tls_port=options.gateway_tls_port,
            api_port=options.api_port,
            dns_port=options.dns_port,
            dns_forward=options.dns_forward,
            node_grace_s=options.node_grace_s,
            volume_grace_s=options.volume_grace_s,
            images=images,
            access_log=options.access_log,
            separate_gateway=options.separate_gateway,
            zones=options.zones,
            nodes_in=options.nodes_in,
        )
    except ValueError as error:
        lock.close()
        raise UserError(str(error)) from None
    control, events = spawn(settings, where, (lock, own))
    return control, events, settings


def parse_images(entries: Sequence[str]) -> dict[str, str]:
    """`NAME=COMMAND` entries, or files of such lines. Raises UserError when a command's program is not there."""
    images: dict[str, str] = {}
    for entry in entries:
        lines = [entry]
        if "=" not in entry:
            try:
                lines = [line.strip() for line in Path(entry).read_text().splitlines()]
            except OSError as error:
                raise UserError(f"--image {entry}: not NAME=COMMAND, and as a file: {error.strerror}") from None
        for line in lines:
            if not line or line.startswith("#"):
                continue
            name, _, command = line.partition("=")
            if not name.strip() or not command.strip():
                raise UserError(f"--image {line}: use NAME=COMMAND, for example: --image web='python3 app.py'")
            images[name.strip()] = checked_command(name.strip(), command.strip())
    return images


BEHAVIOURS = frozenset({"fail-pull", "crash", "never-ready", "run", "demo"})


def checked_command(name: str, command: str) -> str:
    """The command, if its program can be started. Raises UserError."""
    if command in BEHAVIOURS:
        return command
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UserError(f"--image {name}: command {command!r}: {error}") from None
    if not words or shutil.which(words[0]) is None:
        raise UserError(
            f"--image {name}: command {command!r}: no program {words[0] if words else ''!r} on this machine"
        )
    words[0] = os.path.abspath(str(shutil.which(words[0])))
    return shlex.join(words)


def take_name(name: str) -> IO[bytes]:
    """The lock of a mesh's name: held by one `mesh up`, then by the control process for as long as it lives."""
    folder = state.folder(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / "lock", "ab")  # noqa: SIM115 - the control process inherits it
    except OSError as error:
        raise UserError(f"MESH_HOME {state.home()}: cannot be written: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise UserError(f"a mesh named {name!r} is just starting or stopping; see: mesh status", 1) from None
    return lock


def folder_for(options: UpOptions) -> Path:
    """Where the objects live: the folder of --state, or an empty one for a mesh that nobody asked to keep."""
    where = Path(options.state_dir) if options.state_dir else state.folder(options.name) / "state"
    if not options.state_dir:
        shutil.rmtree(where, ignore_errors=True)
    try:
        where.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=where):
            return where
    except OSError as error:
        raise UserError(f"--state {where}: cannot be written: {error.strerror}") from None


def spawn(settings: Settings, where: Path, locks: Sequence[IO[bytes]]) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """The control process and the pipe on which it reports. It outlives this command, and keeps the locks."""
    try:
        log = open(where / "control.log", "ab")  # noqa: SIM115 - closed below
    except OSError as error:
        raise UserError(f"--state {where}: {error.strerror}") from None
    read, write = os.pipe()
    with contextlib.ExitStack() as closing:
        for file in (log, *locks):
            closing.enter_context(file)
        control = subprocess.Popen(  # noqa: S603 - our own program, no shell
            [sys.executable, "-m", "mesh.emulator", "control", str(write), settings.to_json()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(write, *(lock.fileno() for lock in locks)),
            start_new_session=True,
        )
    os.close(write)
    return control, os.fdopen(read, "rb")


def events_of(pipe: IO[bytes]) -> Iterator[dict[str, Any]]:
    for line in pipe:
        yield json.loads(line)


def first_state(
    pipe: IO[bytes], control: subprocess.Popen[bytes], settings: Settings, progress: Progress
) -> state.State:
    """Follow the control process's reports until the API answers. Raises UserError with its own words."""
    for event in events_of(pipe):
        if "say" in event:
            progress(event["say"])
        elif "error" in event:
            raise UserError(event["error"], exit_code=1)
        elif "nodes" in event:
            running = state.State(
                name=settings.name,
                gateway=settings.gateway_url,
                gateway_tls=settings.gateway_tls_url,
                api=settings.api_url,
                dns=settings.dns_address,
                kubeconfig=str(write_kubeconfig(settings)),
                control_pid=control.pid,
                gateway_pid=event["gateway_pid"],
                state_dir=settings.state_dir,
                block=settings.block,
                images=settings.images,
                folder=os.getcwd(),
                nodes=[state.NodeProcess(**node) for node in event["nodes"]],
            )
            state.save(running)
            return running
    raise UserError(f"the control process ended; see {settings.state_dir}/control.log", exit_code=1)


def write_kubeconfig(settings: Settings) -> Path:
    """A kubeconfig with one cluster, as kubectl wants it."""
    path = state.folder(settings.name) / "kubeconfig"
    path.parent.mkdir(parents=True, exist_ok=True)
    entry = f"loopmesh-{settings.name}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": entry, "cluster": {"server": settings.api_url}}],
        "users": [{"name": entry, "user": {}}],
        "contexts": [{"name": entry, "context": {"cluster": entry, "user": entry, "namespace": "default"}}],
        "current-context": entry,
    }
    path.write_text(json.dumps(config, indent=2) + "\n")
    return path


def end(control: subprocess.Popen[bytes]) -> None:
    """Stop a control process that this command started."""
    control.terminate()
    try:
        control.wait(STOP_S)
    except subprocess.TimeoutExpired:
        control.kill()
        control.wait()
