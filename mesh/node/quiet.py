"""How does a command run that nobody watches? Beside the container, as hooks and probes want it."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mesh.node.kubelet.channels import Terminal, Wants
from mesh.node.kubelet.command import execute
from mesh.node.kubelet.inbox import Inbox
from mesh.node.read_only import Guard

MOST_SAID = 1024
_OUTPUT = Wants(stdin=False, stdout=True, stderr=True, tty=False)
Beside = Callable[[Sequence[str]], tuple[Sequence[str], Mapping[str, str], Path, Guard | None]]
"""Words of a command -> what to run beside the container, its environment, its directory and what guards it.

Raises BadSetting.
"""


class _Said:
    """The channels of such a command: its first words are kept, and there is nothing to read."""

    def __init__(self) -> None:
        self.stdin, self.terminal, self.text = Inbox(), Terminal(), b""

    async def run(self) -> None: ...

    async def opened(self) -> None: ...

    async def write(self, name: str, data: bytes) -> None:
        self.text += data[: max(0, MOST_SAID - len(self.text))]

    async def finish(self, status: Mapping[str, Any]) -> None: ...


async def quietly(words: Sequence[str], beside: Beside) -> tuple[int, str]:
    """Run a command: its exit code, and what it said. Cancelled: it is killed. Raises BadSetting."""
    command, env, directory, guard = beside(words)
    os.makedirs(directory, exist_ok=True)
    said = _Said()
    code = await execute(command, env, directory, _OUTPUT, said, guard)
    return code, said.text.decode(errors="replace").strip()


def command_of(action: Any) -> list[str]:
    """The words of an `exec` action; empty when it has none."""
    words = action.get("command") if isinstance(action, Mapping) else None
    return [str(word) for word in words or ()]
