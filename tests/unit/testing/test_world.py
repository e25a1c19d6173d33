"""Reaching a mesh: addresses, the pods' own counts, and ends of pods and nodes."""

import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from mesh.api.core import Node, Pod
from mesh.api.meta import Object
from mesh.api.services import Ingress, Service
from mesh.client.base import ListResult
from mesh.testing.scenario import Patch, Ref, Scale
from mesh.testing.world import Hands, StepError, Target, World, count_by_version


class FakeClient:
    """Imitates a client of the API: objects in a dict, writes in a list."""

    def __init__(self, *objects: Object) -> None:
        self.objects = list(objects)
        self.writes: list[tuple[Any, ...]] = []

    async def list(self, cls: type, namespace: str | None = None, label_selector: str = "", field_selector: str = ""):
        wanted = dict(part.split("=") for part in label_selector.split(",") if part)
        items = [o for o in self.objects if isinstance(o, cls) and wanted.items() <= o.metadata.label_map.items()]
        return ListResult(items, "1")

    async def get(self, cls: type, name: str, namespace: str | None = None):
        return next(o for o in self.objects if isinstance(o, cls) and o.name == name)

    async def patch(self, cls: type, name: str, patch: dict[str, Any], namespace: str | None = None, **_: Any):
        self.writes.append(("patch", cls.__name__, name, patch))

    async def delete(self, cls: type, name: str, namespace: str | None = None, **options: Any) -> None:
        self.writes.append(("delete", cls.__name__, name, options))


async def no_apply(paths: Any) -> None:
    raise AssertionError("nothing is applied here")


def hands(*objects: Object, nodes: dict[str, int] | None = None) -> tuple[Hands, FakeClient]:
    client = FakeClient(*objects)
    world = World(
        gateway="http://127.0.0.1:8080",
        api="http://127.0.0.1:8001",
        dns=("127.0.0.1", 1053),
        nodes=nodes or {},
        apply=no_apply,
    )
    return Hands(world, client), client  # type: ignore[arg-type]


