"""The four service types, Ingress, and three addresses over two nodes: who answers where, and at which layer.

One mesh for all; each test leaves it as it found it.
"""

import asyncio
import json
import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from typing import Any

import pytest

from mesh.api import scheme
from mesh.cli import rest, state
from mesh.cli.trace_facts import parse
from mesh.cli.trace_hops import Path
from mesh.cli.trace_path import gather
from mesh.cli.trace_plan import trace
from tests.scenarios.support import ROUTES, Mesh, Up

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

V1, BOTH = {"v1.0.0"}, {"v1.0.0", "v2.0.0"}
WAIT_S = 10.0


@pytest.fixture(scope="module")
def mesh(up_once: Up) -> Mesh:
    return up_once("-f", str(ROUTES / "services"), "--zones", "a,b,c", "--nodes-in", "a,b")


def path_of(kind: str, name: str = "") -> str:
    known = scheme.find(kind)
    assert known is not None
    return rest.object_path(known, "default", name) if name else rest.collection_path(known, "default")


def get(mesh: Mesh, kind: str, name: str = "") -> Any:
    return rest.Rest(mesh.up["api"]).call("GET", path_of(kind, name))


@contextmanager
def service(mesh: Mesh, name: str, **spec: Any) -> Iterator[None]:
    """A service for the time of a block."""
    server = rest.Rest(mesh.up["api"])
    body = {"selector": {"app": "my-app"}, "ports": [{"port": 80, "targetPort": "http"}], **spec}
    server.call("POST", path_of("service"), {"metadata": {"name": name}, "spec": body})
    try:
        yield
    finally:
        server.call("DELETE", path_of("service", name))


def traced(mesh: Mesh, target: str) -> tuple[Path, ...]:
    """What `mesh trace-path` would print, without a process for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESH_HOME", str(mesh.home))
        return trace(parse(target), gather(state.choose(None)))


def node_address(mesh: Mesh, name: str) -> str:
    return str(get(mesh, "node", name)["status"]["addresses"][0]["address"])


def balancer(mesh: Mesh, kind: str, name: str) -> list[str]:
    return [entry["ip"] for entry in get(mesh, kind, name)["status"]["loadBalancer"]["ingress"]]


async def ask(address: str, port: int = 80, source: str = "127.0.0.1", host: str = "x", path: str = "/") -> str:
    """One connection, one request; the body, or why there is none."""
    try:
        reader, writer = await asyncio.open_connection(address, port, local_addr=(source, 0))
    except ConnectionRefusedError:
        return "refused"
    except ConnectionResetError:
        return "reset"
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
        async with asyncio.timeout(5):
            return (await reader.read()).decode().partition("\r\n\r\n")[2]
    except ConnectionResetError:
        return "reset"
    finally:
        writer.close()


async def many(
    count: int, address: str, port: int = 80, sources: tuple[str, ...] = ("127.0.0.1",), **more: str
) -> list[str]:
    """So many connections, eight at a time; the answers in order."""
    limit = asyncio.Semaphore(8)

    async def one(number: int) -> str:
        async with limit:
            return await ask(address, port, sources[number % len(sources)], **more)

    return list(await asyncio.gather(*(one(number) for number in range(count))))


def versions(answers: list[str]) -> set[str]:
    return {found.group(1) if (found := re.search(r"Version: (\S+)", answer)) else answer for answer in answers}


def pods(answers: list[str]) -> Counter[str]:
    return Counter(found.group(1) if (found := re.search(r"Host: ([^,\s]+)", answer)) else answer for answer in answers)


async def eventually(wanted: Callable[[], Any]) -> Any:
    """What `wanted` returns as soon as it is true; it may be a coroutine function."""
    deadline = time.monotonic() + WAIT_S
    while True:
        found = wanted()
        found = await found if asyncio.iscoroutine(found) else found
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {WAIT_S:.0f} s"
        await asyncio.sleep(0.05)


async def test_each_address_obeys_its_layer(mesh: Mesh) -> None:
    """Connections meet both versions; requests that somebody reads meet the rule's."""
    cluster_ip = get(mesh, "service", "my-app")["spec"]["clusterIP"]
    assert versions(await many(60, cluster_ip)) == BOTH
    assert versions(await many(60, node_address(mesh, "node-2"), 30080)) == BOTH
    for address in balancer(mesh, "service", "my-app-outside")[:2]:
        assert versions(await many(60, address)) == BOTH
    assert versions(await many(60, mesh.people, mesh.gateway_port, host="my-app.test")) == V1
    for address in balancer(mesh, "ingress", "my-app-wide")[:2]:
        assert versions(await many(60, address)) == V1


