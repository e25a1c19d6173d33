import asyncio
import errno
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mesh.api import scheme
from mesh.api.meta import Object
from mesh.api.services import EndpointSlice, Service
from mesh.client.informer import Informers
from mesh.node.addresses import Plan
from mesh.node.kubeproxy import KubeProxy, cure
from mesh.node.ways import NodeFact
from mesh.runtime.net import BindError
from mesh.runtime.tasks import Tasks

VIP, PORT = "127.101.77.1", 18080
BACKENDS = ("127.101.78.1", "127.101.78.2")


class Proxied:
    """kube-proxy over a real store; servers that say where they are; objects written as controllers would."""

    def __init__(self, world: Any) -> None:
        self.registry, self.tasks = world.registry, Tasks("test")
        informers = Informers(world.client, self.tasks)
        self.nodes: list[NodeFact] = []
        self.told: list[tuple[str, str, bool]] = []
        self.taken: set[tuple[str, int]] = set()
        self.proxy = KubeProxy(
            informers.of(Service),
            informers.of(EndpointSlice),
            lambda: self.nodes,
            random.Random(1),
            lambda address, port: (address, port) in self.taken,
            lambda service, reason, message, warning: self.told.append((reason, message, warning)),
        )
        self.synced = informers.synced
        self.servers: list[asyncio.Server] = []
        self.say_source = False

    async def serve(self, address: str, port: int = 9000) -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((writer.get_extra_info("peername")[0] if self.say_source else address).encode())
            writer.close()

        self.servers.append(await asyncio.start_server(answer, address, port))

    def put(self, cls: type[Object], obj: dict[str, Any]) -> None:
        known, name = scheme.kind_of(cls), obj["metadata"]["name"]
        if self.registry.store.get(known.resource, "default", name) is None:
            self.registry.create(known, obj, "default")
        else:
            self.registry.update(known, obj, "default", name)

    def service(self, **spec: Any) -> None:
        body = {"clusterIP": VIP, "ports": [{"port": PORT, "targetPort": 9000}], **spec}
        self.put(Service, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": body})

    def endpoints(self, *addresses: str, ready: bool = True, on: dict[str, str] | None = None) -> None:
        """on: address -> node."""
        meta = {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}}
        found = [
            {"addresses": [address], "conditions": {"ready": ready}, "nodeName": (on or {}).get(address)}
            for address in addresses
        ]
        self.put(
            EndpointSlice,
            {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": meta, "addressType": "IPv4",
             "endpoints": found, "ports": [{"name": "", "port": 9000, "protocol": "TCP"}]},
        )  # fmt: skip

    def drop(self, cls: type[Object], name: str) -> None:
        kind = scheme.kind_of(cls)
        record = self.registry.store.get(kind.resource, "default", name)
        self.registry.store.delete(kind.resource, "default", name, record.version)


async def ask(address: str = VIP, port: int = PORT, source: str = "127.0.0.1") -> str:
    try:
        reader, writer = await asyncio.open_connection(address, port, local_addr=(source, 0))
        try:
            return (await asyncio.wait_for(reader.read(), 5)).decode()
        finally:
            writer.close()
    except ConnectionRefusedError:
        return "refused"
    except ConnectionResetError:
        return "reset"


async def until(wanted: str | set[str], address: str = VIP, port: int = PORT) -> None:
    async with asyncio.timeout(5):
        while (await ask(address, port)) not in (wanted if isinstance(wanted, set) else {wanted}):
            await asyncio.sleep(0.01)


@pytest.fixture
async def proxied(world: Any) -> AsyncIterator[Proxied]:
    made = Proxied(world)
    for address in BACKENDS:
        await made.serve(address)
    made.proxy.start()
    await made.synced()
    yield made
    await made.proxy.close()
    await made.tasks.close()
    for server in made.servers:
        server.close()


async def test_connections_are_spread_over_the_endpoints(proxied: Proxied) -> None:
    proxied.service()
    proxied.endpoints(*BACKENDS)
    await until(set(BACKENDS))
    seen = Counter([await ask() for _ in range(200)])
    assert set(seen) == set(BACKENDS)
    assert min(seen.values()) > 60


