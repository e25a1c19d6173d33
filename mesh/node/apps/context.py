"""What does an application know about the pod it runs in?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class AppContext:
    """Handed to every built-in image.

    address: where it listens (behind the sidecar in a meshed pod).  ports: its containerPorts, possibly none.
    volume_dir: the first mounted volume's directory, else one of the container's own, which need not exist yet.
    volumes: mountPath -> directory.  scratch_dir: the container's own, where a program starts; None is where
    `mesh up` was called.  dns: ADDRESS:PORT of the mesh's DNS, empty where nobody said.  read_only: the mountPaths that
    may not be written to; volume_read_only: whether volume_dir is one of them.
    """

    pod_name: str
    pod_ip: str
    node_name: str
    namespace: str
    container_name: str
    image: str
    address: str
    ports: tuple[int, ...]
    volume_dir: Path
    volumes: Mapping[str, Path] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    args: tuple[str, ...] = ()
    scratch_dir: Path | None = None
    dns: str = ""
    read_only: frozenset[str] = frozenset()
    volume_read_only: bool = False


MALFORMED = (ValueError, TypeError, AttributeError, KeyError)
"""What reading a field raises that is not of the form that it has in Kubernetes."""


class BadSetting(Exception):
    """The environment or the arguments of a container cannot be used; one line, shown as an event."""
