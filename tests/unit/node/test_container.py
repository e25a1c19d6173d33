import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from mesh.api.core import ContainerStatus, Pod

PROGRAM = f"{sys.executable} -u -c"


def state(pod: Pod) -> ContainerStatus:
    return (pod.status.container_statuses or [ContainerStatus(name="none")])[0]


def waits(reason: str) -> Any:
    return lambda pod: (state(pod).state.waiting or {}).get("reason") == reason


async def test_a_built_in_application_runs(world: Any) -> None:
    await world.node()
    world.make()
    pod = await world.ready()
    now = state(pod)
    assert now.state.running is not None
    assert (now.ready, now.started, now.restart_count) == (True, True, 0)
    assert now.image_id.startswith("containersol/k8s-deployment-strategies@sha256:")
    assert (now.container_id or "").startswith("loopmesh://")
    events = await world.events("Pulled", "Created", "Started")
    assert {event.message for event in events} == {
        'Container image "containersol/k8s-deployment-strategies" already present on machine',
        "Created container: app",
        "Started container app",
    }


async def test_an_unknown_image_is_stood_in_for_and_people_are_told(world: Any) -> None:
    await world.node()
    world.make(image="my/shop:1")
    await world.ready()
    (event,) = await world.events("Pulled")
    assert (event.type, event.message) == (
        "Normal", 'Image "my/shop:1" is not known here: the demo application stands in for it',
    )  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "reason", "message"),
    [
        pytest.param(
            {"env": [{"name": "LATENCY_MS", "value": "abc"}]},
            "CreateContainerConfigError",
            "Error: environment variable LATENCY_MS: 'abc' is not a number; 0 to 60000 is wanted",
            id="setting",
        ),
        pytest.param({"image": "nginx:does-not-exist"}, "ErrImagePull",
                     'Failed to pull image "nginx:does-not-exist": image not found', id="image"),
        pytest.param({"image": "broken"}, "ErrImagePull",
                     'Failed to pull image "broken": command not found: no-such-program', id="command"),
        pytest.param(
            {"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
            "CreateContainerConfigError",
            'Error: secret "s" not found',
            id="secret",
        ),
    ],
)  # fmt: skip
async def test_a_start_that_fails_says_why(world: Any, spec: dict[str, Any], reason: str, message: str) -> None:
    await world.node(images={"broken": "no-such-program --flag"})
    world.make(**spec)
    pod = await world.until(waits(reason))
    assert pod.status.phase == "Pending"
    (event,) = await world.events("Failed")
    assert (event.type, event.message) == ("Warning", message)
    assert ((state(pod).state.waiting or {})["message"], state(pod).restart_count) == (message, 0)


async def test_an_image_that_is_missing_backs_off(world: Any) -> None:
    await world.node()
    world.make(image="nginx:does-not-exist")
    await world.until(waits("ImagePullBackOff"))


async def test_a_crash_is_a_restart_with_back_off(world: Any) -> None:
    await world.node(images={"web": "crash"})
    world.make(image="web")
    pod = await world.until(waits("CrashLoopBackOff"))
    assert state(pod).restart_count >= 1
    ended = state(pod).last_state.terminated or {}
    assert (ended["exitCode"], ended["reason"]) == (1, "Error")
    assert "restarting failed container=app pod=web_default(" in (state(pod).state.waiting or {})["message"]
    assert pod.status.phase == "Running"
    (event,) = await world.events("BackOff")
    assert (event.type, event.message) == ("Warning", "Back-off restarting failed container app in pod web")
    await world.until(lambda pod: state(pod).restart_count >= 3)


async def test_an_image_that_is_never_ready(world: Any) -> None:
    await world.node(images={"web": "never-ready"})
    world.make(image="web")
    pod = await world.until(lambda pod: state(pod).state.running is not None)
    await asyncio.sleep(0.2)
    assert not (await world.pod()).ready
    assert pod.status.phase == "Running"


async def test_two_containers_on_one_port(world: Any) -> None:
    await world.node()
    ports = [{"containerPort": 8080}]
    world.make(containers=[{"name": name, "image": "nginx", "ports": ports} for name in ("one", "two")])
    pod = await world.until(lambda pod: any(c.state.waiting for c in pod.status.container_statuses or ()))
    (event,) = await world.events("Failed")
    assert event.message.startswith("Error: cannot listen on 127.")
    assert event.message.endswith(":8080: the port is in use by another program")
    assert not pod.ready


# Programs.