async def test_a_service_without_ready_endpoints_refuses(proxied: Proxied) -> None:
    proxied.service()
    await asyncio.sleep(0.1)
    assert await ask() == "refused"
    proxied.endpoints(BACKENDS[0], ready=False)
    await asyncio.sleep(0.1)
    assert await ask() == "refused"
    proxied.endpoints(BACKENDS[0])
    await until(BACKENDS[0])
    proxied.endpoints()
    await until("refused")


async def test_endpoints_may_be_known_before_their_service(proxied: Proxied) -> None:
    proxied.endpoints(BACKENDS[1])
    await asyncio.sleep(0.05)
    proxied.service()
    await until(BACKENDS[1])


async def test_a_service_that_goes_takes_its_address_along(proxied: Proxied) -> None:
    proxied.service()
    proxied.endpoints(BACKENDS[0])
    await until(BACKENDS[0])
    proxied.drop(Service, "web")
    await until("refused")
    proxied.drop(EndpointSlice, "web-1")
    await asyncio.sleep(0.1)
    assert (proxied.proxy._ways, proxied.proxy._wanted, proxied.proxy._slices_of) == ({}, {}, {})


async def test_a_service_may_move_to_another_port(proxied: Proxied) -> None:
    proxied.service()
    proxied.endpoints(BACKENDS[0])
    await until(BACKENDS[0])
    proxied.service(ports=[{"port": PORT + 1, "targetPort": 9000}])
    await until(BACKENDS[0], port=PORT + 1)
    assert await ask() == "refused"


async def test_client_affinity(proxied: Proxied) -> None:
    proxied.service(sessionAffinity="ClientIP")
    proxied.endpoints(*BACKENDS)
    await until(set(BACKENDS))
    by_client = {source: {await ask(source=source) for _ in range(8)} for source in
                 (f"127.0.0.{i}" for i in range(2, 22))}  # fmt: skip
    assert all(len(seen) == 1 for seen in by_client.values())
    assert {next(iter(seen)) for seen in by_client.values()} == set(BACKENDS)


async def test_node_ports_open_on_every_node_and_on_those_that_come_later(proxied: Proxied) -> None:
    first, second = Plan(5).node(50), Plan(5).node(51)
    proxied.nodes = [NodeFact("a", first)]
    proxied.service(type="NodePort", ports=[{"port": PORT, "targetPort": 9000, "nodePort": 31777}])
    proxied.endpoints(BACKENDS[0])
    await until(BACKENDS[0], first, 31777)
    assert await ask(second, 31777) == "refused"
    proxied.nodes = [NodeFact("a", first), NodeFact("b", second)]
    proxied.proxy.refresh()
    await until(BACKENDS[0], second, 31777)
    proxied.nodes = [NodeFact("a", first, up=False), NodeFact("b", second)]
    proxied.proxy.refresh()
    await until("refused", first, 31777)


FIRST, SECOND = Plan(5).node(52), Plan(5).node(53)
NODE_PORT = [{"port": PORT, "targetPort": 9000, "nodePort": 31778}]


async def test_external_traffic_policies(proxied: Proxied) -> None:
    proxied.say_source = True
    proxied.nodes = [NodeFact("a", FIRST), NodeFact("b", SECOND)]
    proxied.endpoints(BACKENDS[0], on={BACKENDS[0]: "b"})
    proxied.service(type="NodePort", ports=NODE_PORT)
    await until(FIRST, FIRST, 31778)
    assert await ask(SECOND, 31778, source="127.0.0.5") == SECOND
    assert await ask(source="127.0.0.5") == "127.0.0.5"
    proxied.service(type="NodePort", ports=NODE_PORT, externalTrafficPolicy="Local")
    await until("refused", FIRST, 31778)
    assert await ask(SECOND, 31778, source="127.0.0.5") == "127.0.0.5"


async def test_internal_traffic_policy_local(proxied: Proxied) -> None:
    proxied.nodes = [NodeFact("a", FIRST, cidr="127.101.79.0/30"), NodeFact("b", SECOND)]
    proxied.service(internalTrafficPolicy="Local")
    proxied.endpoints(*BACKENDS, on={BACKENDS[0]: "a", BACKENDS[1]: "b"})
    await until("reset")
    assert {await ask(source=source) for source in (FIRST, "127.101.79.2", FIRST)} == {BACKENDS[0]}
    assert await ask(source=SECOND) == BACKENDS[1]


