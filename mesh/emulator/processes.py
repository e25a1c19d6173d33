"""How does the control process start its children, notice their end, and take them along when it goes?

A child's standard input is a pipe that nobody writes to: when the control process is gone, whatever the reason, the
pipe ends and the child stops. Its first line on standard output says `ready`, or one line of what went wrong.
"""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger("mesh.emulator")

START_S = 20.0
STOP_S = 8.0
READY = b"ready"


class ChildFailed(Exception):
    """A process that did not come up; `str()` is its own last line."""


class Child:
    """One running child process."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name, self.process = name, process

    @property
    def pid(self) -> int:
        return self.process.pid

    @classmethod
    async def spawn(cls, name: str, role: list[str], log_path: Path) -> "Child":
        """Start `python -m mesh.emulator ROLE...`; its log goes to a file."""
        with open(log_path, "ab") as stderr:  # noqa: ASYNC230 - one short call at start
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "mesh.emulator",
                *role,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,  # Ctrl-C at a terminal is the control process's business
            )
        return cls(name, process)

    async def ready(self) -> None:
        """Wait for the child's first line. Raises ChildFailed."""
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(START_S):
                line = (await self.process.stdout.readline()).strip()
        except TimeoutError:
            raise ChildFailed(f"{self.name} did not start within {START_S:.0f} s") from None
        if line != READY:
            raise ChildFailed(line.decode(errors="replace") or f"{self.name} ended at once; see its log")

    def watch(self, on_end: Callable[["Child", int], None]) -> asyncio.Task[None]:
        """Call `on_end(child, exit code)` once the process has ended."""

        async def wait() -> None:
            on_end(self, await self.process.wait())

        return asyncio.get_running_loop().create_task(wait(), name=f"watch/{self.name}")

    async def stop(self) -> None:
        """Close the pipe and ask; after STOP_S insist."""
        if self.process.returncode is not None:
            return
        if self.process.stdin is not None:
            self.process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await self.process.wait()
        except TimeoutError:
            log.warning("child did not stop name=%s pid=%d", self.name, self.pid)
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()


async def parent_gone() -> None:
    """In a child: return when the pipe from the control process ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    while await reader.read(1024):
        pass
