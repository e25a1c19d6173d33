import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mesh.node import read_only

pytestmark = pytest.mark.skipif(not read_only.possible(), reason="no mounts of its own for a process on this system")


def test_what_is_guarded_is_read_only_for_the_child_alone(tmp_path: Path) -> None:
    fixed, free = tmp_path / "fixed", tmp_path / "free"
    fixed.mkdir()
    free.mkdir()
    (fixed / "f").write_text("x")
    script = "echo y > f; echo y > $0/g; rm $0/f; cat $0/f; echo z > $1/h"
    guard = read_only.guard([fixed, tmp_path / "not there"])
    done = subprocess.run(
        ["sh", "-c", script, fixed, free], cwd=fixed, preexec_fn=guard, capture_output=True, text=True, check=False
    )
    assert done.stdout == "x"
    assert done.stderr.lower().count("read-only file system") == 3
    assert (os.listdir(fixed), os.listdir(free)) == (["f"], ["h"])
    (fixed / "g").write_text("the node itself may")


def test_a_single_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    done = subprocess.run(
        ["sh", "-c", "echo y > $0", tmp_path / "f"],
        preexec_fn=read_only.guard([tmp_path / "f"]),
        capture_output=True,
        check=False,
    )
    assert (done.returncode != 0, (tmp_path / "f").read_text()) == (True, "x")


def test_nothing_to_guard() -> None:
    assert read_only.guard([]) is None


async def test_a_program_cannot_write_what_is_mounted_read_only(world: Any) -> None:
    await world.node()
    world.make(
        image="busybox", command=["sh", "-c", "touch /rw/x; touch /ro/x || touch /rw/refused"], restartPolicy="Never",
        volumes=[{"name": "v", "emptyDir": {}}],
        volumeMounts=[{"name": "v", "mountPath": "/ro", "readOnly": True, "subPath": "ro"}, {"name": "v", "mountPath": "/rw"}],
    )  # fmt: skip
    await world.until(lambda pod: pod.status.phase == "Succeeded")
    (worker,) = world.agents[0].pods
    where = worker.host.volumes.directory(worker.pod, worker.pod.spec.volumes[0])
    assert sorted(path.name for path in where.iterdir()) == ["refused", "ro", "x"]
    assert list((where / "ro").iterdir()) == []
