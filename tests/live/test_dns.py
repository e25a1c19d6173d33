"""A real `dig` asks our server."""

import asyncio
import shutil
from collections.abc import AsyncIterator

import pytest

from mesh.api.services import EndpointSlice, Service
from mesh.dns.server import DnsServer
from mesh.dns.zone import View, view

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("dig") is None, reason="dig is not installed"),
]

DOMAIN = "default.svc.cluster.local"


def cluster(pods: int) -> View:
    def service(name: str, address: str) -> Service:
        spec = {"clusterIP": address, "ports": [{"name": "http", "port": 80}]}
        return Service.model_validate({"metadata": {"name": name, "namespace": "default"}, "spec": spec})

    meta = {"name": "kv-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "kv"}}
    endpoints = [{"addresses": [f"127.244.0.{i + 1}"], "hostname": f"kv-{i}"} for i in range(pods)]
    ports = [{"name": "http", "port": 8080}]
    slices = [EndpointSlice.model_validate({"metadata": meta, "endpoints": endpoints, "ports": ports})]
    return view([service("web", "127.96.0.5"), service("kv", "None")], slices)


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    built = cluster(60)
    running = DnsServer(lambda: built, "127.0.0.1", 0)
    await running.start()
    yield running
    await running.close()


async def dig(server: DnsServer, *words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "dig", f"@{server.address}", "-p", str(server.port), "+tries=1", "+timeout=5", *words,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 10)
    return out.decode()


async def test_dig_finds_a_service(server: DnsServer) -> None:
    assert (await dig(server, "+short", f"web.{DOMAIN}")).split() == ["127.96.0.5"]
    assert (await dig(server, "+short", "+tcp", f"WEB.{DOMAIN}")).split() == ["127.96.0.5"]
    assert (await dig(server, "+short", "-x", "127.96.0.5")).split() == [f"web.{DOMAIN}."]


async def test_dig_finds_each_pod_of_a_headless_service(server: DnsServer) -> None:
    assert len(set((await dig(server, "+short", f"kv.{DOMAIN}")).split())) == 60
    assert (await dig(server, "+short", f"kv-7.kv.{DOMAIN}")).split() == ["127.244.0.8"]
    assert len((await dig(server, "+short", f"_http._tcp.kv.{DOMAIN}", "SRV")).splitlines()) == 60


async def test_dig_comes_back_over_tcp_when_an_answer_was_cut(server: DnsServer) -> None:
    cut = await dig(server, "+noedns", "+ignore", f"kv.{DOMAIN}")
    assert " tc " in cut
    whole = await dig(server, "+noedns", f"kv.{DOMAIN}")
    assert "ANSWER: 60" in whole
    assert "(TCP)" in whole


async def test_dig_tells_absence_from_emptiness(server: DnsServer) -> None:
    absent = await dig(server, f"none.{DOMAIN}")
    assert "status: NXDOMAIN" in absent
    assert "SOA" in absent
    empty = await dig(server, f"web.{DOMAIN}", "AAAA")
    assert "status: NOERROR" in empty
    assert "ANSWER: 0" in empty
    assert "SOA" in empty
    assert "status: REFUSED" in await dig(server, "example.com")
