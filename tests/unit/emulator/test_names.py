"""DNS of a mesh, from objects in the API to answers on the wire."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import dns.asyncquery
import dns.message
import dns.rcode
import pytest

from mesh.api.core import Event, Namespace
from mesh.api.meta import ObjectMeta
from mesh.api.services import Service
from mesh.apiserver.local import LocalClient
from mesh.apiserver.registry import Registry, index
from mesh.client.informer import Informers
from mesh.controllers.events import Recorder
from mesh.emulator.names import Names
from mesh.emulator.settings import Settings
from mesh.runtime.clock import SystemClock
from mesh.runtime.tasks import Tasks
from mesh.store import Store

BLOCK = 6


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
async def client() -> AsyncIterator[LocalClient]:
    clock = SystemClock()
    store = Store(None, clock.wall(), index)
    yield LocalClient(Registry(store, clock, random.Random(1)))
    store.close()


async def running(client: LocalClient, tasks: Tasks, tmp_path: Path, **changes: str) -> tuple[Names, Settings]:
    settings = Settings.for_test(tmp_path, block=BLOCK, dns_port=free_port(), **changes)
    recorder = Recorder(client, SystemClock(), ttl_s=60, most=100)
    names = Names(settings, Informers(client, tasks), recorder)
    recorder.start(tasks)
    await names.start()
    return names, settings


async def ask(settings: Settings, name: str, where: str) -> dns.message.Message:
    query = dns.message.make_query(name, "A", use_edns=0)
    return await dns.asyncquery.udp(query, where, port=settings.dns_port, timeout=5)


def service(name: str, **spec: object) -> Service:
    return Service.model_validate({"metadata": {"name": name, "namespace": "default"}, "spec": spec})


async def test_what_the_api_holds_is_answered_at_both_addresses(client: LocalClient, tmp_path: Path) -> None:
    tasks = Tasks("test")
    names, settings = await running(client, tasks, tmp_path)
    await client.create(Namespace(metadata=ObjectMeta(name="default")))
    await client.create(service("web", clusterIP="127.102.0.77", ports=[{"port": 80}]))
    for where in (settings.plan.people, settings.plan.dns_service):
        async with asyncio.timeout(5):
            while not (answer := await ask(settings, "web.default.svc.cluster.local", where)).answer:
                await asyncio.sleep(0.01)
        assert answer.answer[0][0].to_text() == "127.102.0.77"
        assert (await ask(settings, "ns.dns.cluster.local", where)).answer[0][0].to_text() == settings.plan.dns_service
        assert (await ask(settings, "www.example.com", where)).rcode() == dns.rcode.REFUSED
    await names.close()
    await tasks.close()


async def test_names_of_others_go_to_the_server_that_was_named(client: LocalClient, tmp_path: Path) -> None:
    tasks = Tasks("test")
    nobody = free_port()
    names, settings = await running(client, tasks, tmp_path, dns_forward=f"127.0.0.1:{nobody}")
    answer = await ask(settings, "www.example.com", settings.plan.people)
    assert answer.rcode() == dns.rcode.SERVFAIL
    assert f"127.0.0.1:{nobody} does not answer" in str(answer.options[0])
    await names.close()
    await tasks.close()


async def test_a_circle_of_external_names_is_warned_of(client: LocalClient, tmp_path: Path) -> None:
    tasks = Tasks("test")
    names, _ = await running(client, tasks, tmp_path)
    await client.create(Namespace(metadata=ObjectMeta(name="default")))
    await client.create(service("self", type="ExternalName", externalName="self.default.svc.cluster.local"))
    async with asyncio.timeout(5):
        while not (events := (await client.list(Event)).items):
            await asyncio.sleep(0.01)
    assert [(event.type, event.reason, event.involved_object.name) for event in events] == [
        ("Warning", "DNSCircle", "self")
    ]
    await names.close()
    await tasks.close()


@pytest.mark.parametrize(
    ("server", "said"),
    [
        pytest.param("dns.example.com", "--dns-forward dns.example.com: must be the address", id="a-name"),
        pytest.param("192.0.2.1:0", "--dns-forward 192.0.2.1:0: the port", id="no-port"),
        pytest.param("127.0.0.1:1053", "that is the mesh's own DNS server", id="itself"),
        pytest.param("127.96.0.10:1053", "that is the mesh's own DNS server", id="itself-in-the-cluster"),
    ],
)
def test_what_is_no_server_to_ask(server: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Settings(dns_forward=server)
