"""What does a program say about its end? What it wrote into its termination message file, or the end of its log."""

import os
from collections.abc import Mapping
from pathlib import Path

from mesh.api.core import Container, Pod
from mesh.node.volumes import Volumes

DEFAULT_PATH = "/dev/termination-log"
MOST_BYTES, MOST_LOG_BYTES, MOST_LINES = 4096, 2048, 80
_POLICY, _PATH = "terminationMessagePolicy", "terminationMessagePath"


def path_in(container: Container) -> str:
    """Where the program believes that the file is."""
    return str((container.model_extra or {}).get(_PATH) or DEFAULT_PATH)


def file_of(volumes: Volumes, pod: Pod, container: Container) -> Path:
    """Where it is."""
    return volumes.pod_dir(pod) / "ends" / container.name


def begin(file: Path) -> Mapping[str, str]:
    """A new and empty file; the environment that says where it is. Raises OSError."""
    os.makedirs(file.parent, exist_ok=True)
    file.write_bytes(b"")
    return {"TERMINATION_MESSAGE_PATH": str(file)}


def read(file: Path, log: Path, container: Container, code: int) -> str:
    """What the program has said. log: of this run.  code: its exit code."""
    said = _end_of(file, MOST_BYTES)
    if not said and code and (container.model_extra or {}).get(_POLICY) == "FallbackToLogsOnError":
        said = "".join(_end_of(log, MOST_LOG_BYTES).splitlines(keepends=True)[-MOST_LINES:])
    return said


def _end_of(file: Path, most: int) -> str:
    try:
        with open(file, "rb") as opened:
            opened.seek(max(0, os.fstat(opened.fileno()).st_size - most))
            return opened.read(most).decode(errors="replace")
    except OSError:
        return ""
