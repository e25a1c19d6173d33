import asyncio
import errno
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.node import lifecycle
from mesh.node import pod as pod_module
from mesh.node.host import PodSettings, meshed
from mesh.runtime.net import BindError


async def ask(address: str, path: str = "/", port: int = 8080) -> str:
    try:
        reader, writer = await asyncio.open_connection(address, port)
    except ConnectionRefusedError:
        return "refused"
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
        return (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")[2].decode() or "cut"
    except ConnectionResetError:
        return "cut"
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("meta", "wanted"),
    [
        ({}, True),
        ({"labels": {"sidecar.istio.io/inject": "false"}}, False),
        ({"annotations": {"sidecar.istio.io/inject": "False"}}, False),
        ({"annotations": {"sidecar.istio.io/inject": "true"}, "labels": {"sidecar.istio.io/inject": "false"}}, True),
    ],
)
def test_meshed(meta: dict[str, Any], wanted: bool) -> None:
    assert meshed(Pod.model_validate({"metadata": meta})) is wanted


async def test_a_pod_that_starts_is_one_write(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "SETTLE_S", 5.0)
    await world.node()
    world.client.calls.clear()
    world.make(readinessProbe={"httpGet": {"path": "/ready", "port": "http"}})
    pod = await world.ready()
    assert [call for call in world.client.calls if call == "patch Pod web"] == ["patch Pod web"]
    assert {c.type: c.status for c in pod.status.conditions or ()} == dict.fromkeys(
        ("PodScheduled", "Initialized", "ContainersReady", "Ready"), "True"
    )
    assert pod.status.host_ip == world.plan.node(world.index)
    assert [ip.ip for ip in pod.status.pod_ips or ()] == [pod.status.pod_ip]
    assert pod.status.start_time


async def test_a_pod_that_takes_longer_is_two(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "SETTLE_S", 0.6)
    await world.node()
    world.client.calls.clear()
    world.make(env=[{"name": "READY_DELAY_S", "value": "1.0"}],
               readinessProbe={"httpGet": {"path": "/ready", "port": "http"}})  # fmt: skip
    await world.ready()
    assert [call for call in world.client.calls if call == "patch Pod web"] == ["patch Pod web"] * 2


async def test_a_meshed_pod_listens_behind_its_sidecar(world: Any, sidecars: Any) -> None:
    made = sidecars()
    await world.node(sidecars=made)
    world.make()
    pod = await world.ready()
    (sidecar,) = made
    assert (sidecar.pod_ip, sidecar.app_ip) == (pod.status.pod_ip, world.plan.app_of(pod.status.pod_ip))
    assert sidecar.told == ["start"]
    assert await ask(sidecar.app_ip) == "Host: web, Version: unknown\n"
    assert await ask(pod.status.pod_ip) == "refused"  # the fake sidecar binds nothing


async def test_an_unmeshed_pod_has_none(world: Any, sidecars: Any) -> None:
    made = sidecars()
    await world.node(sidecars=made)
    world.make(labels={"sidecar.istio.io/inject": "false"})
    pod = await world.ready()
    assert (list(made), await ask(pod.status.pod_ip)) == ([], "Host: web, Version: unknown\n")


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        pytest.param(
            BindError("127.0.0.9", 15001, "the port is in use by another program"),
            "cannot listen on 127.0.0.9:15001: the port is in use by another program",
            id="port",
        ),
        pytest.param(KeyError("x"), "sidecar: KeyError('x')", id="anything else"),
    ],
)
async def test_a_sidecar_that_does_not_start_is_told_and_tried_again(
    world: Any, sidecars: Any, monkeypatch: pytest.MonkeyPatch, failure: Exception, text: str
) -> None:
    monkeypatch.setattr(pod_module, "SIDECAR_AGAIN_S", 0.2)
    made = sidecars([failure])
    await world.node(sidecars=made)
    world.make()
    await world.until(
        lambda pod: [(c.state.waiting or {}).get("message") for c in pod.status.container_statuses or ()] == [text]
    )
    assert [event.message for event in await world.events("FailedSidecar")] == [text]
    await world.ready()


async def test_fields_that_are_not_executed_are_told(world: Any) -> None:
    await world.node()
    world.make(command=["sleep", "1"], lifecycle={"preStop": {"exec": {"command": ["x"]}}},
               initContainers=[{"name": "init", "image": "httpd"}])  # fmt: skip
    await world.ready()
    await asyncio.sleep(0.1)
    told = {event.message.partition(":")[0] for event in await world.events("NotExecuted")}
    assert told == {
        "spec.initContainers{init}",
        "spec.containers{app}.command",
        "spec.containers{app}.lifecycle.preStop",
    }


async def test_another_image_is_a_restart_at_the_same_address(world: Any) -> None:
    await world.node()
    world.make(image="nginx:1.25")
    first = await world.ready()
    patch = {
        "spec": {
            "containers": [
                {**first.spec.containers[0].model_dump(by_alias=True, exclude_none=True), "image": "nginx:1.26"}
            ]
        }
    }
    await world.client.patch(Pod, "web", patch, "default")
    pod = await world.until(lambda pod: pod.ready and pod.status.container_statuses[0].restart_count == 1)
    assert (pod.status.container_statuses[0].image, pod.status.pod_ip) == ("nginx:1.26", first.status.pod_ip)
    assert "Container app definition changed, will be restarted" in {e.message for e in await world.events("Killing")}