async def test_a_node_answers_how_many_endpoints_it_has(proxied: Proxied) -> None:
    proxied.nodes = [NodeFact("a", FIRST), NodeFact("b", SECOND)]
    proxied.service(type="LoadBalancer", ports=NODE_PORT, externalTrafficPolicy="Local", healthCheckNodePort=31779)
    proxied.endpoints(BACKENDS[0], on={BACKENDS[0]: "b"})

    async def health(address: str) -> bytes:
        reader, writer = await asyncio.open_connection(address, 31779)
        writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
        try:
            return (await asyncio.wait_for(reader.read(), 5)).split()[1]
        finally:
            writer.close()

    await until(BACKENDS[0], SECOND, 31778)
    assert (await health(FIRST), await health(SECOND)) == (b"503", b"200")
    proxied.endpoints(BACKENDS[0], on={BACKENDS[0]: "a"})
    await until(BACKENDS[0], FIRST, 31778)
    assert (await health(FIRST), await health(SECOND)) == (b"200", b"503")


async def test_an_address_that_another_part_serves_is_left_alone(proxied: Proxied) -> None:
    proxied.taken = {(VIP, PORT)}
    proxied.service(ports=[{"name": "a", "port": PORT, "targetPort": 9000}, {"name": "b", "port": PORT + 1}])
    proxied.endpoints(BACKENDS[0])
    await asyncio.sleep(0.1)
    assert await ask() == "refused"


async def test_a_port_in_use_is_told_once_and_taken_when_it_is_free(
    proxied: Proxied, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mesh.node.kubeproxy.REFUSED_AGAIN_S", 0.05)
    await proxied.serve(VIP, PORT)
    blocker = proxied.servers.pop()
    with caplog.at_level(logging.WARNING, "mesh.node"):
        proxied.service()
        proxied.endpoints(BACKENDS[0])
        await asyncio.sleep(0.3)
    assert [r.getMessage() for r in caplog.records] == [
        (
            f"service address not served service=default/web error=cannot listen on {VIP}:{PORT}: "
            "the port is in use by another program"
        )
    ]
    ((reason, message, warning),) = proxied.told
    assert (reason, warning) == ("AddressNotServed", True)
    assert all(
        word in message for word in (f"{VIP}:{PORT}", "in use by another program", f"ss -ltnp 'sport = :{PORT}'")
    )
    blocker.close()
    await blocker.wait_closed()
    await until(BACKENDS[0])
    assert proxied.told[1:] == [("AddressServed", f"{VIP}:{PORT} is served now", False)]


async def test_of_two_services_at_one_address_the_second_is_told_who_has_it(proxied: Proxied) -> None:
    proxied.service()
    proxied.endpoints(BACKENDS[0])
    await until(BACKENDS[0])
    body = {"clusterIP": VIP, "ports": [{"port": PORT, "targetPort": 9000}]}
    proxied.put(Service, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "late"}, "spec": body})
    meta = {"name": "late-1", "labels": {"kubernetes.io/service-name": "late"}}
    piece = {"addressType": "IPv4", "endpoints": [{"addresses": [BACKENDS[1]]}], "ports": [{"name": "", "port": 9000}]}
    kind = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice"}
    proxied.put(EndpointSlice, {**kind, "metadata": meta, **piece})
    async with asyncio.timeout(5):
        while not proxied.told:
            await asyncio.sleep(0.01)
    message = f"{VIP}:{PORT} belongs to service default/web; choose another port"
    assert proxied.told == [("AddressNotServed", message, True)]
    assert await ask() == BACKENDS[0]


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EACCES, "sysctl net.ipv4.ip_unprivileged_port_start=0"), (errno.EADDRNOTAVAIL, "every two seconds")],
)
def test_a_cure_for_each_reason(number: int, words: str) -> None:
    error = BindError(VIP, 80, "why")
    error.__cause__ = OSError(number, "no")
    assert words in cure(error)
