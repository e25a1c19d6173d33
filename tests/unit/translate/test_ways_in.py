from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

from mesh.routing.compile import compile_listener
from mesh.translate.gateway import gateway
from mesh.translate.snapshot import Snapshot
from mesh.translate.ways_in import certificates_of, secured, ways_in

World = Callable[..., Snapshot]


def secret(name: str, kind: str = "kubernetes.io/tls", chain: str = "C", key: str = "K") -> str:
    data = f"{{tls.crt: '{b64encode(chain.encode()).decode()}', tls.key: '{b64encode(key.encode()).decode()}'}}"
    return f"kind: Secret\nmetadata: {{name: {name}}}\ntype: {kind}\ndata: {data}\n---\n"


def ingress(spec: str, name: str = "i", created: str = "1", notes: str = "{}", status: str = "{}") -> str:
    meta = f"{{name: {name}, creationTimestamp: '{created}', annotations: {notes}}}"
    return f"kind: Ingress\nmetadata: {meta}\nspec: {{{spec}}}\nstatus: {status}\n---\n"


RULES = "rules: [{host: a.example, http: {paths: [{backend: {service: {name: shop, port: {number: 80}}}}]}}]"
TLS = "tls: [{hosts: [a.example, '*.b.example'], secretName: s}]"
REDIRECT = "{nginx.ingress.kubernetes.io/ssl-redirect: 'true'}"


def ways(snapshot: Snapshot) -> list[tuple[str, int, str, list[tuple[str, ...]]]]:
    return [
        (way.address, way.port, way.routes, [each.names for each in way.certificates])
        for way in ways_in(snapshot, "127.0.0.1", 8080, 8443)
    ]


PLAIN = ("127.0.0.1", 8080, "ingress", [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(ingress(RULES), [PLAIN], id="no TLS"),
        pytest.param(ingress(TLS), [PLAIN], id="no secret"),
        pytest.param(ingress(TLS) + secret("s", "Opaque"), [PLAIN], id="another kind of secret"),
        pytest.param(ingress(TLS) + secret("s", key=""), [PLAIN], id="an empty key"),
        pytest.param(
            ingress(TLS) + secret("s"),
            [PLAIN, ("127.0.0.1", 8443, "ingress", [("a.example", "*.b.example")])],
            id="a certificate",
        ),
        pytest.param(
            ingress("tls: [{secretName: s}]") + secret("s"),
            [PLAIN, ("127.0.0.1", 8443, "ingress", [()])],
            id="for everybody",
        ),
        pytest.param(
            ingress(TLS)
            + ingress("tls: [{hosts: [A.example, c.example], secretName: t}]", "j", "2")
            + secret("s")
            + secret("t"),
            [PLAIN, ("127.0.0.1", 8443, "ingress", [("a.example", "*.b.example"), ("c.example",)])],
            id="the older ingress keeps a name",
        ),
        pytest.param(
            ingress(TLS) + ingress("tls: [{hosts: [a.example], secretName: t}]", "j", "2") + secret("t"),
            [PLAIN, ("127.0.0.1", 8443, "ingress", [("a.example",)])],
            id="unless it has no certificate",
        ),
        pytest.param(
            ingress(f"ingressClassName: other, {TLS}") + secret("s"), [PLAIN], id="not for a class that is not ours"
        ),
    ],
)
def test_tls_where_a_certificate_is(world: World, text: str, expected: Any) -> None:
    assert ways(world(text)) == expected


def test_a_real_listener(world: World) -> None:
    resources = gateway(world(ingress(f"{TLS}, {RULES}") + secret("s")), https_port=8443)
    spec = compile_listener(resources.listeners[1])
    assert spec.tls is not None
    assert [(each.names, each.chain, each.key) for each in spec.tls.certificates] == [
        (("a.example", "*.b.example"), b"C", b"K")
    ]
    assert [each.name for each in resources.routes] == ["ingress"], "both ways in lead to the same"


def test_plain_requests_are_sent_to_tls(world: World, table: Any) -> None:
    both = ingress(f"{TLS}, {RULES}", notes=REDIRECT) + secret("s")
    plain, secured = gateway(world(both), https_port=8443).routes
    found = table(plain).find("a.example:8080/x?q=1")
    assert found.redirect is not None
    assert table(secured).cluster("a.example/x") == "outbound|80||shop.default.svc.cluster.local"
    without = gateway(world(ingress(f"{TLS}, {RULES}", notes=REDIRECT)), https_port=8443).routes
    assert table(without[0]).cluster("a.example/x") is not None, "not to where no certificate is"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param("a.example", True, id="its name"),
        pytest.param("x.b.example", True, id="below its wildcard"),
        pytest.param("*.b.example", True, id="its wildcard"),
        pytest.param("b.example", False, id="not the end of the wildcard"),
        pytest.param("c.example", False, id="another name"),
        pytest.param("*", False, id="every host"),
    ],
)
def test_which_hosts_a_certificate_covers(world: World, host: str, expected: bool) -> None:
    snapshot = world(ingress(f"{TLS}, {RULES}") + secret("s"))
    (view,) = snapshot.ingresses
    assert secured(view, host, certificates_of(snapshot, (view,))) is expected


LB = """{loadBalancer: {ingress: [
  {ip: 127.20.0.1, ports: [{port: 80, protocol: TCP}, {port: 443, protocol: TCP}]},
  {ip: 127.20.2.1, ports: [{port: 80, protocol: TCP, error: NoTargets}]},
  {ip: 127.20.1.1, ports: [{port: 80, protocol: TCP}]}]}}"""


def test_load_balancers_have_addresses_of_their_own(world: World, table: Any) -> None:
    snapshot = world(ingress(f"ingressClassName: nlb, {RULES}, {TLS}", status=LB) + secret("s"))
    assert ways(snapshot) == [
        PLAIN,
        ("127.20.0.1", 80, "ingress|default/i", []),
        ("127.20.0.1", 443, "ingress|default/i", [("a.example", "*.b.example")]),
        ("127.20.1.1", 80, "ingress|default/i", []),
    ]
    people, own = gateway(snapshot).routes
    assert table(people).find("a.example/") is None
    assert table(own).cluster("a.example/") == "outbound|80||shop.default.svc.cluster.local"


def test_the_status_of_other_ingresses_is_not_looked_at(world: World) -> None:
    assert ways(world(ingress(RULES, status=LB))) == [PLAIN]
