"""What runs when a container has started, and before it is stopped?

postStart and preStop: `sleep`, `httpGet`, and `exec` beside a user's own program. A built-in application is no program
and its image holds no tools, so that a command meant for them would act on the machine itself: there only a plain
`sleep N` is executed, which is what most such hooks say.
"""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mesh.api.core import Container, HttpGetAction, Probe
from mesh.node import prober
from mesh.node.apps.context import BadSetting
from mesh.node.kubelet.channels import Terminal, Wants
from mesh.node.kubelet.command import execute
from mesh.node.kubelet.inbox import Inbox
from mesh.node.probes import port_number
from mesh.node.read_only import Guard

POST_START, PRE_STOP = "postStart", "preStop"
HTTP_LIMIT_S = 30
MOST_SAID = 1024
_OUTPUT = Wants(stdin=False, stdout=True, stderr=True, tty=False)
Beside = Callable[[Sequence[str]], tuple[Sequence[str], Mapping[str, str], Path, Guard | None]]
"""Words of a command -> what to run beside the container, its environment, its directory and what guards it.

Raises BadSetting.
"""


def action(container: Container, hook: str) -> Mapping[str, Any] | None:
    """What the container wants to be done then, if anything."""
    found = (container.lifecycle or {}).get(hook)
    return found if isinstance(found, Mapping) and found else None


def not_executed(container: Container, hook: str, program: bool) -> str | None:
    """Why a hook is not executed, if so. program: the container runs a user's program."""
    wanted = action(container, hook)
    if wanted is None or "sleep" in wanted or "httpGet" in wanted:
        return None
    words = _command(wanted)
    if words is None:
        return f"{next(iter(wanted))} hooks do not run; use exec, httpGet or sleep"
    if program or _plain_sleep(words) is not None:
        return None
    return f"{' '.join(words)!r} does not run, since the container is a built-in application and holds no such program"


async def run(
    wanted: Mapping[str, Any], container: Container, address: str, program: bool, beside: Beside
) -> str | None:
    """Carry out one hook: None for success, else what went wrong. Cancelled: a command is killed."""
    words = _command(wanted)
    seconds = _plain_sleep(words) if words and not program else None
    try:
        if "sleep" in wanted or seconds is not None:
            await asyncio.sleep(float(wanted["sleep"].get("seconds", 0)) if seconds is None else seconds)
        elif "httpGet" in wanted:
            get = HttpGetAction.model_validate(wanted["httpGet"])
            get.port = port_number(get.port, container)
            where = get.host or address
            return await prober.ask(Probe(http_get=get, timeout_seconds=HTTP_LIMIT_S), container, where)
        elif words and program:
            code, said = await quietly(*beside(words))
            if code:
                return f"command {' '.join(words)!r} exited with {code}: {said}".rstrip(": ")
    except (BadSetting, ValidationError, ValueError, AttributeError) as error:
        return str(error)
    return None


class _Said:
    """The channels of a command that nobody watches: its first words are kept, and there is nothing to read."""

    def __init__(self) -> None:
        self.stdin, self.terminal, self.text = Inbox(), Terminal(), b""

    async def run(self) -> None: ...

    async def opened(self) -> None: ...

    async def write(self, name: str, data: bytes) -> None:
        self.text += data[: max(0, MOST_SAID - len(self.text))]

    async def finish(self, status: Mapping[str, Any]) -> None: ...


async def quietly(
    words: Sequence[str], env: Mapping[str, str], directory: Path, guard: Guard | None
) -> tuple[int, str]:
    """Run a command: its exit code, and what it said. Cancelled: it is killed."""
    os.makedirs(directory, exist_ok=True)
    said = _Said()
    code = await execute(words, env, directory, _OUTPUT, said, guard)
    return code, said.text.decode(errors="replace").strip()


def _command(wanted: Mapping[str, Any]) -> Sequence[str] | None:
    found = wanted.get("exec")
    words = found.get("command") if isinstance(found, Mapping) else None
    return [str(word) for word in words] if words else None


def _plain_sleep(words: Sequence[str]) -> float | None:
    """Seconds, when the command does nothing but sleep: `sleep 5`, `/bin/sh -c "sleep 5"`."""
    if len(words) == 3 and words[0].rpartition("/")[2] in ("sh", "bash", "ash") and words[1] == "-c":
        words = words[2].split()
    if len(words) != 2 or words[0].rpartition("/")[2] != "sleep":
        return None
    try:
        seconds = float(words[1].removesuffix("s"))
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