async def test_three_addresses_over_two_nodes(mesh: Mesh) -> None:
    """An address in every zone that has a subnet, one name for all of them, and nobody where no node is."""
    for kind, name in (("service", "my-app-outside"), ("ingress", "my-app-wide")):
        addresses = balancer(mesh, kind, name)
        assert len(addresses) == 3
        assert len({ip_address(address).packed[2] for address in addresses}) == 3, "a /24 for each zone"
        answers = [await ask(address) for address in addresses]
        assert answers[2] == "refused"
        assert all("Version: v" in answer for answer in answers[:2])
        paths = traced(mesh, f"http://{name}-default.elb.loopmesh.internal")
        assert [path.reaches for path in paths] == [True, True, False]
        assert "cross-zone load balancing is off" in paths[2].why


async def test_cross_zone_lets_the_third_one_answer(mesh: Mesh) -> None:
    third = balancer(mesh, "service", "my-app-outside")[2]
    assert await ask(third) == "refused"
    mesh.apply(ROUTES / "services" / "later" / "cross-zone.yaml")
    try:
        await eventually(lambda: answers(third))
        assert versions(await many(60, third)) == BOTH
        assert len(pods(await many(200, third))) == 4
    finally:
        mesh.apply(ROUTES / "services" / "services.yaml")

    async def silent() -> bool:
        return await ask(third) == "refused"

    await eventually(silent)


async def answers(address: str, port: int = 80, source: str = "127.0.0.1") -> bool:
    return "Version" in await ask(address, port, source)


async def test_external_traffic_policy_local_over_1000_connections(mesh: Mesh) -> None:
    """A node asks its own pod alone, and the pod sees who called."""
    for name, other in (("node-1", "node-2"), ("node-2", "node-1")):
        address = node_address(mesh, name)
        found = await many(500, address, 30081, ("127.0.0.7", "127.0.0.8"), path="/echo")
        told = [json.loads(answer) for answer in found]
        assert {answer["node"] for answer in told} == {name} != {other}
        assert {answer["source"] for answer in told} == {"127.0.0.7", "127.0.0.8"}


async def test_what_a_pod_sees_of_its_client(mesh: Mesh) -> None:
    """The cluster IP keeps the client's address, a node port with policy Cluster shows the node's."""
    cluster_ip, node = get(mesh, "service", "my-app")["spec"]["clusterIP"], node_address(mesh, "node-1")
    assert json.loads(await ask(cluster_ip, source="127.0.0.7", path="/echo"))["source"] == "127.0.0.7"
    assert json.loads(await ask(node, 30080, "127.0.0.7", path="/echo"))["source"] == node


async def test_local_refuses_on_a_node_without_endpoints(mesh: Mesh) -> None:
    here = next(p for p in get(mesh, "pods")["items"] if p["spec"]["nodeName"] == "node-1")["metadata"]["name"]
    mark = {"metadata": {"labels": {"only": "this"}}}
    rest.Rest(mesh.up["api"]).call("PATCH", path_of("pod", here), mark, "application/merge-patch+json")
    ports = [{"port": 80, "targetPort": "http", "nodePort": 30556}]
    one, two = node_address(mesh, "node-1"), node_address(mesh, "node-2")
    with service(
        mesh, "lonely", type="NodePort", externalTrafficPolicy="Local", selector={"only": "this"}, ports=ports
    ):
        await eventually(lambda: answers(one, 30556))
        assert set(pods(await many(20, one, 30556))) == {here}
        assert await ask(two, 30556) == "refused"
        (path,) = traced(mesh, f"{two}:30556")
        assert path.why == "externalTrafficPolicy Local: node-2 has no endpoint of its own; they are on node-1"


