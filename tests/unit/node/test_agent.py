import asyncio
import time
from collections import Counter
from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.node import agent as agent_module
from mesh.node import status_writer
from mesh.node.address_pool import AddressPool


async def ask(address: str) -> str:
    try:
        reader, writer = await asyncio.open_connection(address, 8080)
    except ConnectionRefusedError:
        return "refused"
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer.partition(b"\r\n\r\n")[2].decode().split(",")[0]


async def test_pods_of_this_node_run_and_no_others(world: Any) -> None:
    agent = await world.node()
    world.make("mine")
    world.make("theirs", node="node-2")
    await world.ready("mine")
    await asyncio.sleep(0.1)
    assert [worker.pod.name for worker in agent.pods] == ["mine"]
    assert (await world.pod("theirs")).status.pod_ip is None


async def test_pods_that_were_bound_before_the_node_came(world: Any) -> None:
    world.make("early")
    await world.node()
    pod = await world.ready("early")
    assert await ask(pod.status.pod_ip) == "Host: early"


async def test_a_replaced_pod_has_a_new_address(world: Any) -> None:
    await world.node()
    seen = []
    for _ in range(3):
        world.make("kv-0")
        seen.append((await world.ready("kv-0")).status.pod_ip)
        await world.client.delete(Pod, "kv-0", "default", grace_period_s=0)
        await world.gone("kv-0")
    assert len(set(seen)) == 3


async def test_a_namesake_is_another_pod(world: Any) -> None:
    """The name goes and comes back within one breath: two changes for the watch, never one pod's status on another."""
    agent = await world.node()
    world.make("kv-0")
    first = await world.ready("kv-0")
    await world.client.delete(Pod, "kv-0", "default", grace_period_s=0)
    world.make("kv-0")
    second = await world.ready("kv-0")
    assert second.metadata.uid != first.metadata.uid
    assert second.status.pod_ip != first.status.pod_ip
    await asyncio.sleep(0.1)
    assert [worker.pod.metadata.uid for worker in agent.pods] == [second.metadata.uid]
    assert await ask(first.status.pod_ip) == "refused"


async def test_a_node_that_comes_back_takes_its_pods_up_again(world: Any) -> None:
    agent = await world.node()
    for name in ("a", "b"):
        world.make(name)
    before = {name: await world.ready(name) for name in ("a", "b")}
    await agent.stop()
    assert await ask(before["a"].status.pod_ip) == "refused"
    await world.node()
    for name in ("a", "b"):
        first = before[name]
        pod = await world.until(lambda pod: pod.ready and pod.status.container_statuses[0].restart_count == 1, name)
        assert (pod.status.pod_ip, pod.status.start_time) == (first.status.pod_ip, first.status.start_time)
        ended = pod.status.container_statuses[0].last_state.terminated
        assert ended["containerID"] == first.status.container_statuses[0].container_id


async def test_a_new_pod_does_not_take_the_address_of_one_that_returns(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await world.node()
    world.make("z-old")
    old = await world.ready("z-old")
    await agent.stop()
    world.make("a-new")  # comes first in the list
    host = world.plan.host_of(world.index, old.status.pod_ip)
    monkeypatch.setattr(agent_module, "AddressPool", lambda first: AddressPool(host))
    await world.node()
    back = await world.until(lambda pod: pod.ready and pod.status.container_statuses[0].restart_count == 1, "z-old")
    assert back.status.pod_ip == old.status.pod_ip
    assert (await world.ready("a-new")).status.pod_ip != old.status.pod_ip


async def test_a_pod_that_was_marked_while_the_node_was_away_is_only_confirmed(world: Any) -> None:
    agent = await world.node()
    world.make()
    await world.ready()
    await agent.stop()
    await world.client.delete(Pod, "web", "default")
    again = await world.node()
    await world.gone()
    assert again.pods == []


async def test_pods_that_are_done_are_left_alone(world: Any) -> None:
    world.make()
    await world.client.patch(Pod, "web", {"status": {"phase": "Succeeded"}}, "default", subresource="status")
    agent = await world.node()
    await asyncio.sleep(0.1)
    assert agent.pods == []


async def test_pods_run_on_while_the_api_is_away(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_writer, "AGAIN_S", 0.05)
    await world.node()
    world.make(env=[{"name": "READY_DELAY_S", "value": "0.4"}],
               readinessProbe={"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1})  # fmt: skip
    pod = await world.until(lambda pod: pod.status.pod_ip)
    world.client.away = True
    await asyncio.sleep(1.0)
    assert await ask(pod.status.pod_ip) == "Host: web"
    assert not (await world.pod()).ready
    world.client.away = False
    await world.ready()


async def test_a_removal_is_confirmed_when_the_api_is_back(world: Any) -> None:
    agent = await world.node()
    world.make()
    await world.ready()
    await world.client.delete(Pod, "web", "default")
    world.client.away = True
    async with asyncio.timeout(5):
        while agent.pods:
            await asyncio.sleep(0.01)
    assert (await world.pod()).metadata.deletion_timestamp
    world.client.away = False
    await world.gone()


async def test_a_full_node_says_so_and_goes_on_when_there_is_room(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh.node.address_pool.PODS_PER_NODE", 1)
    monkeypatch.setattr(agent_module, "PODS_PER_NODE", 1)
    monkeypatch.setattr(agent_module, "FULL_AGAIN_S", 0.1)
    await world.node()
    world.make("first")
    await world.ready("first")
    world.make("second")
    (event,) = await world.events("FailedCreatePodSandBox", name="second")
    assert event.message == "all 1 pod addresses of the node are in use"
    await world.client.delete(Pod, "first", "default", grace_period_s=0)
    await world.ready("second")


async def test_an_empty_dir_of_a_pod_that_left_unseen_is_removed(world: Any) -> None:
    left = world.folder / "nodes" / "node-1" / "pods" / "uid-of-nobody" / "empty" / "tmp"
    left.mkdir(parents=True)
    await world.node()
    assert not left.exists()


async def test_a_hundred_pods(world: Any) -> None:
    """The start of a hundred pods costs little, their stop less, and each has an address of its own."""
    agent = await world.node()
    before = time.process_time()
    for number in range(100):
        world.make(f"web-{number}", readinessProbe={"httpGet": {"path": "/ready", "port": "http"}})
    async with asyncio.timeout(30):
        while not all(pod.ready for pod in (await world.client.list(Pod)).items):
            await asyncio.sleep(0.1)
    spent_s = time.process_time() - before
    pods = (await world.client.list(Pod)).items
    assert len({pod.status.pod_ip for pod in pods}) == 100
    writes = Counter(call.split()[0] for call in world.client.calls if call.startswith("patch Pod"))
    assert writes["patch"] <= 200
    assert spent_s < 3.0, "CPU of node, API and store together"
    before = time.monotonic()
    await agent.stop()
    assert time.monotonic() - before < 2.0
