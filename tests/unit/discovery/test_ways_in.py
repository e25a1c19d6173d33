"""From Secrets and Ingresses in the API to listeners of the gateway, and what happens where one has no address."""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

from mesh.api.core import Event
from mesh.apiserver.local import LocalClient
from mesh.discovery import source as module
from mesh.discovery.checks import problem_of
from mesh.discovery.compiled import Compiled
from mesh.discovery.report import Reporter
from mesh.discovery.source import ConfigSource
from mesh.runtime.clock import SystemClock
from mesh.runtime.net import BindError
from mesh.runtime.tasks import Tasks
from tests.certificates import certificate

Parse = Callable[[str], list[Any]]
INGRESS = """
kind: Ingress
metadata: {name: secured}
spec:
  tls: [{hosts: [a.example], secretName: s}]
  rules: [{host: a.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}]}}]
"""


def secret(chain: bytes, key: bytes, name: str = "s") -> str:
    data = f"{{tls.crt: '{b64encode(chain).decode()}', tls.key: '{b64encode(key).decode()}'}}"
    return f"kind: Secret\nmetadata: {{name: {name}}}\ntype: kubernetes.io/tls\ndata: {data}\n"


def good() -> str:
    pair = certificate("a.example")
    return secret(pair.chain, pair.key)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(lambda: good(), None, id="a certificate"),
        pytest.param(
            lambda: secret(b"x", b"y"), "TLS with secret default/s is not possible: the certificate", id="none"
        ),
        pytest.param(
            lambda: secret(certificate("a.example").chain, certificate("b.example").key),
            "the key does not belong to the certificate",
            id="another one's key",
        ),
        pytest.param(lambda: secret(b"", b"y"), "lacks tls.crt or tls.key", id="half"),
        pytest.param(lambda: "kind: Secret\nmetadata: {name: s}\ntype: Opaque\n", None, id="no certificate's place"),
    ],
)
def test_what_is_a_certificate(parse: Parse, text: Callable[[], str], words: str | None) -> None:
    problem = problem_of(parse(text())[0], Compiled())
    assert (problem is None) is (words is None)
    if words is not None:
        assert words in str(problem)


class Picky:
    """A proxy without the address of one listener."""

    def __init__(self, port: int) -> None:
        self.port, self.given = port, [()]

    async def apply(self, tables: Any) -> None:
        ports = tuple(listener.port for listener in tables.listeners)
        if self.port in ports:
            raise BindError("127.0.0.1", self.port, "the port is in use by another program")
        self.given.append(ports)

    async def until(self, ports: tuple[int, ...]) -> None:
        async with asyncio.timeout(5):
            while self.given[-1] != ports:
                await asyncio.sleep(0.01)


@pytest.fixture
async def secured(client: LocalClient, tables: Any, tasks: Tasks, parse: Parse) -> ConfigSource:
    """A source that knows certificates, and an API that has one."""
    for text in (good(), INGRESS):
        await client.create(parse(text)[0])
    reporter = Reporter(client, SystemClock())
    reporter.start(tasks)
    source = ConfigSource(client, tables, reporter=reporter, certificates=True)
    source.start(tasks)
    return source


async def test_private_keys_are_not_shown(secured: ConfigSource, proxy: Any) -> None:
    gateway = await secured.subscribe_gateway("127.0.0.1", 8080, proxy(), 8443)
    shown = str(gateway.describe())
    assert "[redacted]" in shown
    assert b64encode(certificate("a.example").key).decode()[:40] not in shown
    assert "a.example" in shown


async def test_a_listener_without_an_address_is_left_out_and_tried_again(
    secured: ConfigSource, client: LocalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BIND_AGAIN_S", 0.2)
    picky = Picky(8443)
    await secured.subscribe_gateway("127.0.0.1", 8080, picky, 8443)
    await picky.until((8080,))
    async with asyncio.timeout(5):
        while not (events := (await client.list(Event)).items):
            await asyncio.sleep(0.01)
    assert [(event.reason, event.involved_object.name) for event in events] == [("MESH004", "secured")]
    assert "cannot listen on 127.0.0.1:8443" in events[0].message
    picky.port = 0
    await picky.until((8080, 8443))


async def test_the_way_in_for_people_must_be_there(secured: ConfigSource) -> None:
    with pytest.raises(BindError):
        await secured.subscribe_gateway("127.0.0.1", 8080, Picky(8080), 8443)


async def test_nobody_else_is_told_of_secrets(client: LocalClient, source: ConfigSource, proxy: Any) -> None:
    await source.subscribe_gateway("127.0.0.1", 8080, proxy(), 8443)
    assert source.configuration.snapshot.secrets == {}
