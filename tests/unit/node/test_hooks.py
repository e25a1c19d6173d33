"""postStart and preStop: what runs, what it may take, and what a failure does."""

import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mesh.api.core import Container, Pod
from mesh.node import hooks, lifecycle

PY = f"{sys.executable} -u -c"
SERVE = f"{PY} 'import time; time.sleep(60)'"


def touch(path: Path, text: str = "x") -> dict[str, Any]:
    code = f"open({str(path)!r}, 'a').write({text!r})"
    return {"exec": {"command": [sys.executable, "-c", code]}}


async def carry_out(tmp_path: Path, wanted: Mapping[str, Any], program: bool = True) -> str | None:
    container = Container.model_validate({"name": "app", "ports": [{"name": "http", "containerPort": 1}]})
    return await hooks.run(
        wanted, container, "127.0.0.1", program, lambda words: (words, {"NAME": "web"}, tmp_path / "d", None)
    )


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        pytest.param({"exec": {"command": ["true"]}}, None, id="success"),
        pytest.param({"sleep": {"seconds": 0}}, None, id="sleep"),
        pytest.param({"exec": {"command": ["sh", "-c", "echo $NAME; exit 3"]}}, "exited with 3: web", id="failure"),
        pytest.param({"exec": {"command": ["no-such-thing"]}}, "exited with 127", id="not there"),
        pytest.param({"httpGet": {"port": "http"}}, "connection refused", id="refused"),
        pytest.param({"httpGet": {"port": "web"}}, "has no port of that name", id="unknown port"),
        pytest.param({"httpGet": {}}, "port", id="no port"),
        pytest.param({"sleep": {"seconds": "long"}}, "could not convert", id="no number"),
    ],
)
async def test_what_a_hook_says(tmp_path: Path, wanted: Mapping[str, Any], problem: str | None) -> None:
    found = await carry_out(tmp_path, wanted)
    assert found is None if problem is None else problem in (found or "")


@pytest.mark.parametrize("command", [["sleep", "0.2"], ["/bin/sleep", "0.2"], ["/bin/sh", "-c", "sleep 0.2"]])
async def test_a_plain_sleep_needs_no_program(tmp_path: Path, command: list[str]) -> None:
    before = time.monotonic()
    assert await carry_out(tmp_path, {"exec": {"command": command}}, program=False) is None
    assert time.monotonic() - before >= 0.19


async def test_post_start_holds_the_container_back(world: Any, tmp_path: Path) -> None:
    await world.node(images={"serve": SERVE})
    world.make(image="serve", lifecycle={"postStart": touch(tmp_path / "note")})
    await world.ready()
    assert (tmp_path / "note").read_text() == "x"


async def test_post_start_that_fails_is_a_restart(world: Any) -> None:
    await world.node(images={"serve": SERVE})
    world.make(
        image="serve", lifecycle={"postStart": {"exec": {"command": ["false"]}}}, terminationGracePeriodSeconds=1
    )
    await world.until(lambda pod: pod.status.container_statuses and pod.status.container_statuses[0].restart_count)
    (event, *_) = await world.events("FailedPostStartHook")
    assert (event.message, event.type) == ("PostStartHook failed: command 'false' exited with 1", "Warning")


async def test_pre_stop_comes_before_the_end(world: Any, tmp_path: Path) -> None:
    note = tmp_path / "note"
    (tmp_path / "code.py").write_text(
        "import signal, sys, time\nsignal.signal(15, lambda *a: (open(sys.argv[1], 'a').write('end'), sys.exit()))\n"
        "open(sys.argv[1], 'a').write('start '); time.sleep(60)\n"
    )
    await world.node(images={"serve": f"{sys.executable} {tmp_path / 'code.py'}"})
    world.make(image="serve", args=[str(note)], lifecycle={"preStop": touch(note, "hook ")})
    await world.ready()
    async with asyncio.timeout(8):
        while not note.exists() or not note.read_text():
            await asyncio.sleep(0.02)
    await world.client.delete(Pod, "web", "default")
    await world.gone()
    assert note.read_text() == "start hook end"


async def test_pre_stop_that_takes_too_long_is_ended(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "LEAST_GRACE_S", 0.5)
    await world.node()
    world.make(lifecycle={"preStop": {"sleep": {"seconds": 60}}}, terminationGracePeriodSeconds=1)
    await world.ready()
    before = time.monotonic()
    await world.client.delete(Pod, "web", "default")
    await world.gone()
    assert 0.9 < time.monotonic() - before < 4
    (event,) = await world.events("FailedPreStopHook")
    assert event.message == "PreStopHook failed: it was not done within the grace period"


async def test_pre_stop_also_comes_before_a_restart(world: Any, tmp_path: Path) -> None:
    note = tmp_path / "note"
    await world.node(images={"serve": SERVE, "other": SERVE})
    world.make(image="serve", lifecycle={"preStop": touch(note)}, terminationGracePeriodSeconds=2)
    await world.ready()
    patch = {"spec": {"containers": [{"name": "app", "image": "other"}]}}
    await world.client.patch(Pod, "web", patch, "default", content_type="application/strategic-merge-patch+json")
    await world.until(lambda pod: pod.status.container_statuses[0].restart_count == 1 and pod.ready)
    assert note.read_text() == "x"
