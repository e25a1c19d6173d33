"""Commands as child processes: input, output, codes, a terminal, and their end."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mesh.node.kubelet.channels import Terminal, Wants
from mesh.node.kubelet.command import execute
from mesh.node.kubelet.inbox import Inbox

ALL = Wants(stdin=True, stdout=True, stderr=True, tty=False)
TTY = Wants(stdin=True, stdout=True, stderr=False, tty=True)


class Talk:
    """Channels that keep what is written."""

    def __init__(self, typed: bytes = b"") -> None:
        self.stdin, self.terminal = Inbox(), Terminal()
        self.said: dict[str, bytes] = {"stdout": b"", "stderr": b""}
        self.arrived = asyncio.Event()
        if typed:
            self.stdin._chunks.append(typed)
            self.stdin.end()

    async def run(self) -> None: ...

    async def opened(self) -> None: ...

    async def write(self, name: str, data: bytes) -> None:
        self.said[name] += data
        self.arrived.set()

    async def finish(self, status: Mapping[str, Any]) -> None: ...


async def run(talk: Talk, folder: Path, *words: str, wants: Wants = ALL, **env: str) -> int:
    return await asyncio.wait_for(execute(words, env, folder, wants, talk), 10)


@pytest.mark.parametrize("wants", [ALL, TTY], ids=["pipes", "terminal"])
@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137)], ids=["fine", "code", "signal"]
)
async def test_how_a_command_ends(tmp_path: Path, script: str, code: int, wants: Wants) -> None:
    assert await run(Talk(b"x"), tmp_path, "sh", "-c", script, wants=wants) == code


async def test_input_output_environment_and_place(tmp_path: Path) -> None:
    talk = Talk(b"typed")
    assert await run(talk, tmp_path, "sh", "-c", 'cat; echo " $WHO"; pwd; echo bad >&2', WHO="me") == 0
    assert talk.said == {"stdout": f"typed me\n{tmp_path}\n".encode(), "stderr": b"bad\n"}


async def test_the_words_are_taken_as_they_are(tmp_path: Path) -> None:
    talk = Talk(b"x")
    await run(talk, tmp_path, "printf", "%s|", "a b", "$HOME", "*")
    assert talk.said["stdout"] == b"a b|$HOME|*|"


@pytest.mark.parametrize("wants", [ALL, TTY], ids=["pipes", "terminal"])
async def test_what_cannot_be_run_says_so(tmp_path: Path, wants: Wants) -> None:
    talk = Talk(b"x")
    assert await run(talk, tmp_path, "no-such-program", wants=wants) == 127
    assert b"executable file not found" in talk.said["stdout"] + talk.said["stderr"]
    (tmp_path / "plain").write_text("")
    assert await run(Talk(b"x"), tmp_path, str(tmp_path / "plain"), wants=wants) == 126


async def test_what_it_left_behind_ends_with_it(tmp_path: Path) -> None:
    talk = Talk(b"x")
    assert await run(talk, tmp_path, "sh", "-c", "sleep 60 & echo $!") == 0
    await gone(int(talk.said["stdout"]))


@pytest.mark.parametrize("wants", [ALL, TTY], ids=["pipes", "terminal"])
async def test_cancelled_it_is_killed(tmp_path: Path, wants: Wants) -> None:
    talk = Talk()
    task = asyncio.ensure_future(run(talk, tmp_path, "sh", "-c", "trap '' TERM HUP; echo $$; sleep 60", wants=wants))
    await asyncio.wait_for(talk.arrived.wait(), 5)
    task.cancel()
    await asyncio.wait({task}, timeout=5)
    await gone(int(talk.said["stdout"]))


async def gone(pid: int) -> None:
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"{pid} still runs")


async def test_a_terminal_has_the_size_of_its_user_and_an_end_of_input(tmp_path: Path) -> None:
    talk = Talk(b"typed\n")
    talk.terminal.take(b'{"Width": 91, "Height": 33}')  # known before the command starts
    assert await run(talk, tmp_path, "sh", "-c", "tty; stty size; cat", wants=TTY) == 0
    lines = talk.said["stdout"].splitlines()
    assert any(line.startswith(b"/dev/") for line in lines)
    assert (b"33 91" in lines, lines.count(b"typed")) == (True, 2)


@pytest.mark.parametrize(
    "message", [b"", b"x", b"[]", b'{"Width": 0, "Height": 5}', b'{"Width": 1e99, "Height": 5}', b"[" * 100_000]
)
def test_what_is_no_size_is_ignored(message: bytes) -> None:
    terminal, told = Terminal(), []
    terminal.listen(lambda columns, lines: told.append((columns, lines)))
    terminal.take(message)
    assert told == []