def pod(name: str, ip: str = "127.244.0.1", ready: bool = True, deleting: bool = False, node: str = "node-1") -> Pod:
    return Pod.model_validate(
        {
            "metadata": {
                "name": name,
                "namespace": "default",
                "labels": {"app": "a"},
                "deletionTimestamp": "2026-01-01T00:00:00Z" if deleting else None,
            },
            "spec": {"nodeName": node, "containers": []},
            "status": {"podIP": ip, "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
        }
    )


def service(cluster_ip: str) -> Service:
    return Service.model_validate(
        {"metadata": {"name": "web"}, "spec": {"clusterIP": cluster_ip, "ports": [{"port": 80}]}}
    )


ENTRIES = [{"ip": "127.20.0.1"}, {"ip": "127.20.1.1"}]
NOTES = {"loopmesh.io/zones": "a=127.20.0.1,b=127.20.1.1"}


def outside() -> Service:
    ports = [{"port": 8000, "nodePort": 30080}]
    meta = {"name": "out", "annotations": NOTES}
    status = {"loadBalancer": {"ingress": ENTRIES}}
    return Service.model_validate({"metadata": meta, "spec": {"ports": ports}, "status": status})


def wide() -> Ingress:
    meta, status = {"name": "wide", "annotations": NOTES}, {"loadBalancer": {"ingress": ENTRIES}}
    return Ingress.model_validate({"metadata": meta, "status": status})


def node() -> Node:
    addresses = [{"type": "InternalIP", "address": "127.18.0.1"}]
    return Node.model_validate({"metadata": {"name": "node-1"}, "status": {"addresses": addresses}})


@pytest.mark.parametrize(
    ("to", "target"),
    [
        pytest.param("gateway", Target("127.0.0.1", 8080), id="gateway"),
        pytest.param("service:web", Target("127.96.0.7", 80), id="a service's first port"),
        pytest.param("service:web:8000", Target("127.96.0.7", 8000), id="another port"),
        pytest.param("sidecar:app=a", Target("127.244.0.2", 15001, proxied=True), id="a ready pod's sidecar"),
        pytest.param("nodeport:out@node-1", Target("127.18.0.1", 30080), id="a node port"),
        pytest.param("balancer:out", Target("127.20.0.1", 8000), id="a load balancer"),
        pytest.param("balancer:out@b", Target("127.20.1.1", 8000), id="in a zone"),
        pytest.param("balancer:ingress/wide@b", Target("127.20.1.1", 80), id="that of an Ingress"),
    ],
)
async def test_targets(to: str, target: Target) -> None:
    pods = pod("a-1", ready=False), pod("a-2", "127.244.0.2")
    reach, _ = hands(service("127.96.0.7"), outside(), wide(), node(), *pods)
    assert await reach.target(to) == target


@pytest.mark.parametrize(
    ("to", "says"),
    [
        pytest.param("service:web", "no address of its own", id="headless"),
        pytest.param("sidecar:app=b", "no ready pod", id="nobody has the labels"),
        pytest.param("nodeport:web@node-1", "service web has no node port on node-1", id="no node port"),
        pytest.param("balancer:web", "web has no load balancer address", id="no balancer"),
        pytest.param("balancer:out@c", "out has no load balancer address in zone c", id="no such zone"),
    ],
)
async def test_no_target(to: str, says: str) -> None:
    reach, _ = hands(service("None"), outside(), node(), pod("a-1"))
    with pytest.raises(StepError, match=says):
        await reach.target(to)


async def test_pods_on_their_way_out_do_not_count() -> None:
    reach, _ = hands(pod("a-1"), pod("a-2", deleting=True))
    assert [found.name for found in await reach.pods("app=a")] == ["a-1"]


async def test_kinds_may_be_spelt_as_people_do() -> None:
    reach, client = hands()
    await reach.patch(Patch(kind="svc", name="web", merge={"spec": {"selector": {"version": "v2"}}}))
    await reach.scale(Scale(kind="Deployment", name="web", replicas=3))
    await reach.delete(Ref(kind="routerules", name="rule"))
    assert client.writes == [
        ("patch", "Service", "web", {"spec": {"selector": {"version": "v2"}}}),
        ("patch", "Deployment", "web", {"spec": {"replicas": 3}}),
        ("delete", "RouteRule", "rule", {}),
    ]
    with pytest.raises(StepError, match="no kind 'gizmo'"):
        await reach.delete(Ref(kind="gizmo", name="x"))


async def test_killing_pods_gives_no_grace() -> None:
    reach, client = hands(pod("a-1"), pod("a-2"))
    assert await reach.kill_pods("app=a", 1) == "a-1"
    assert client.writes == [("delete", "Pod", "a-1", {"grace_period_s": 0})]
    with pytest.raises(StepError, match="no pod has the labels"):
        await reach.kill_pods("app=b", 1)


async def test_killing_a_node_ends_its_process() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        reach, _ = hands(pod("a-1", node="node-2"), nodes={"node-2": child.pid})
        reach.kill_node(await reach.node_of("app=a"))
        assert child.wait(10) == -signal.SIGKILL
        with pytest.raises(StepError, match="is not running"):
            reach.kill_node("node-2")
        with pytest.raises(StepError, match="no node node-9; there are node-2"):
            reach.kill_node("node-9")
    finally:
        if child.poll() is None:
            os.kill(child.pid, signal.SIGKILL)


def test_counting_by_version() -> None:
    page = """
# HELP http_requests_total Requests answered by this pod.
# TYPE http_requests_total counter
http_requests_total{app="my-app",version="v1",code="200"} 3
http_requests_total{app="my-app",version="v1",code="500"} 2
http_requests_total{app="my-app",version="v2",code="200"} 4
# HELP other_total Something else.
# TYPE other_total counter
other_total{version="v1"} 9
"""
    assert count_by_version(page) == {"v1": 5, "v2": 4}
