"""What was acknowledged is there after the control process was killed and started again on the same folder."""

import os
import signal
import time
from pathlib import Path

import pytest

from mesh.testing.load import Load, run
from tests.scenarios.support import ROUTES, Mesh, Up

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]


def kill_control(mesh: Mesh) -> None:
    """SIGKILL, and wait until every process of the mesh is gone: the others end with the one they belong to."""
    os.kill(mesh.up["control"]["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while left := [pid for pid in mesh.pids() if running(pid)]:
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.05)


def running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


async def test_rules_survive_a_killed_control_process(up: Up, tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    mesh = up("-f", str(ROUTES / "ab-test"), "--state", state)
    mesh.apply(ROUTES / "ab-test" / "later" / "default-v2.yaml")
    kept = [f"kept-{number}" for number in range(20)]
    mesh.apply_text("---".join(f"\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n" for name in kept))
    kill_control(mesh)

    again = up("--state", state)
    names = again.cli("get", "namespaces", "-o", "name").out.split()
    assert set(kept) <= {name.partition("/")[2] for name in names}
    answers = await run(Load(address=again.people, port=again.gateway_port, requests=200))
    assert (answers.errors, answers.versions) == (0, {"v2.0.0": 200}), answers.failures[:3]


def test_values_of_a_store_survive(up: Up, tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    mesh = up("-f", str(ROUTES / "headless-sharding"), "--state", state)
    keys = ["key-0", "key-1"]
    for number, key in enumerate(keys):
        assert mesh.cli("kv", "put", key, f"value {number}").code == 0
    kill_control(mesh)

    again = up("--state", state)
    for number, key in enumerate(keys):
        assert again.cli("kv", "get", key).out.strip() == f"value {number}"
