"""How does a container begin that is a child process?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Start:
    """words: program and arguments.  env: what the container finds unless its own environment says otherwise.

    folder: where it starts, made if it is not there; None is where `mesh up` was called.
    """

    words: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
