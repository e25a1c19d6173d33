import asyncio
import socket
from collections.abc import AsyncIterator

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import pytest

from mesh.api.services import EndpointSlice, Service
from mesh.dns import forward as module
from mesh.dns.forward import Forwarder
from mesh.dns.server import DnsServer
from mesh.dns.view import View, view

THERE, HERE = "default.svc.other.test", "default.svc.cluster.local"
MANY = 60


def service(name: str, **spec: object) -> Service:
    return Service.model_validate({"metadata": {"name": name, "namespace": "default"}, "spec": spec})


def there() -> View:
    meta = {"name": "many-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "many"}}
    endpoints = [{"addresses": [f"192.0.2.{i + 1}"]} for i in range(MANY)]
    slices = [EndpointSlice.model_validate({"metadata": meta, "endpoints": endpoints, "ports": [{"port": 80}]})]
    return view([service("www", clusterIP="192.0.2.200"), service("many", clusterIP="None")], slices, zone="other.test")


def here() -> View:
    targets = {"out": f"www.{THERE}", "wide": f"many.{THERE}", "lost": f"none.{THERE}", "far": f"out.{HERE}"}
    external = [service(name, type="ExternalName", externalName=target) for name, target in targets.items()]
    return view([service("web", clusterIP="127.96.0.5"), *external], [])


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    other = DnsServer(there, "127.0.0.1", 0)
    await other.start()
    running = DnsServer(here, "127.0.0.1", 0, Forwarder("127.0.0.1", other.port))
    await running.start()
    yield running
    await running.close()
    await other.close()


async def ask(
    server: DnsServer, name: str, qtype: str = "A", *, tcp: bool = False, **more: object
) -> dns.message.Message:
    query = dns.message.make_query(name, qtype, **more)  # type: ignore[arg-type]
    send = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
    answer = await send(query, server.address, port=server.port, timeout=5)
    assert answer.id == query.id
    return answer


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
async def test_names_of_others_are_asked_for_elsewhere(server: DnsServer, tcp: bool) -> None:
    answer = await ask(server, f"www.{THERE}", tcp=tcp)
    assert answer.answer[0][0].to_text() == "192.0.2.200"
    assert (await ask(server, f"none.{THERE}", tcp=tcp)).rcode() == dns.rcode.NXDOMAIN
    assert (await ask(server, "example.com", tcp=tcp)).rcode() == dns.rcode.REFUSED  # as the other one says


async def test_our_own_names_stay_ours(server: DnsServer) -> None:
    answer = await ask(server, f"web.{HERE}")
    assert answer.answer[0][0].to_text() == "127.96.0.5"
    assert answer.flags & dns.flags.RA
    assert (await ask(server, f"none.{HERE}")).rcode() == dns.rcode.NXDOMAIN


async def test_an_answer_that_was_cut_is_handed_on_as_such(server: DnsServer) -> None:
    assert (await ask(server, f"many.{THERE}")).flags & dns.flags.TC
    assert len((await ask(server, f"many.{THERE}", tcp=True)).answer[0]) == MANY


@pytest.mark.parametrize("name", ["out", "far"])
async def test_an_external_name_is_followed(server: DnsServer, name: str) -> None:
    answer = await ask(server, f"{name}.{HERE}")
    assert answer.answer[-1].to_text() == f"www.{THERE}. 5 IN A 192.0.2.200"
    assert [rrset.rdtype.name for rrset in answer.answer] == ["CNAME"] * len(answer.answer[:-1]) + ["A"]
    assert answer.rcode() == dns.rcode.NOERROR


async def test_a_large_answer_of_another_is_fetched_whole_and_cut_for_the_client(server: DnsServer) -> None:
    assert (await ask(server, f"wide.{HERE}")).flags & dns.flags.TC
    whole = await ask(server, f"wide.{HERE}", use_edns=0, payload=4096)
    assert len(whole.answer[-1]) == MANY


async def test_an_external_name_to_nothing_is_told_as_the_other_says(server: DnsServer) -> None:
    answer = await ask(server, f"lost.{HERE}")
    assert answer.rcode() == dns.rcode.NXDOMAIN
    assert answer.answer[0].rdtype.name == "CNAME"


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
async def test_nobody_there_is_a_server_failure_with_a_reason(tcp: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    running = DnsServer(here, "127.0.0.1", 0, Forwarder("127.0.0.1", port))
    await running.start()
    answer = await ask(running, "example.com", tcp=tcp, use_edns=0)
    assert answer.rcode() == dns.rcode.SERVFAIL
    assert f"127.0.0.1:{port} does not answer" in str(answer.options[0])
    await running.close()


async def test_silence_is_waited_for_no_longer_than_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UDP_TRY_S", 0.05)
    monkeypatch.setattr(module, "MOST_UNDER_WAY", 2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        running = DnsServer(here, "127.0.0.1", 0, Forwarder("127.0.0.1", sock.getsockname()[1]))
        await running.start()
        answers = await asyncio.gather(*(ask(running, f"{i}.example.com", use_edns=0) for i in range(4)))
        assert [answer.rcode() for answer in answers] == [dns.rcode.SERVFAIL] * 4
        assert sum("too many" in str(answer.options[0]) for answer in answers) == 2
        own = await ask(running, f"web.{HERE}")
        assert own.rcode() == dns.rcode.NOERROR
        await running.close()


async def test_answers_to_other_questions_are_left_aside() -> None:
    loop = asyncio.get_running_loop()

    class Liar(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: object) -> None:
            right = dns.message.make_response(dns.message.from_wire(data)).to_wire()
            wrong_id = bytes((right[0] ^ 1,)) + right[1:]
            for answer in (b"", wrong_id, data, right):
                self.transport.sendto(answer, addr)  # type: ignore[attr-defined]

    transport, _ = await loop.create_datagram_endpoint(Liar, local_addr=("127.0.0.1", 0))
    running = DnsServer(here, "127.0.0.1", 0, Forwarder("127.0.0.1", transport.get_extra_info("sockname")[1]))
    await running.start()
    assert (await ask(running, "example.com")).rcode() == dns.rcode.NOERROR
    await running.close()
    transport.close()