async def test_internal_traffic_policy_local(mesh: Mesh) -> None:
    """At the cluster IP, a client on a node meets that node's pods alone; a client on no node meets nobody."""
    with service(mesh, "near", internalTrafficPolicy="Local"):
        address = get(mesh, "service", "near")["spec"]["clusterIP"]
        one, two = node_address(mesh, "node-1"), node_address(mesh, "node-2")
        await eventually(lambda: answers(address, source=one))
        for source, name in ((one, "node-1"), (two, "node-2")):
            told = [json.loads(answer) for answer in await many(30, address, 80, (source,), path="/echo")]
            assert {answer["node"] for answer in told} == {name}
            assert len({answer["pod"] for answer in told}) == 2
        assert await ask(address) == "reset"


async def test_a_service_without_a_selector_leads_where_its_endpoints_say(mesh: Mesh) -> None:
    """Two ports, by name, to a program of this machine that the mesh did not start."""

    async def outsider(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nport %d" % writer.get_extra_info("sockname")[1])
        writer.close()

    one, two = [await asyncio.start_server(outsider, "127.0.0.1", 0) for _ in range(2)]
    first, second = (server.sockets[0].getsockname()[1] for server in (one, two))
    ports = [{"name": "a", "port": 8001}, {"name": "b", "port": 8002}]
    with service(mesh, "foreign", selector=None, ports=ports):
        subset = {
            "addresses": [{"ip": "127.0.0.1"}],
            "ports": [{"name": "a", "port": first}, {"name": "b", "port": second}],
        }
        body = {"metadata": {"name": "foreign"}, "subsets": [subset]}
        rest.Rest(mesh.up["api"]).call("POST", path_of("endpoints"), body)
        address = get(mesh, "service", "foreign")["spec"]["clusterIP"]

        async def there() -> bool:
            return await ask(address, 8001) == f"port {first}"

        await eventually(there)
        assert await ask(address, 8002) == f"port {second}"
        assert traced(mesh, f"{address}:8002")[0].endpoints[0].port == second
        rest.Rest(mesh.up["api"]).call("DELETE", path_of("endpoints", "foreign"))

        async def gone() -> bool:
            return await ask(address, 8001) == "refused"

        await eventually(gone)
    for server in (one, two):
        server.close()


async def test_client_ip_affinity_over_1000_connections(mesh: Mesh) -> None:
    """Each of 50 clients keeps its pod over both nodes, and together they meet all pods."""
    clients = tuple(f"127.0.0.{number}" for number in range(10, 60))
    kept: dict[str, set[str]] = {client: set() for client in clients}
    for name in ("node-1", "node-2"):
        found = await many(500, node_address(mesh, name), 30082, clients)
        for number, answer in enumerate(found):
            kept[clients[number % len(clients)]] |= set(pods([answer]))
    assert all(len(met) == 1 for met in kept.values())
    assert len(set.union(*kept.values())) == 4


async def test_affinity_ends_with_its_timeout(mesh: Mesh) -> None:
    brief = {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 2}}}
    with service(mesh, "brief", **brief):
        address = get(mesh, "service", "brief")["spec"]["clusterIP"]
        await eventually(lambda: answers(address))
        clients = tuple(f"127.0.0.{number}" for number in range(100, 140))
        before = pods_of(await many(40, address, 80, clients), clients)
        assert pods_of(await many(40, address, 80, clients), clients) == before
        await asyncio.sleep(2.1)
        assert pods_of(await many(40, address, 80, clients), clients) != before


def pods_of(found: list[str], clients: tuple[str, ...]) -> dict[str, str]:
    return {client: next(iter(pods([answer]))) for client, answer in zip(clients, found, strict=True)}


