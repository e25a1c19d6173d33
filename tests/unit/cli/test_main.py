"""How commands end: the exit code, one line, and no traceback."""

import errno
import subprocess
import sys

import pytest

from mesh.api.errors import NotFound
from mesh.cli import main
from mesh.cli.errors import UserError
from mesh.runtime.net import BindError

FULL = OSError(errno.ENOSPC, "No space left on device", "/there/file")


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        pytest.param(UserError("a.yaml: wrong"), 2, "mesh: a.yaml: wrong\n", id="bad input"),
        pytest.param(UserError("one\ntwo", 1), 1, "mesh: one\nmesh: two\n", id="it ran"),
        pytest.param(NotFound('pods "a" not found'), 1, 'mesh: pods "a" not found\n', id="refused"),
        pytest.param(BindError("127.0.0.1", 80, "in use"), 1, "mesh: cannot listen on 127.0.0.1:80: in use\n", id="port"),
        pytest.param(FULL, 1, "mesh: /there/file: No space left on device\n", id="full disk"),
        pytest.param(KeyboardInterrupt(), 130, "mesh: interrupted\n", id="Ctrl-C"),
    ],
)  # fmt: skip
def test_every_end_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raised: BaseException, code: int, said: str
) -> None:
    def fail(name: str | None = None) -> None:
        raise raised

    monkeypatch.setitem(main.VERBS, "down", (__name__, "fail"))
    monkeypatch.setattr(sys.modules[__name__], "fail", fail, raising=False)
    with pytest.raises(SystemExit) as ended:
        main.main(["down"])
    assert ended.value.code == code
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["down", "--bogus"], "No such option", id="option"),
        pytest.param(["frob"], "No such command", id="command"),
        pytest.param(["apply"], "Missing option", id="missing"),
    ],
)
def test_bad_usage_ends_with_two(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(words)
    assert ended.value.code == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert not shown.out


def test_a_reader_that_has_seen_enough() -> None:
    """`mesh ... | head -1`: quiet, whatever is left to print."""
    code = (
        "import mesh.cli.main as m, mesh.cli.output as o\n"
        "def down():\n    for _ in range(100_000): o.data('a line')\n"
        "m.VERBS['down'] = ('__main__', 'down')\n"
        "m.main(['down'])\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as command:
        assert command.stdout is not None
        assert command.stderr is not None
        assert command.stdout.readline() == b"a line\n"
        command.stdout.close()
        assert command.stderr.read() == b""
        assert command.wait(10) == 1
