"""How does a command run beside a pod? A child process with the container's environment, bound to its stream.

No shell of ours: the words that were given. It ends when its user leaves, and with it everything that it started.
"""

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from mesh.node.kubelet.channels import Channels, Wants
from mesh.node.process import begin_child
from mesh.node.read_only import Guard

CHUNK_BYTES, READ_AHEAD_BYTES = 1 << 15, 1 << 16
NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit codes of a shell for a command that cannot be run."""
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "USER")
_END_OF_INPUT = b"\x04"


async def execute(
    words: Sequence[str], env: Mapping[str, str], directory: Path, wants: Wants, channels: Channels,
    guard: Guard | None = None,
) -> int:  # fmt: skip
    """Run the command and carry its input and output; the exit code. Cancelled: the command is killed.

    guard: takes from it what it may not do.
    """
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    run = _with_terminal if wants.tty else _with_pipes
    try:
        return await run(words, {**inherited, **env}, directory, wants, channels, guard)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        missing = isinstance(error, FileNotFoundError)
        why = "executable file not found in $PATH" if missing else getattr(error, "strerror", None) or str(error)
        await channels.write("stdout" if wants.tty else "stderr", f'exec: "{words[0]}": {why}\n'.encode())
        return NOT_FOUND if missing else NOT_EXECUTABLE


async def _with_pipes(
    words: Sequence[str], env: Mapping[str, str], directory: Path, wants: Wants, channels: Channels, guard: Guard | None
) -> int:
    pipe, null, parent = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL, os.getpid()
    process, transport = await _spawn(
        *words,
        env=env,
        cwd=directory,
        stdin=pipe if wants.stdin else null,
        stdout=pipe if wants.stdout else null,
        stderr=pipe if wants.stderr else null,
        start_new_session=True,
        preexec_fn=lambda: begin_child(parent, guard),
    )
    output = [
        _copy_out(reader, channels, name)
        for name, reader in (("stdout", process.stdout), ("stderr", process.stderr))
        if reader is not None
    ]
    typing = asyncio.ensure_future(_type(channels, process.stdin)) if process.stdin is not None else None
    try:
        return await _until_over(process, output)
    finally:
        channels.stdin.discard()
        if typing is not None:
            typing.cancel()
        transport.close()  # its pipes, which something that left the group may hold open on the other side


async def _spawn(*words: str, **given: Any) -> tuple[asyncio.subprocess.Process, asyncio.SubprocessTransport]:
    """Start a child; one that is born while its user leaves is ended. Whoever has the transport closes it."""
    making = asyncio.ensure_future(_born(*words, **given))
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        await asyncio.wait({making})
        if making.exception() is None:
            process, transport = making.result()
            await _end(process)
            transport.close()
        raise


async def _born(*words: str, **given: Any) -> tuple[asyncio.subprocess.Process, asyncio.SubprocessTransport]:
    """As asyncio.create_subprocess_exec does it, which keeps the transport to itself."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.subprocess_exec(
        lambda: asyncio.subprocess.SubprocessStreamProtocol(limit=READ_AHEAD_BYTES, loop=loop), *words, **given
    )
    return asyncio.subprocess.Process(transport, protocol, loop), transport


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the command's group. Once only: afterwards the number may belong to somebody else."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def _until_over(process: asyncio.subprocess.Process, output: Sequence[Coroutine[Any, Any, None]]) -> int:
    """Wait for the end and for the last words. What the command left behind ends with it, or we would wait for that."""
    copying = asyncio.gather(*output)
    try:
        try:
            code = await process.wait()
        finally:
            await _end(process)
        await copying
        return code if code >= 0 else 128 - code
    finally:
        copying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await copying


async def _copy_out(reader: asyncio.StreamReader, channels: Channels, name: str) -> None:
    while data := await reader.read(CHUNK_BYTES):
        await channels.write(name, data)


async def _type(channels: Channels, stdin: asyncio.StreamWriter) -> None:
    """Carry input to the command. One that reads no more still runs: the rest is thrown away."""
    try:
        while data := await channels.stdin.get():
            stdin.write(data)
            await stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        pass
    channels.stdin.discard()
    stdin.close()


async def _with_terminal(
    words: Sequence[str], env: Mapping[str, str], directory: Path, wants: Wants, channels: Channels, guard: Guard | None
) -> int:
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    parent = os.getpid()

    def own_terminal() -> None:
        # uvloop's child makes its session, and gets the terminal as its input, only after this: too late for us.
        os.setsid()
        begin_child(parent, guard)
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    try:
        process, transport = await _spawn(
            *words,
            env={"TERM": "xterm", **env},
            cwd=directory,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=own_terminal,
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)

    def resized(columns: int, lines: int) -> None:
        with contextlib.suppress(OSError):
            fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    channels.terminal.listen(resized)
    typing = asyncio.ensure_future(_type_terminal(channels, ours)) if wants.stdin else None
    try:
        return await _until_over(process, [_copy_terminal(ours, channels)])
    finally:
        channels.terminal.listen(None)
        channels.stdin.discard()
        if typing is not None:
            typing.cancel()
            await asyncio.gather(typing, return_exceptions=True)
        transport.close()
        os.close(ours)


async def _copy_terminal(ours: int, channels: Channels) -> None:
    while data := await _read(ours):
        await channels.write("stdout", data)


async def _read(fd: int) -> bytes:
    """Bytes from a terminal; empty when its last user has gone, which the kernel calls an input/output error."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return os.read(fd, CHUNK_BYTES)
        except BlockingIOError:
            await _when(fd, loop.add_reader, loop.remove_reader)
        except OSError:
            return b""


async def _type_terminal(channels: Channels, fd: int) -> None:
    loop = asyncio.get_running_loop()
    open_ = True
    while open_:
        data = await channels.stdin.get()
        open_ = bool(data)
        rest = data or _END_OF_INPUT
        while rest:
            try:
                rest = rest[os.write(fd, rest) :]
            except BlockingIOError:
                await _when(fd, loop.add_writer, loop.remove_writer)
            except OSError:
                return


async def _when(fd: int, add: Callable[..., Any], remove: Callable[[int], Any]) -> None:
    """Wait until a file can be read, or written."""
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def now() -> None:
        if not ready.done():
            ready.set_result(None)

    add(fd, now)
    try:
        await ready
    finally:
        remove(fd)
