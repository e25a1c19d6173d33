import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from mesh.node import process
from mesh.node.apps.context import BadSetting
from mesh.node.process import CommandNotFound, Program, bound_log

PYTHON = [sys.executable, "-c"]


async def start(folder: Path, code: str | Sequence[str], **env: str) -> Program:
    command = [*PYTHON, code] if isinstance(code, str) else list(code)
    return await Program.start(command, env, folder / "logs" / "web.log")


def log_of(folder: Path) -> str:
    return (folder / "logs" / "web.log").read_text()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def until_logged(folder: Path, text: str, within_s: float = 10.0) -> str:
    async with asyncio.timeout(within_s):
        while text not in log_of(folder):
            await asyncio.sleep(0.01)
    return log_of(folder)


async def test_output_is_the_log_and_the_environment_is_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_NODE", "x")
    code = (
        "import os, sys; print(os.getcwd(), os.environ.get('A'), os.environ.get('SECRET_OF_THE_NODE')); sys.exit('no')"
    )
    program = await start(tmp_path, code, A="1")
    assert await asyncio.wait_for(program.wait(), 10) == 1
    assert log_of(tmp_path).splitlines() == [f"{os.getcwd()} 1 None", "no"]


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [("pass", 0), ("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137)],
)
async def test_exit_codes(tmp_path: Path, code: str, exit_code: int) -> None:
    assert await asyncio.wait_for((await start(tmp_path, code)).wait(), 10) == exit_code


async def test_arguments_are_words_and_no_shell_sees_them(tmp_path: Path) -> None:
    program = await start(tmp_path, [*PYTHON, "import sys; print(sys.argv[1:])", "$HOME; ls", "a b"])
    await asyncio.wait_for(program.wait(), 10)
    assert log_of(tmp_path) == "['$HOME; ls', 'a b']\n"


async def test_a_program_that_listens_to_sigterm_leaves_by_itself(tmp_path: Path) -> None:
    code = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(7)); print('up'); time.sleep(60)"
    program = await start(tmp_path, code)
    await until_logged(tmp_path, "up")
    before = time.monotonic()
    await program.stop(10.0)
    assert time.monotonic() - before < 5
    assert await program.wait() == 7


async def test_one_that_does_not_is_killed_at_the_end_of_the_grace_period(tmp_path: Path) -> None:
    program = await start(tmp_path, "import signal, time; signal.signal(15, 1); print('up'); time.sleep(60)")
    await until_logged(tmp_path, "up")
    before = time.monotonic()
    await program.stop(0.3)
    assert 0.3 <= time.monotonic() - before < 5
    assert await program.wait() == 137


SPAWN = "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print('child', p.pid);"


@pytest.mark.parametrize("then", ["time.sleep(60)", "sys.exit(0)"])
async def test_what_a_program_started_ends_with_it(tmp_path: Path, then: str) -> None:
    program = await start(tmp_path, SPAWN + then)
    child = int((await until_logged(tmp_path, "child")).split()[1])
    if "sleep" in then:
        assert alive(child)
        await program.stop(5.0)
    await asyncio.wait_for(program.wait(), 10)
    await asyncio.sleep(0.1)
    assert not alive(child)


async def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandNotFound, match="command not found: no-such-program"):
        await start(tmp_path, ["no-such-program", "x"])


async def test_a_command_that_cannot_run_is_named(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    with pytest.raises(BadSetting, match="script': No such file or directory"):
        await start(tmp_path, [str(script)])


def test_a_log_over_its_limit_moves_aside(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    assert not bound_log(log, 10)
    with log.open("ab") as out:
        out.write(b"x" * 11)
        out.flush()
        assert bound_log(log, 10)
        out.write(b"y")
        out.flush()
    assert (log.read_text(), (tmp_path / "web.log.1").read_text()) == ("y", "x" * 11)
    assert not bound_log(log, 10)


async def test_a_program_that_prints_for_ever_does_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOG_CHECK_S", 0.02)
    monkeypatch.setattr(bound_log, "__defaults__", (100_000,))
    program = await start(tmp_path, "import time\nwhile True:\n    print('x' * 999); time.sleep(0.0001)")
    async with asyncio.timeout(10):
        while not (tmp_path / "logs" / "web.log.1").exists():
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    await program.stop(0.0)
    assert sum(path.stat().st_size for path in (tmp_path / "logs").iterdir()) < 3_000_000


NODE = """
import asyncio, sys
from pathlib import Path
from mesh.node.process import Program
async def main():
    folder = Path(sys.argv[1])
    program = await Program.start([sys.executable, "-c", "import time; time.sleep(60)"], {}, folder / "log")
    print(program.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.live
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tell a child that its parent has died")
def test_a_program_dies_with_its_node(tmp_path: Path) -> None:
    node = subprocess.Popen([sys.executable, "-c", NODE, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert node.stdout is not None
    try:
        pid = int(node.stdout.readline())
        assert alive(pid)
    finally:
        os.kill(node.pid, signal.SIGKILL)
        node.wait(10)
        node.stdout.close()
    until = time.monotonic() + 5
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.01)
    assert not alive(pid)