async def test_a_label_is_no_restart(world: Any) -> None:
    await world.node()
    world.make()
    await world.ready()
    await world.client.patch(Pod, "web", {"metadata": {"labels": {"version": "v2"}}}, "default")
    await asyncio.sleep(0.1)
    pod = await world.pod()
    assert (pod.ready, pod.status.container_statuses[0].restart_count) == (True, 0)


# The end.


async def test_a_pod_leaves_in_order(world: Any, sidecars: Any) -> None:
    made = sidecars(draining_s=0.3)
    settings = PodSettings(linger_s=0.3, drain_s=1.0)
    await world.node(sidecars=made, settings=settings)
    world.make()
    await world.ready()
    (sidecar,) = made
    await world.client.delete(Pod, "web", "default")
    pod = await world.until(lambda pod: not pod.ready, within_s=0.25)
    assert next(c.reason for c in pod.status.conditions or () if c.type == "Ready") == "Terminating"
    assert sidecar.told == ["start"], "it lingers first"
    assert await ask(sidecar.app_ip) == "Host: web, Version: unknown\n"
    await asyncio.sleep(0.3)
    assert sidecar.told == ["start", "drain"]
    assert await ask(sidecar.app_ip) == "Host: web, Version: unknown\n", "it answers while the sidecar drains"
    await world.gone()
    assert sidecar.told == ["start", "drain", "stop"]
    assert await ask(sidecar.app_ip) == "refused"
    assert [event.message for event in await world.events("Killing")] == ["Stopping container app"]


async def test_requests_under_way_are_answered(world: Any) -> None:
    await world.node()
    world.make()
    pod = await world.ready()
    asking = asyncio.ensure_future(ask(pod.status.pod_ip, "/delay/0.8"))
    await asyncio.sleep(0.1)
    await world.client.delete(Pod, "web", "default")
    assert await asking == "Host: web, Version: unknown\n"
    await world.gone()


async def test_the_grace_period_ends_what_does_not_end_by_itself(world: Any) -> None:
    await world.node(
        images={"stubborn": f"{sys.executable} -u -c 'import signal, time; signal.signal(15, 1); time.sleep(60)'"}
    )
    world.make(image="stubborn", terminationGracePeriodSeconds=1)
    await world.ready()
    await asyncio.sleep(0.3)
    before = time.monotonic()
    await world.client.delete(Pod, "web", "default")
    await world.gone()
    assert 0.9 < time.monotonic() - before < 3


async def test_what_ends_while_the_pod_goes_is_not_started_again(world: Any, tmp_path: Path) -> None:
    code = "import os, sys, time; print(1); time.sleep(0.5)"
    agent = await world.node(images={"short": f"{sys.executable} -u -c '{code}'"}, settings=PodSettings(linger_s=1.0))
    world.make(image="short")
    await world.ready()
    await world.client.delete(Pod, "web", "default")
    await world.gone()
    assert (agent.log_dir / "default_web_app.log").read_text() == "1\n"


async def test_a_second_deletion_may_shorten_the_first(world: Any) -> None:
    await world.node()
    world.make(terminationGracePeriodSeconds=60)
    pod = await world.ready()
    asking = asyncio.ensure_future(ask(pod.status.pod_ip, "/delay/20"))
    await asyncio.sleep(0.1)
    await world.client.delete(Pod, "web", "default")
    await asyncio.sleep(0.5)
    before = time.monotonic()
    await world.client.delete(Pod, "web", "default", grace_period_s=1)
    await world.gone()
    assert time.monotonic() - before < 3
    assert await asking == "cut"


async def test_no_grace_at_all_stops_it_at_once(world: Any, sidecars: Any) -> None:
    made = sidecars()
    agent = await world.node(sidecars=made)
    world.make()
    await world.ready()
    await world.client.delete(Pod, "web", "default", grace_period_s=0)
    async with asyncio.timeout(3):
        while agent.pods:
            await asyncio.sleep(0.01)
    assert made[0].told == ["start", "stop"]


async def test_a_pod_that_is_done_needs_no_sidecar(world: Any, sidecars: Any) -> None:
    made = sidecars()
    await world.node(sidecars=made, images={"job": f"{sys.executable} -c pass"})
    world.make(image="job", restartPolicy="Never")
    await world.until(lambda pod: pod.status.phase == "Succeeded")
    await asyncio.sleep(0.05)
    assert made[0].told == ["start", "stop"]
    await world.client.delete(Pod, "web", "default")
    await world.gone()


async def test_a_sidecar_that_never_came_up_is_not_drained(world: Any, sidecars: Any) -> None:
    made = sidecars([BindError("127.0.0.9", 15001, "no")])
    await world.node(sidecars=made)
    world.make()
    await world.events("FailedSidecar")
    await world.client.delete(Pod, "web", "default")
    await world.gone()
    assert made[0].told == ["stop"]


async def test_a_sidecar_that_fails_to_stop_does_not_keep_the_pod(world: Any, sidecars: Any) -> None:
    made = sidecars()
    await world.node(sidecars=made)
    world.make()
    await world.ready()

    async def broken() -> None:
        raise OSError(errno.EIO, "no")

    made[0].stop = broken
    await world.client.delete(Pod, "web", "default")
    await world.gone()