async def test_a_program_listens_where_it_is_told(world: Any, tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(
        "import http.server, os\n"
        "class Answer(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200); self.end_headers(); self.wfile.write(os.environ['POD_NAME'].encode())\n"
        "print('listening', os.environ['HOST'], os.environ['PORT'])\n"
        "http.server.HTTPServer((os.environ['HOST'], int(os.environ['PORT'])), Answer).serve_forever()\n"
    )
    agent = await world.node(images={"web": f"{sys.executable} -u {script}"})
    world.make(image="web:1", readinessProbe={"httpGet": {"port": "http"}, "periodSeconds": 1})
    pod = await world.ready()
    reader, writer = await asyncio.open_connection(pod.status.pod_ip, 8080)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(), 5)).endswith(b"web")
    writer.close()
    log = (agent.log_dir / "default_web_app.log").read_text()
    assert log.startswith(f"listening {pod.status.pod_ip} 8080")


@pytest.mark.parametrize(
    ("policy", "code", "phase"),
    [("Never", 0, "Succeeded"), ("Never", 3, "Failed"), ("OnFailure", 0, "Succeeded")],
)
async def test_a_program_that_is_done(world: Any, policy: str, code: int, phase: str) -> None:
    await world.node(images={"job": f"{PROGRAM} 'raise SystemExit({code})'"})
    world.make(image="job", restartPolicy=policy)
    pod = await world.until(lambda pod: pod.status.phase == phase)
    ended = state(pod).state.terminated or {}
    assert (ended["exitCode"], ended["reason"]) == (code, "Completed" if code == 0 else "Error")
    assert state(pod).restart_count == 0


async def test_a_program_that_fails_is_restarted(world: Any) -> None:
    await world.node(images={"job": f"{PROGRAM} 'raise SystemExit(3)'"})
    world.make(image="job", restartPolicy="OnFailure")
    pod = await world.until(lambda pod: state(pod).restart_count >= 2)
    assert ((state(pod).last_state.terminated or {})["exitCode"]) == 3


async def test_arguments_and_volumes_reach_a_program(world: Any) -> None:
    agent = await world.node(
        images={"job": f"{PROGRAM} 'import os, sys; print(sys.argv[1:], os.environ[\"VOLUME_DIR\"])'"}
    )
    await world.claim("data-0")
    world.make(image="job", restartPolicy="Never", args=["--name=$(ME)", "$(NONE)"], env=[{"name": "ME", "value": "web"}],
               volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data-0"}}],
               volumeMounts=[{"name": "data", "mountPath": "/data"}])  # fmt: skip
    await world.until(lambda pod: pod.status.phase == "Succeeded")
    where = world.folder / "volumes" / "pv-data-0"
    assert (agent.log_dir / "default_web_app.log").read_text() == f"['--name=web', '$(NONE)'] {where}\n"


# Probes.


