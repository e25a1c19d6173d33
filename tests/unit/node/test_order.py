"""Init containers, what stays beside the others, and the ends that a node brings about itself."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from mesh.api.core import ContainerStatus, Pod
from mesh.node.order import policy_of

PY = f"{sys.executable} -u -c"


def inits(pod: Pod) -> list[ContainerStatus]:
    return list(pod.status.init_container_statuses or ())


def reason(pod: Pod, position: int) -> str | None:
    return (inits(pod)[position].state.waiting or {}).get("reason") if inits(pod) else None


@pytest.mark.parametrize(
    ("pods", "own", "init", "wanted"),
    [
        (None, None, False, "Always"),
        ("Never", None, False, "Never"),
        ("Always", None, True, "OnFailure"),
        ("Never", None, True, "Never"),
        ("Never", "Always", True, "Always"),
        ("OnFailure", "Always", False, "OnFailure"),
    ],
)
def test_policy(pods: str | None, own: str | None, init: bool, wanted: str) -> None:
    pod = Pod.model_validate({"spec": {"restartPolicy": pods, "containers": [{"name": "c", "restartPolicy": own}]}})
    assert policy_of(pod, pod.spec.containers[0], init) == wanted


async def test_init_containers_run_one_by_one(world: Any, tmp_path: Path) -> None:
    note = tmp_path / "note"
    agent = await world.node(images={"step": f"{PY} 'import sys; open(sys.argv[1], \"a\").write(sys.argv[2])'"})
    steps = [{"name": name, "image": "step", "args": [str(note), name]} for name in ("one", "two")]
    world.make(initContainers=steps)
    pod = await world.ready()
    assert note.read_text() == "onetwo"
    assert [(s.name, (s.state.terminated or {}).get("reason"), s.ready) for s in inits(pod)] == [
        ("one", "Completed", True), ("two", "Completed", True),
    ]  # fmt: skip
    assert {c.type: c.status for c in pod.status.conditions or ()}["Initialized"] == "True"
    wanted = {"spec.initContainers{one}", "spec.initContainers{two}", "spec.containers{app}"}
    while {event.involved_object.field_path for event in await world.events("Started")} != wanted:
        await asyncio.sleep(0.01)  # events are written behind the status; the test's own time limit ends the wait
    assert {running.container.name for running in agent.pods[0].all} == {"one", "two", "app"}


async def test_a_pod_waits_for_an_init_container_that_fails(world: Any, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    await world.node(images={"step": f"{PY} 'import os, sys; sys.exit(not os.path.exists(sys.argv[1]))'"})
    world.make(initContainers=[{"name": "one", "image": "step", "args": [str(gate)]}])
    pod = await world.until(lambda pod: reason(pod, 0) == "CrashLoopBackOff")
    assert pod.status.phase == "Pending"
    assert (pod.status.container_statuses[0].state.waiting or {})["reason"] == "PodInitializing"
    said = {c.type: (c.status, c.message) for c in pod.status.conditions or ()}
    assert said["Initialized"] == ("False", "containers with incomplete status: [one]")
    gate.touch()
    assert inits(await world.ready())[0].restart_count >= 1


async def test_a_failed_init_container_fails_a_pod_that_never_restarts(world: Any) -> None:
    await world.node(images={"step": f"{PY} 'raise SystemExit(3)'"})
    world.make(initContainers=[{"name": "one", "image": "step"}], restartPolicy="Never")
    pod = await world.until(lambda pod: pod.status.phase == "Failed")
    assert (inits(pod)[0].state.terminated or {})["exitCode"] == 3
    assert (pod.status.container_statuses[0].state.waiting or {})["reason"] == "PodInitializing"
    assert inits(pod)[0].restart_count == 0


async def test_a_built_in_application_counts_as_done(world: Any) -> None:
    await world.node()
    world.make(initContainers=[{"name": "one", "image": "httpd"}])
    pod = await world.ready()
    assert (inits(pod)[0].state.terminated or {})["exitCode"] == 0
    (event,) = await world.events("NotExecuted")
    assert "httpd is no program here and counts as done" in event.message


async def test_what_stays_starts_first_and_stops_last(world: Any, tmp_path: Path) -> None:
    note = tmp_path / "note"
    code = (
        "import signal, sys, time; say = lambda word: open(sys.argv[1], 'a').write(sys.argv[2] + word); say('+ '); "
        "signal.signal(15, lambda *a: (say('- '), sys.exit())); time.sleep(60)"
    )
    (tmp_path / "code.py").write_text(code)
    await world.node(images={"step": f"{sys.executable} {tmp_path / 'code.py'}"})
    stays = [{"name": n, "image": "step", "args": [str(note), n], "restartPolicy": "Always"} for n in ("a", "b")]
    world.make(initContainers=stays, image="step", args=[str(note), "app"])
    pod = await world.ready()
    assert [(s.ready, s.started) for s in inits(pod)] == [(True, True)] * 2
    async with asyncio.timeout(8):
        while not note.exists() or note.read_text().count("+") < 3:
            await asyncio.sleep(0.02)
    await world.client.delete(Pod, "web", "default")
    await world.gone()
    words = note.read_text().split()
    assert set(words[:3]) == {"a+", "b+", "app+"}
    assert words[3:] == ["app-", "b-", "a-"]


async def test_the_next_one_waits_for_a_startup_probe(world: Any) -> None:
    await world.node()
    probe = {"httpGet": {"path": "/ready", "port": 9090}, "periodSeconds": 1}
    world.make(
        initContainers=[
            {"name": "side", "image": "containersol/k8s-deployment-strategies", "restartPolicy": "Always",
             "ports": [{"containerPort": 9090}], "startupProbe": probe,
             "env": [{"name": "STARTUP_DELAY", "value": "0"}]},
        ]
    )  # fmt: skip
    pod = await world.ready()
    side = inits(pod)[0]
    assert (side.started, side.ready) == (True, True)
    assert (side.state.running or {})["startedAt"] <= (pod.status.container_statuses[0].state.running or {})[
        "startedAt"
    ]


async def test_a_job_ends_though_something_stays(world: Any) -> None:
    await world.node(images={"job": f"{PY} pass"})
    world.make(initContainers=[{"name": "side", "image": "httpd", "ports": [{"containerPort": 9091}],
                                "restartPolicy": "Always"}], image="job", restartPolicy="Never")  # fmt: skip
    pod = await world.until(lambda pod: pod.status.phase == "Succeeded" and inits(pod)[0].state.terminated)
    assert {c.type: c.reason for c in pod.status.conditions or ()}["Ready"] == "PodCompleted"


async def test_a_pod_that_is_active_for_too_long_fails(world: Any, sidecars: Any) -> None:
    made = sidecars()
    agent = await world.node(sidecars=made)
    world.make(activeDeadlineSeconds=1)
    await world.ready()
    pod = await world.until(lambda pod: pod.status.phase == "Failed")
    assert (pod.status.reason, pod.status.message) == (
        "DeadlineExceeded", "Pod was active on the node longer than the specified deadline",
    )  # fmt: skip
    assert "terminated" in pod.status.container_statuses[0].state.model_dump(exclude_none=True)
    assert not pod.ready
    assert (await world.events("DeadlineExceeded"))[0].type == "Normal"
    await asyncio.sleep(0.05)
    assert made[0].told[-1] == "stop"
    assert len(agent.pods) == 1, "its object stays until somebody removes it"
    await world.client.delete(Pod, "web", "default")
    await world.gone()
