"""Whatever the order of events: a Job does each of its parts once, and a node has one daemon at a time."""

import asyncio
import random
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesh.api.batch import Job
from mesh.api.core import Node, Pod
from mesh.api.errors import Conflict, NotFound
from mesh.api.workloads import DaemonSet
from mesh.controllers.job_pods import index_of
from mesh.controllers.settings import Settings
from mesh.store import StoreEvent
from tests.unit.controllers.test_daemonset import daemon_set
from tests.unit.controllers.test_job import end_one, job
from tests.unit.controllers.world import World, template

BOUNDED = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Pods:
    """All pods as they are stored. most: the most that were at work at once, by what `key` says of a pod."""

    def __init__(self, key: Any) -> None:
        self.key, self.now, self.most = key, dict[str, Pod](), Counter[Any]()

    def read(self, event: StoreEvent) -> None:
        pod = Pod.model_validate_json(event.new.data)
        ended = pod.status.phase in ("Succeeded", "Failed") or pod.metadata.deletion_timestamp
        if event.type == "DELETED" or ended:
            self.now.pop(pod.metadata.uid or "", None)
        else:
            self.now[pod.metadata.uid or ""] = pod
        self.most |= Counter(self.key(pod) for pod in self.now.values())


async def _ends(world: World, rng: random.Random, failures: int) -> int:
    """One pod that works ends, well or badly. The answer: how many may still fail."""
    working = [p for p in await world.all(Pod) if p.status.phase == "Running" and not p.metadata.deletion_timestamp]
    if working:
        bad = failures > 0 and rng.random() < 0.3
        try:
            await end_one(world, rng.choice(working), "Failed" if bad else "Succeeded")
        except (NotFound, Conflict):
            return failures
        return failures - bad
    return failures


@BOUNDED
@given(
    completions=st.integers(1, 6),
    parallelism=st.integers(1, 4),
    mode=st.sampled_from(["Indexed", "NonIndexed"]),
    failures=st.integers(0, 3),
    seed=st.integers(0, 2**16),
)
def test_a_job_does_each_part_once(completions: int, parallelism: int, mode: str, failures: int, seed: int) -> None:
    async def run() -> None:
        world, rng = World(Settings(node_grace_s=1e6, job_backoff_s=0.1), seed=seed), random.Random(seed)
        pods, indexes = Pods(lambda pod: "all"), Pods(index_of)
        ends = [world.store.subscribe("pods", each.read) for each in (pods, indexes)]
        spec = {"completions": completions, "parallelism": parallelism, "completionMode": mode, "backoffLimit": 9}
        await world.apply(job(**spec))
        left = failures
        try:
            for _ in range(60):
                await world.jumble(rng, steps=rng.randint(20, 300))
                left = await _ends(world, rng, left)
                if rng.random() < 0.05:
                    world.restart()
                if rng.random() < 0.3:
                    await world.settle(seconds=1)
            for _ in range(completions + failures + 1):
                await world.settle(seconds=5)
                left = await _ends(world, rng, left)
            await world.settle(seconds=5)
            won = [pod for pod in await world.all(Pod) if pod.status.phase == "Succeeded"]
            assert len(won) == completions
            status = (await world.get(Job, "sum")).status
            assert (status.succeeded, status.failed or 0, status.is_true("Complete")) == (
                completions,
                failures - left,
                True,
            )
            assert pods.most["all"] <= parallelism
            if mode == "Indexed":
                assert sorted(index_of(pod) or 0 for pod in won) == list(range(completions))
                assert set(indexes.most.values()) == {1}
        finally:
            for end in ends:
                end()
            world.close()

    asyncio.run(run())


CHANGE = st.one_of(
    st.tuples(st.just("image"), st.sampled_from(["v1", "v2", "v3"])),
    st.tuples(st.just("node"), st.integers(4, 5)),
    st.tuples(st.just("cordon"), st.integers(1, 3)),
    st.tuples(st.just("taint"), st.integers(1, 3)),
    st.tuples(st.just("delete"), st.integers(0, 4)),
)


async def _change(world: World, what: str, value: Any) -> None:
    if what == "image":
        containers = template("agent", value)["spec"]["containers"]
        await world.patch(DaemonSet, "agent", {"spec": {"template": {"spec": {"containers": containers}}}})
    elif what == "node":
        if f"node-{value}" not in {node.name for node in await world.all(Node, None)}:
            world.add_node(f"node-{value}")
    elif what == "cordon":
        await world.client.patch(Node, f"node-{value}", {"spec": {"unschedulable": True}})
    elif what == "taint":
        taints = [{"key": "own", "value": "yes", "effect": "NoExecute"}]
        await world.client.patch(Node, f"node-{value}", {"spec": {"taints": taints}})
    elif pods := await world.all(Pod):
        pod = pods[value % len(pods)]
        await world.client.delete(Pod, pod.name, "default")


@BOUNDED
@given(changes=st.lists(CHANGE, max_size=5), at_once=st.integers(1, 3), seed=st.integers(0, 2**16))
def test_a_node_has_one_daemon_at_a_time(changes: list[tuple[str, Any]], at_once: int, seed: int) -> None:
    async def run() -> None:
        world, rng, pods = World(seed=seed, nodes=3), random.Random(seed), Pods(lambda pod: pod.spec.node_name)
        end = world.store.subscribe("pods", pods.read)
        await world.apply(daemon_set(updateStrategy={"rollingUpdate": {"maxUnavailable": at_once}}))
        try:
            for what, value in changes:
                await world.jumble(rng, steps=rng.randint(50, 1500))
                await _change(world, what, value)
                if rng.random() < 0.2:
                    world.restart()
            await world.settle(seconds=30)
            nodes = await world.all(Node, None)
            free = sorted(n.name for n in nodes if not any(t.key == "own" for t in n.spec.taints or ()))
            found = await world.all(Pod)
            assert sorted(pod.spec.node_name for pod in found) == free
            image = next((value for what, value in reversed(changes) if what == "image"), "v1")
            assert {pod.spec.containers[0].image for pod in found} <= {image}
            assert {count for node, count in pods.most.items() if node} <= {1}
            version = world.store.version
            world.restart()
            await world.settle(seconds=30)
            assert world.store.version == version, "reconciling again wrote something"
        finally:
            end()
            world.close()

    asyncio.run(run())
