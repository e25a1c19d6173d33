"""Where do pods go, and what is said when they go nowhere?"""

from typing import Any

from mesh.api.core import Node, Pod
from mesh.api.workloads import Deployment
from tests.unit.controllers.world import World, deployment


def with_spec(replicas: int, **pod: Any) -> dict[str, Any]:
    made = deployment(replicas=replicas)
    made["spec"]["template"]["spec"] |= pod
    return made


async def test_one_owners_pods_are_spread_first(world: World) -> None:
    await world.apply(deployment("many", replicas=3))
    await world.settle()
    await world.apply(deployment("few", replicas=2))
    await world.settle()
    few = [pod.spec.node_name for pod in await world.all(Pod) if pod.metadata.labels["app"] == "few"]
    assert sorted(few) == ["node-1", "node-2"]


async def test_a_pod_that_fits_nowhere_says_why_and_goes_when_it_can(world: World) -> None:
    await world.apply(with_spec(1, nodeSelector={"disk": "ssd"}))
    await world.settle()
    (pod,) = await world.all(Pod)
    assert pod.spec.node_name is None
    (scheduled,) = pod.status.conditions
    message = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."
    assert (scheduled.type, scheduled.status, scheduled.reason, scheduled.message) == (
        "PodScheduled", "False", "Unschedulable", message,
    )  # fmt: skip
    assert [(e.reason, e.message) for e in await world.events() if e.type == "Warning"] == [
        ("FailedScheduling", message)
    ]
    await world.client.patch(Node, "node-2", {"metadata": {"labels": {"disk": "ssd"}}})
    await world.settle()
    (pod,) = await world.all(Pod)
    assert (pod.spec.node_name, pod.ready) == ("node-2", True)
    assert [c.status for c in pod.status.conditions if c.type == "PodScheduled"] == ["True"]


async def test_cordoned_and_tainted_nodes_are_avoided(world: World) -> None:
    await world.client.patch(Node, "node-1", {"spec": {"unschedulable": True}})
    taint = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
    await world.client.patch(Node, "node-2", {"spec": {"taints": [taint]}})
    await world.apply(deployment(replicas=1))
    await world.settle()
    (pod,) = await world.all(Pod)
    assert pod.status.conditions[0].message == (
        "0/2 nodes are available: 1 node(s) had untolerated taint {dedicated: db}, 1 node(s) were unschedulable."
    )
    toleration = {"key": "dedicated", "operator": "Exists"}
    await world.patch(Deployment, "web", {"spec": {"template": {"spec": {"tolerations": [toleration]}}}})
    await world.settle()
    assert await world.spread() == {"node-2": 1}


async def test_anti_affinity_puts_one_on_each_node(world: World) -> None:
    term = {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "kubernetes.io/hostname"}
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    await world.apply(with_spec(3, affinity=apart))
    await world.settle()
    assert await world.spread() == {"node-1": 1, "node-2": 1, "": 1}
    (waiting,) = [pod for pod in await world.all(Pod) if not pod.spec.node_name]
    assert "2 node(s) didn't" in waiting.status.conditions[0].message
    world.add_node("node-3")
    await world.settle()
    assert await world.spread() == {"node-1": 1, "node-2": 1, "node-3": 1}


async def test_topology_spread_bounds_the_skew(world: World) -> None:
    constraint = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
    await world.client.patch(Node, "node-2", {"spec": {"unschedulable": True}})
    await world.apply(with_spec(4, topologySpreadConstraints=[constraint]))
    await world.settle()
    assert await world.spread() == {"node-1": 1, "": 3}
    await world.client.patch(Node, "node-2", {"spec": {"unschedulable": False}})
    await world.settle()
    assert await world.spread() == {"node-1": 2, "node-2": 2}


async def test_no_nodes_at_all() -> None:
    world = World(nodes=0)
    await world.apply(deployment(replicas=1))
    await world.settle()
    (pod,) = await world.all(Pod)
    assert pod.status.conditions[0].message == "no nodes available to schedule pods"
    world.close()


async def test_another_schedulers_pod_is_left_alone(world: World) -> None:
    await world.apply(with_spec(1, schedulerName="mine"))
    await world.settle()
    (pod,) = await world.all(Pod)
    assert (pod.spec.node_name, pod.status.conditions) == (None, None)


async def test_room_that_was_left_is_filled_again(world: World) -> None:
    def pod(name: str) -> dict[str, Any]:
        spec = {"containers": [{"name": "c", "image": "i"}]}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}

    for number in range(4):
        await world.apply(pod(f"a{number}"))
    await world.settle()
    for one in await world.all(Pod):
        if one.spec.node_name == "node-1":
            await world.client.delete(Pod, one.name, "default", grace_period_s=0)
    await world.settle()
    assert await world.spread() == {"node-2": 2}
    for number in range(2):
        await world.apply(pod(f"b{number}"))
    await world.settle()
    assert await world.spread() == {"node-1": 2, "node-2": 2}