async def test_a_trace_names_where_connections_arrive(mesh: Mesh) -> None:
    """For each kind of address: the pods that a trace promises are those that answer."""
    node, cluster_ip = node_address(mesh, "node-1"), get(mesh, "service", "my-app")["spec"]["clusterIP"]
    first = balancer(mesh, "service", "my-app-outside")[0]
    some_pod = next(p for p in get(mesh, "pods")["items"] if p["status"]["podIP"])
    for address, port, host in (
        (cluster_ip, 80, "x"),
        (node, 30080, "x"),
        (node, 30081, "x"),
        (first, 80, "x"),
        (some_pod["status"]["podIP"], 8080, "x"),
        (mesh.people, mesh.gateway_port, "my-app.test"),
    ):
        asked = f"{address}:{port}" if host == "x" else f"http://{host}/"
        (path,) = traced(mesh, asked)
        promised = {end.pod.partition("/")[2] for end in path.endpoints}
        met = set(pods(await many(100, address, port, host=host)))
        assert met == promised, asked


async def test_health_checks_of_a_local_load_balancer(mesh: Mesh) -> None:
    local = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "loadBalancerSourceRanges": ["127.0.0.0/25"]}
    with service(mesh, "checked", **local, selector={"app": "my-app", "version": "v1.0.0"}):
        found = await eventually(lambda: with_check(mesh))
        address = found["status"]["loadBalancer"]["ingress"][0]["ip"]
        await eventually(lambda: answers(address))
        for name in ("node-1", "node-2"):
            said = json.loads(await ask(node_address(mesh, name), found["spec"]["healthCheckNodePort"]))
            assert said["localEndpoints"] == 1
        assert await ask(address, source="127.0.0.200") == "reset", "outside loadBalancerSourceRanges"


def with_check(mesh: Mesh) -> Any:
    found = get(mesh, "service", "checked")
    return (
        found if found["spec"].get("healthCheckNodePort") and found["status"]["loadBalancer"].get("ingress") else None
    )


def told_of(mesh: Mesh, service: str) -> list[str]:
    return [
        f"{e['reason']}: {e['message']}"
        for e in get(mesh, "events")["items"]
        if e["involvedObject"]["kind"] == "Service" and e["involvedObject"]["name"] == service
    ]


async def test_a_port_that_another_program_has(mesh: Mesh) -> None:
    """An event says which address, why, and what to do; everything else runs on; it heals by itself."""
    one, two = node_address(mesh, "node-1"), node_address(mesh, "node-2")
    ports = [{"port": 80, "targetPort": "http", "nodePort": 30555}]
    with socket.socket() as thief, ExitStack() as stack:
        thief.bind((one, 30555))
        thief.listen()
        stack.enter_context(service(mesh, "late", type="NodePort", ports=ports))
        (said,) = await eventually(lambda: told_of(mesh, "late"))
        assert said.startswith(f"AddressNotServed: cannot listen on {one}:30555: the port is in use by another program")
        assert "ss -ltnp 'sport = :30555'" in said
        await eventually(lambda: answers(two, 30555))
        assert "Version" in await ask(one, 30080)
        assert "in use by another program" in traced(mesh, f"{one}:30555")[0].why
        thief.close()
        await eventually(lambda: answers(one, 30555))
        await eventually(lambda: f"AddressServed: {one}:30555 is served now" in told_of(mesh, "late"))


async def test_a_selector_that_matches_nothing(mesh: Mesh) -> None:
    with service(mesh, "astray", selector={"app": "my-ap"}):
        (said,) = await eventually(lambda: told_of(mesh, "astray"))
        assert "SelectsNothing: selector app=my-ap fits no pod in namespace default" in said
        assert "which has app=my-app" in said
        assert traced(mesh, "astray")[0].why == "selector app=my-ap fits no pod in namespace default"
        assert await ask(get(mesh, "service", "astray")["spec"]["clusterIP"]) == "refused"
        assert "Version" in await ask(node_address(mesh, "node-1"), 30080)
