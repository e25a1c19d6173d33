"""Which meshes run on this machine for this user, and where are their parts?

A running mesh has one JSON file below MESH_HOME, written by `mesh up` and removed by whoever stops the mesh. A file
whose process is gone (a crash) counts as not running.
"""

import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mesh.cli.errors import UserError


class NotRunning(UserError):
    """No mesh of that name runs."""

    def __init__(self, name: str, running: list[str]) -> None:
        others = f"; running: {', '.join(running)}" if running else "; start one with: mesh up"
        super().__init__(f"no mesh named {name!r} is running{others}", exit_code=1)


@dataclass(frozen=True, slots=True)
class NodeProcess:
    name: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a client needs to reach a running mesh. Addresses for HTTP are whole URLs; dns is ip:port."""

    name: str
    gateway: str
    api: str
    dns: str
    kubeconfig: str
    control_pid: int
    gateway_pid: int
    state_dir: str
    gateway_tls: str = ""
    """Where the gateway speaks TLS once an Ingress brings a certificate."""
    block: int = 0
    images: dict[str, str] = field(default_factory=dict)
    """Image name -> command, as given with --image."""
    folder: str = ""
    """Where `mesh up` was called, and where relative names in those commands begin."""
    nodes: list[NodeProcess] = field(default_factory=list)


def home() -> Path:
    """MESH_HOME, else the user's state directory."""
    if given := os.environ.get("MESH_HOME"):
        return Path(given)
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "loopmesh"


def check_name(name: str) -> str:
    """The name, if it can be a file name and a DNS label. Raises UserError."""
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?", name):
        raise UserError(f"--name {name!r}: use lower-case letters, digits and '-', at most 42")
    return name


def folder(name: str) -> Path:
    """Where a mesh keeps its kubeconfig, logs and (without --state) its objects."""
    return home() / check_name(name)


def path_of(name: str) -> Path:
    return folder(name) / "running.json"


def alive(pid: int) -> bool:
    """Whether the process exists and is one of ours."""
    try:
        return b"mesh.emulator" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def load(name: str = "default") -> State:
    """The running mesh of that name. Raises NotRunning."""
    try:
        data = json.loads(path_of(name).read_bytes())
        state = State(**{**data, "nodes": [NodeProcess(**node) for node in data["nodes"]]})
    except (OSError, ValueError, TypeError, KeyError):
        raise NotRunning(name, [other.name for other in running()]) from None
    if not alive(state.control_pid):
        path_of(name).unlink(missing_ok=True)
        raise NotRunning(name, [other.name for other in running()])
    return state


def running() -> list[State]:
    """Every mesh that runs under this MESH_HOME."""
    found = []
    for path in sorted(home().glob("*/running.json")):
        try:
            data = json.loads(path.read_bytes())
            if alive(data["control_pid"]):
                found.append(State(**{**data, "nodes": [NodeProcess(**node) for node in data["nodes"]]}))
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return found


def choose(name: str | None) -> State:
    """The named mesh; without a name the default one, or the only one. Raises NotRunning, UserError."""
    if name is not None:
        return load(name)
    found = running()
    if len(found) == 1:
        return found[0]
    if any(state.name == "default" for state in found) or not found:
        return load("default")
    raise UserError(f"several meshes run: choose one with --name ({', '.join(state.name for state in found)})")


def save(state: State) -> None:
    """Write the file in one step, so that a reader never sees half of it."""
    path = path_of(state.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(asdict(state)) + "\n")
    draft.replace(path)


def forget(name: str) -> None:
    path_of(name).unlink(missing_ok=True)
