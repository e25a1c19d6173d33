"""What stays of a mesh that was killed, and what may run beside it."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.testing.load import Load, run
from tests.scenarios.support import ROUTES, Mesh, Up, cli, start, stop

pytestmark = [pytest.mark.live, pytest.mark.timeout(60)]

CANARY = str(ROUTES / "canary")
SETTLED_S = 10
# A pod that never gets ready keeps a start from its end.
NEVER_READY = """apiVersion: apps/v1
kind: Deployment
metadata: {name: never}
spec:
  selector: {matchLabels: {app: never}}
  template:
    metadata: {labels: {app: never}}
    spec:
      containers:
        - {name: c, image: i, env: [{name: LATENCY_MS, value: soon}]}
"""


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """Start a mesh: `up("-f", "routes/canary")`."""
    home = tmp_path / "home"
    home.mkdir()
    yield lambda *words: start(home, *words)
    stop(home)


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def control_processes(home: Path) -> list[int]:
    """Control processes whose state is below this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"mesh.emulator" in words and b"control" in words and str(home).encode() in b" ".join(words):
            found.append(int(path.parent.name))
    return found


def until_gone(home: Path) -> None:
    deadline = time.monotonic() + SETTLED_S
    while left := control_processes(home):
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.05)


class Writer:
    """Creates one namespace after the other until the API server is gone; `acknowledged` are those with a 201."""

    def __init__(self, mesh: Mesh) -> None:
        self.acknowledged: list[str] = []
        self._address = mesh.up["api"].removeprefix("http://")
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self) -> None:
        with contextlib.closing(http.client.HTTPConnection(self._address, timeout=5)) as connection:
            for number in range(100_000):
                if not self._create(connection, f"written-{number}"):
                    return

    def _create(self, connection: http.client.HTTPConnection, name: str) -> bool:
        """Whether there was an answer."""
        body = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        try:
            connection.request("POST", "/api/v1/namespaces", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return False
        if answer.status == 201:
            self.acknowledged.append(name)
        return True

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + SETTLED_S
        while len(self.acknowledged) < count:
            assert time.monotonic() < deadline, len(self.acknowledged)
            time.sleep(0.005)

    def join(self) -> None:
        self._thread.join(SETTLED_S)
        assert not self._thread.is_alive()


async def test_every_acknowledged_write_survives_sigkill(up: Up, tmp_path: Path) -> None:
    """The control process dies in the middle of writes; started again at once, all is there and pods serve again."""
    state = str(tmp_path / "state")
    mesh = up("-f", CANARY, "--state", state)
    writer = Writer(mesh)
    writer.wait_for(50)
    os.kill(mesh.up["control"]["pid"], signal.SIGKILL)
    again = up("--state", state)
    writer.join()

    assert not [pid for pid in mesh.pids() if alive(pid)], "the children go with the control process"
    there = set(again.cli("get", "namespaces", "-o", "name").out.split())
    assert {f"namespace/{name}" for name in writer.acknowledged} <= there
    assert again.cli("status").code == 0
    answers = await run(Load(address=again.people, port=again.gateway_port, requests=500))
    assert answers.errors == 0, answers.failures[:3]
    assert 420 <= answers.versions["v1.0.0"] <= 480


async def test_two_meshes_do_not_see_each_other(up: Up, tmp_path: Path) -> None:
    """Other name, other MESH_HOME, other addresses; the objects of one are not in the other."""
    one = up("-f", CANARY)
    home = tmp_path / "other"
    two = start(home, "--name", "other", "-f", str(ROUTES / "ab-test"))
    try:
        assert one.people != two.people
        for mesh, versions in ((one, {"v1.0.0", "v2.0.0"}), (two, {"v1.0.0"})):
            answers = await run(Load(address=mesh.people, port=mesh.gateway_port, requests=100))
            assert (answers.errors, set(answers.versions)) == (0, versions), answers.failures[:3]
    finally:
        stop(home)
    answers = await run(Load(address=one.people, port=one.gateway_port, requests=50))
    assert answers.errors == 0, answers.failures[:3]


def test_one_state_belongs_to_one_mesh(up: Up, tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    mesh = up("--state", state)
    same_name = mesh.cli("up", "--detach")
    assert (same_name.code, "a mesh named 'default' is running" in same_name.err) == (1, True), same_name.err
    same_state = mesh.cli("up", "--detach", "--name", "second", "--state", state)
    assert (same_state.code, "in use by another mesh" in same_state.err) == (1, True), same_state.err
    assert mesh.cli("status").code == 0


@pytest.mark.parametrize(
    ("number", "code", "after_s"),
    [
        pytest.param(signal.SIGINT, 130, 0.0, id="Ctrl-C early"),
        pytest.param(signal.SIGINT, 130, 0.7, id="Ctrl-C late"),
        pytest.param(signal.SIGTERM, 130, 0.4, id="SIGTERM"),
        pytest.param(signal.SIGKILL, -9, 0.4, id="SIGKILL"),
    ],
)
def test_nothing_stays_of_an_abandoned_start(tmp_path: Path, number: int, code: int, after_s: float) -> None:
    """`mesh up` ends so long after its control process came to be: no process, no file that says that a mesh runs, no traceback."""
    never = tmp_path / "never.yaml"
    never.write_text(NEVER_READY)
    said = tmp_path / "said"
    with open(said, "wb") as out:
        command = subprocess.Popen(
            [sys.executable, "-m", "mesh.cli.main", "up", "--detach", "-f", CANARY, "-f", str(never)],
            stdout=out,
            stderr=out,
            env={**os.environ, "MESH_HOME": str(tmp_path)},
        )
    deadline = time.monotonic() + SETTLED_S
    while not control_processes(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(after_s)
    command.send_signal(number)
    assert command.wait(SETTLED_S) == code
    assert "Traceback" not in said.read_text()
    until_gone(tmp_path)
    assert cli(tmp_path, "status").code == 1


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, id="Ctrl-C"), pytest.param(signal.SIGTERM, id="SIGTERM")]
)
def test_a_mesh_in_the_foreground_ends_with_its_command(tmp_path: Path, number: int) -> None:
    """In the very moment in which the command says how to stop it, that works already."""
    with subprocess.Popen(
        [sys.executable, "-m", "mesh.cli.main", "up"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "MESH_HOME": str(tmp_path)},
    ) as command:
        assert command.stderr is not None
        said = ""
        while "Ctrl-C stops it" not in said:
            said = command.stderr.readline()
            assert said, "the start failed"
        command.send_signal(number)
        assert command.wait(SETTLED_S) == 0
        assert command.stderr.read() == "stopping\n"
    assert not control_processes(tmp_path)
    assert cli(tmp_path, "status").code == 1
