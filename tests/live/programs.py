"""Which kubectls take part in a test?

The one on PATH and its neighbours named kubectl.1.MINOR, of which the oldest speaks SPDY and the newest WebSocket;
LOOPMESH_KUBECTLS names others (paths joined by colons). Those and the newest type in each run, the rest in `make soak`.
"""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest


def named() -> list[str]:
    """The programs that the environment names."""
    return [path for path in os.environ.get("LOOPMESH_KUBECTLS", "").split(":") if path]


def found() -> list[str]:
    """The newest program of the machine and the oldest; the one on PATH where it has no neighbours."""
    on_path = shutil.which("kubectl")
    if on_path is None:
        return []
    beside = sorted(str(path) for path in Path(on_path).resolve().parent.glob("kubectl.1.*"))
    return [beside[-1], beside[0]] if beside else [on_path]


def newest_only() -> list[Any]:
    """The newest in each run, every other one in `make soak`."""
    first, *others = newest_first()
    return [first, *(pytest.param(*other.values, id=other.id, marks=pytest.mark.soak) for other in others)]


def newest_first() -> list[Any]:
    """All of them as parameters of a fixture; an empty text when there is none."""
    always = [*found()[:1], *named()]
    params = [pytest.param(path, id=Path(path).name) for path in always]
    params += [pytest.param(path, id=Path(path).name, marks=pytest.mark.soak) for path in found()[1:]]
    return params or [pytest.param("", id="none")]