async def test_a_readiness_probe_holds_a_pod_back_and_takes_it_out(world: Any) -> None:
    await world.node()
    world.make(env=[{"name": "READY_DELAY_S", "value": "0.5"}],
               readinessProbe={"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1})  # fmt: skip
    pod = await world.until(lambda pod: state(pod).state.running is not None)
    assert (pod.ready, state(pod).started) == (False, True)
    (event,) = await world.events("Unhealthy")
    assert event.message == "Readiness probe failed: HTTP probe failed with statuscode: 503 Service Unavailable"
    await world.ready()


async def test_a_liveness_probe_restarts(world: Any) -> None:
    await world.node()
    probe = {"httpGet": {"path": "/status/500", "port": "http"}, "periodSeconds": 1, "failureThreshold": 1}
    world.make(livenessProbe={**probe, "initialDelaySeconds": 1})
    first = await world.ready()
    pod = await world.until(lambda pod: state(pod).restart_count == 1 and pod.ready)
    assert state(pod).container_id != state(first).container_id
    assert pod.status.pod_ip == first.status.pod_ip
    killing, unhealthy = sorted(await world.events("Killing", "Unhealthy"), key=lambda event: event.reason)
    assert killing.message == "Container app failed liveness probe, will be restarted"
    assert unhealthy.message.startswith("Liveness probe failed: HTTP probe failed with statuscode: 500")


async def test_a_startup_probe_comes_first(world: Any) -> None:
    await world.node()
    ready_at = {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1}
    dead = {"httpGet": {"path": "/status/500", "port": "http"}, "periodSeconds": 1, "failureThreshold": 1}
    world.make(env=[{"name": "READY_DELAY_S", "value": "1.2"}], startupProbe={**ready_at, "failureThreshold": 30},
               livenessProbe=dead)  # fmt: skip
    pod = await world.until(lambda pod: state(pod).state.running is not None)
    assert (pod.ready, state(pod).started) == (False, False)
    await asyncio.sleep(0.8)
    assert state(await world.pod()).restart_count == 0, "the liveness probe must wait for the start"
    await world.until(lambda pod: state(pod).restart_count == 1)


async def test_a_start_that_takes_too_long_is_a_restart(world: Any) -> None:
    await world.node()
    probe = {"httpGet": {"path": "/status/500", "port": "http"}, "periodSeconds": 1, "failureThreshold": 2}
    world.make(startupProbe=probe)
    await world.until(lambda pod: state(pod).restart_count == 1)
    killing = await world.events("Killing")
    assert killing[0].message == "Container app failed startup probe, will be restarted"


@pytest.mark.parametrize("kind", ["exec", "grpc"])
async def test_a_probe_that_is_not_executed_is_told_and_ignored(world: Any, kind: str) -> None:
    await world.node()
    world.make(readinessProbe={"exec": {"command": ["true"]}} if kind == "exec" else {"grpc": {"port": 8080}})
    await world.ready()
    (event,) = await world.events("NotExecuted")
    assert event.type == "Warning"
    assert event.message.startswith(f"Readiness probe ignored: {kind} probes are not executed here")


@pytest.mark.parametrize(("policy", "taken"), [("IfNotPresent", False), ("Always", True)])
async def test_a_changed_program_is_taken_as_the_pull_policy_says(
    world: Any, tmp_path: Path, policy: str, taken: bool
) -> None:
    note, script = tmp_path / "note", tmp_path / "app.py"
    script.write_text(f"open({str(note)!r}, 'a').write('1')")
    await world.node(images={"app": f"{sys.executable} {script}"})
    world.make(image="app", imagePullPolicy=policy)
    before = state(await world.until(lambda pod: state(pod).restart_count >= 1))
    script.write_text(f"open({str(note)!r}, 'a').write('2')")
    count = before.restart_count
    after = state(await world.until(lambda pod: state(pod).restart_count >= count + 3))
    assert (note.read_text().endswith("2"), after.image_id != before.image_id) == (taken, taken)
    pulled = [event.message for event in await world.events("Pulled")]
    assert any("Successfully pulled" in message for message in pulled) is taken
    assert any("already present on machine" in message for message in pulled)


async def test_a_command_asks_a_program_whether_it_is_well(world: Any) -> None:
    await world.node()
    command = ["sh", "-c", "sleep 0.3; touch $VOLUME_V/up; sleep 60"]
    probe = {"exec": {"command": ["cat", "/v/up"]}, "periodSeconds": 1}
    world.make(image="busybox", command=command, readinessProbe=probe, volumes=[{"name": "v"}],
               volumeMounts=[{"name": "v", "mountPath": "/v"}], terminationGracePeriodSeconds=1)  # fmt: skip
    await world.ready()
    (event, *_) = await world.events("Unhealthy")
    assert event.message.startswith("Readiness probe failed: cat: ")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"command": ["sh", "-c", "echo why > /dev/termination-log; exit 3"]}, "why\n", id="its own words"),
        pytest.param({"command": ["sh", "-c", "echo why > $TERMINATION_MESSAGE_PATH"]}, "why\n", id="by environment"),
        pytest.param(
            {"command": ["sh", "-c", "echo logged; exit 3"], "terminationMessagePolicy": "FallbackToLogsOnError"},
            "logged\n", id="the end of its log",
        ),
        pytest.param({"command": ["sh", "-c", "echo logged; exit 3"]}, None, id="nothing"),
    ],
)  # fmt: skip
async def test_a_program_says_why_it_ended(world: Any, fields: dict[str, Any], message: str | None) -> None:
    await world.node()
    world.make(image="busybox", restartPolicy="Never", **fields)
    pod = await world.until(lambda pod: state(pod).state.terminated)
    assert (state(pod).state.terminated or {}).get("message") == message


async def test_a_tool_that_is_not_there(world: Any) -> None:
    await world.node()
    world.make(image="busybox", command=["no-such-tool"])
    pod = await world.until(waits("RunContainerError"))
    text = 'Error: exec: "no-such-tool": executable file not found in $PATH'
    assert (state(pod).state.waiting or {})["message"] == text


async def test_a_working_directory_in_a_volume(world: Any) -> None:
    agent = await world.node()
    world.make(image="busybox", command=["sh", "-c", "pwd"], workingDir="/work/sub", restartPolicy="Never",
               volumes=[{"name": "w"}], volumeMounts=[{"name": "w", "mountPath": "/work"}])  # fmt: skip
    await world.until(lambda pod: pod.status.phase == "Succeeded")
    assert (agent.log_dir / "default_web_app.log").read_text().endswith("/empty/w/sub\n")
