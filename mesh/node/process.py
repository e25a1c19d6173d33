"""How does a user's own program run as a container?

A child process of the node, without a shell, in a process group of its own; what it prints is the pod's log. It ends
with its node: the kernel sends it SIGKILL when the node process dies.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mesh.node.apps.context import BadSetting

MAX_LOG_BYTES = 16 << 20
_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    """Runs in the child between fork and exec. Linux only; elsewhere the child outlives a killed node."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Program:
    """One running child process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, command: Sequence[str], env: Mapping[str, str], directory: Path, log_path: Path) -> "Program":
        """Start the command. Raises BadSetting when it cannot be."""
        log_path.parent.mkdir(parents=True, exist_ok=True)
        rotate(log_path)
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        with open(log_path, "ab") as log:  # noqa: ASYNC230 - one short call at start
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    env={**inherited, "PYTHONUNBUFFERED": "1", **env},
                    cwd=directory,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=_die_with_parent,
                )
            except OSError as error:
                raise BadSetting(f"command {command[0]!r}: {error.strerror}") from error
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait(self) -> int:
        """The exit code; negative for a signal."""
        return await self._process.wait()

    async def stop(self, grace_s: float) -> None:
        """SIGTERM to the group, and SIGKILL when the grace period is over."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_s):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:
            self._signal(signal.SIGKILL)
        await self._process.wait()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def rotate(path: Path, limit: int = MAX_LOG_BYTES) -> None:
    """Move a log that has grown over the limit aside; one old one is kept."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > limit:
            path.replace(path.with_suffix(".old"))


def on_exit(program: Program, callback: Callable[[int], None]) -> "asyncio.Task[None]":
    """Call back with the exit code when the program ends."""

    async def wait() -> None:
        callback(await program.wait())

    return asyncio.get_running_loop().create_task(wait())
