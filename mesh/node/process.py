"""How does a user's own program run as a container?

A child process of the node, without a shell, in a process group of its own; what it prints is the pod's log. Its
working directory is the node's, where `mesh up` was called, so that a command may name its files as a person would;
its data belongs in VOLUME_DIR. It ends with its node: the kernel sends it SIGKILL when the node process dies (what it
started itself is covered only while the node stops it in order, since the kernel's promise is for the direct child).
"""

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mesh.node.apps.context import BadSetting
from mesh.node.read_only import Guard

MAX_LOG_BYTES = 8 << 20
LOG_CHECK_S = 2.0
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")
_PR_SET_PDEATHSIG = 1


class CommandNotFound(BadSetting):
    """There is no such program."""


def _prctl() -> Callable[[int, int], int] | None:
    """Looked up before any fork, so that the child needs no import and takes no lock."""
    try:
        found: Callable[[int, int], int] = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return None  # not Linux: a killed node leaves its programs behind
    return found


_PRCTL = _prctl()


def begin_child(parent: int, guard: Guard | None) -> None:
    """What a child does between fork and exec. guard: takes rights from it."""
    if guard is not None:
        guard()  # first, since new rights make the kernel forget the wish below
    die_with_parent(parent)


def die_with_parent(parent: int) -> None:
    """End with the node process. Runs in the child between fork and exec."""
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(128 + signal.SIGKILL)  # the node died before the kernel knew of our wish


class Program:
    """One running child process: the work of a container."""

    def __init__(self, process: asyncio.subprocess.Process, log_path: Path) -> None:
        self._process, self._log_path = process, log_path
        self._check = asyncio.get_running_loop().call_later(LOG_CHECK_S, self._bound_log)

    @classmethod
    async def start(
        cls, command: Sequence[str], env: Mapping[str, str], log_path: Path, folder: Path | None = None,
        guard: Guard | None = None,
    ) -> "Program":  # fmt: skip
        """Start the command. folder: its working directory, made if it is not there; None is the node's own.

        guard: takes from it what it may not do.

        Raises CommandNotFound, BadSetting.
        """
        for needed in (log_path.parent, folder):
            if needed is not None:
                os.makedirs(needed, exist_ok=True)
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        full = {**inherited, "PYTHONUNBUFFERED": "1", **env}
        if shutil.which(command[0], path=full.get("PATH")) is None:
            raise CommandNotFound(f"command not found: {command[0]}")
        parent = os.getpid()
        with open(log_path, "ab") as log:  # noqa: ASYNC230 - one short call at start
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    env=full,
                    cwd=folder,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=lambda: begin_child(parent, guard),
                )
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                raise BadSetting(f"command {command[0]!r}: {getattr(error, 'strerror', None) or error}") from error
        return cls(process, log_path)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait(self) -> int:
        """The exit code as a shell would say it: 128 + N for signal N. What the program left behind ends with it."""
        code = await self._process.wait()
        self._check.cancel()
        self._signal(signal.SIGKILL)
        return code if code >= 0 else 128 - code

    async def stop(self, grace_s: float) -> None:
        """SIGTERM to the group, and SIGKILL when the grace period is over."""
        if self._process.returncode is None and grace_s > 0:
            self._signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(grace_s):
                    await self._process.wait()
            except TimeoutError:
                pass
        self._signal(signal.SIGKILL)
        await self.wait()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _bound_log(self) -> None:
        with contextlib.suppress(OSError):
            bound_log(self._log_path)
        self._check = asyncio.get_running_loop().call_later(LOG_CHECK_S, self._bound_log)


def bound_log(path: Path, limit: int = MAX_LOG_BYTES) -> bool:
    """Move what a log holds to `NAME.1` once it is over the limit; True when that was done.

    The program keeps its open file: it appends, so that it goes on at the start of the emptied one.
    """
    if not path.exists() or path.stat().st_size <= limit:
        return False
    shutil.copyfile(path, path.with_name(path.name + ".1"))
    os.truncate(path, 0)
    return True
