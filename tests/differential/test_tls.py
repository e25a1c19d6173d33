"""TLS at the gateway: does a real Envoy take our translation, show the same certificates and pass on the same?"""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator

import planes as both
import pytest
import pytest_asyncio

from mesh.translate.gateway import gateway
from tests.certificates import certificate

pytestmark = [pytest.mark.live, pytest.mark.timeout(60)]
ADDRESS, ORIGIN = "127.63.5.9", ("127.63.5.1", 19001)
TLS = 100
"""How far the TLS port is from the plain one."""
MANIFESTS = """
kind: Service
metadata: {name: shop}
spec: {clusterIP: 127.96.0.5, ports: [{name: http, port: 80}]}
---
kind: EndpointSlice
metadata: {name: shop-x, labels: {kubernetes.io/service-name: shop}}
ports: [{name: http, port: 19001}]
endpoints: [{addresses: [127.63.5.1]}]
---
kind: Ingress
metadata: {name: front, annotations: {nginx.ingress.kubernetes.io/ssl-redirect: 'true'}}
spec:
  tls:
  - {hosts: [a.example], secretName: a}
  - {hosts: ['*.b.example'], secretName: b}
  - {hosts: [missing.example], secretName: missing}
  rules: [{host: a.example, http: &any {paths: [{backend: {service: {name: shop, port: {number: 80}}}}]}},
          {host: '*.b.example', http: *any}, {host: plain.example, http: *any}]
"""


def secret(name: str, host: str) -> both.Bootstrap:
    pair = certificate(host)
    data = {"tls.crt": b64encode(pair.chain).decode(), "tls.key": b64encode(pair.key).decode()}
    return {"kind": "Secret", "metadata": {"name": name}, "type": "kubernetes.io/tls", "data": data}


def bootstrap(port: int) -> both.Bootstrap:
    snapshot = both.world(MANIFESTS, [secret("a", "a.example"), secret("b", "*.b.example")])
    return both.written(gateway(snapshot, ADDRESS, port, https_port=port + TLS))


async def show(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An endpoint that answers with the head that arrived."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(head), head))
    except (asyncio.IncompleteReadError, OSError):
        writer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ports(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[int, int]]:
    folder = tmp_path_factory.mktemp("tls")
    async with both.serving(show, ORIGIN), both.planes(folder, ADDRESS, bootstrap, (19811, 19812)) as found:
        yield found


async def shake(port: int, name: str | None, alpn: list[str]) -> tuple[object, ...]:
    """(who the server says it is, protocol agreed on, scheme that arrived), or what went wrong."""
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname = False
    for host in ("a.example", "*.b.example"):
        trust.load_verify_locations(cadata=certificate(host).chain.decode())
    if alpn:
        trust.set_alpn_protocols(alpn)
    try:
        reader, writer = await asyncio.open_connection(ADDRESS, port + TLS, ssl=trust, server_hostname=name or "")
    except (ssl.SSLError, ConnectionError):
        return ("refused",)
    writer.write(b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n")
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    arrived = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    who = writer.get_extra_info("peercert")["subject"][0][0][1]
    agreed = writer.get_extra_info("ssl_object").selected_alpn_protocol()
    writer.transport.abort()
    assert answer.startswith(b"HTTP/1.1 200")
    return who, agreed, b"x-forwarded-proto: https\r\n" in arrived


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("name", "alpn"),
    [
        pytest.param("a.example", [], id="a name"),
        pytest.param("A.EXAMPLE", [], id="in any case"),
        pytest.param("x.b.example", [], id="below a wildcard"),
        pytest.param("y.x.b.example", [], id="deep below it"),
        pytest.param("b.example", [], id="the wildcard's own end"),
        pytest.param("missing.example", [], id="a name without a certificate"),
        pytest.param(None, [], id="no name"),
        pytest.param("a.example", ["http/1.1"], id="HTTP/1.1 offered"),
        pytest.param("a.example", ["h2", "http/1.1"], id="both offered"),
    ],
)
async def test_certificates(ports: tuple[int, int], name: str | None, alpn: list[str]) -> None:
    real, ours = [await shake(port, name, alpn) for port in ports]
    assert ours == real


@pytest.mark.asyncio(loop_scope="module")
async def test_plain_requests(ports: tuple[int, int]) -> None:
    """Hosts with a certificate are sent to TLS; the others are served as they are."""
    for port in ports:
        status, _, fields = await both.get((ADDRESS, port), "/x?q=1", host="a.example:8080")
        assert status == 308
        assert f"location: https://a.example:{port + TLS}/x?q=1" in fields
        status, body, _ = await both.get((ADDRESS, port), "/", host="plain.example")
        assert (status, "x-forwarded-proto: http\r\n" in body) == (200, True)
