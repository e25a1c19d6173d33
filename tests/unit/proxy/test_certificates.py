import asyncio
import ssl
from dataclasses import replace
from typing import Any

import pytest

from mesh.proxy.certificates import Certificates
from mesh.proxy.server import ProxyServer, Tables
from mesh.routing.spec import CertificateSpec, TlsSpec
from mesh.runtime.tls import BadCertificate
from tests.certificates import certificate
from tests.unit.proxy.conftest import World, port_of, to


def spec(*names: str, shown: str = "") -> CertificateSpec:
    pair = certificate(shown or names[0])
    return CertificateSpec(names=names, chain=pair.chain, key=pair.key)


def secured(tables: Tables, *certificates: CertificateSpec) -> Tables:
    tls = TlsSpec(certificates=certificates, alpn=("http/1.1",))
    return replace(tables, listeners=tuple(replace(each, tls=tls) for each in tables.listeners))


async def call(proxy: ProxyServer, name: str, trusted: str | None = None) -> tuple[bytes, Any]:
    """(the answer, who the server says it is) for a client that wants to see `name`."""
    trust = ssl.create_default_context(cadata=certificate(trusted or name).chain.decode())
    trust.check_hostname = trusted is None
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(proxy), ssl=trust, server_hostname=name)
    writer.write(b"GET /a HTTP/1.1\r\nhost: h\r\n\r\n")
    head = await asyncio.wait_for(reader.readuntil(b"ok"), 5)
    shown = writer.get_extra_info("peercert")["subject"][0][0][1]
    writer.transport.abort()
    return head, shown


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("a.example", "exact", id="exact"),
        pytest.param("A.Example.", "exact", id="in any case"),
        pytest.param("b.example", "suffix", id="a suffix"),
        pytest.param("c.b.example", "suffix", id="of any depth"),
        pytest.param("d.long.example", "longer", id="the longer suffix"),
        pytest.param("example", None, id="not the suffix itself"),
        pytest.param("", None, id="no name"),
    ],
)
def test_by_name(name: str, expected: str | None) -> None:
    certificates = [spec("a.example"), spec("*.example", shown="suffix"), spec("*.long.example", shown="longer")]
    found = Certificates(TlsSpec(certificates=tuple(certificates)))
    contexts = dict(zip(("exact", "suffix", "longer"), (found.of(each.names[0]) for each in certificates), strict=True))
    assert found.of(name) is (contexts[expected] if expected else None)


def test_everybody_else() -> None:
    found = Certificates(TlsSpec(certificates=(spec("a.example"), replace(spec("b.example"), names=()))))
    assert found.of("c.example") is found.of("") is not found.of("a.example")


async def test_a_request_over_tls(world: World) -> None:
    origin = await world.origin("up")
    edge = {"use_remote_address": True}
    tables = world.tables([to("up")], {"up": [origin.port]}, hcm=edge)
    proxy = await world.proxy(secured(tables, spec("a.example"), spec("b.example")))
    for name in ("a.example", "b.example"):
        head, shown = await call(proxy, name)
        assert shown == name
        assert head.startswith(b"HTTP/1.1 200")
    assert b"x-forwarded-proto: https\r\n" in origin.heads[0]
    with pytest.raises((ConnectionError, ssl.SSLError)):
        await call(proxy, "c.example")
    head, _ = await call(proxy, "a.example")
    assert head.startswith(b"HTTP/1.1 200"), "the others are served on"


async def test_a_redirect_keeps_the_scheme(world: World) -> None:
    redirect = {"match": {"prefix": "/"}, "redirect": {"path_redirect": "/ok"}}
    proxy = await world.proxy(secured(world.tables([redirect], {}), spec("a.example")))
    head, _ = await call(proxy, "a.example")
    assert b"location: https://h/ok" in head


async def test_a_certificate_is_exchanged_while_the_listener_stays(world: World) -> None:
    origin = await world.origin("up")
    tables = world.tables([to("up")], {"up": [origin.port]})
    proxy = await world.proxy(secured(tables, spec("a.example")))
    server = next(iter(proxy.listeners.values()))
    await proxy.apply(secured(tables, spec("a.example", shown="new.example")))
    assert (await call(proxy, "a.example", "new.example"))[1] == "new.example"
    broken = CertificateSpec(names=("a.example",), chain=b"x", key=b"y")
    with pytest.raises(BadCertificate):
        await proxy.apply(secured(tables, broken))
    assert (await call(proxy, "a.example", "new.example"))[1] == "new.example", "what was good stays"
    assert next(iter(proxy.listeners.values())) is server


async def test_a_listener_turns_from_plain_to_tls(world: World, unused_tcp_port: int) -> None:
    origin = await world.origin("up")
    plain = world.tables([to("up")], {"up": [origin.port]}, port=unused_tcp_port)
    proxy = await world.proxy(plain)
    await proxy.apply(secured(plain, spec("a.example")))
    assert (await call(proxy, "a.example"))[0].startswith(b"HTTP/1.1 200")
