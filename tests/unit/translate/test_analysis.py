from collections.abc import Callable

import pytest

from mesh.translate.analysis import analyze
from mesh.translate.snapshot import Snapshot


def rule(spec: str, name: str = "r") -> str:
    return f"kind: RouteRule\nmetadata: {{name: {name}}}\nspec: {spec}\n---\n"


def ingress(spec: str, annotations: str = "{}") -> str:
    return f"kind: Ingress\nmetadata: {{name: i, annotations: {annotations}}}\nspec: {spec}\n---\n"


TCP = "kind: Service\nmetadata: {name: db}\nspec: {ports: [{name: tcp, port: 5432}]}\n---\n"
BACKEND = "{{service: {{name: {name}, port: {port}}}}}"


def backend(name: str, port: str) -> str:
    return ingress(f"{{defaultBackend: {BACKEND.format(name=name, port=port)}}}")


def destination(host: str, name: str = "d", balancer: str = "{consistentHash: {useSourceIp: true}}") -> str:
    spec = f"{{host: {host}, trafficPolicy: {{loadBalancer: {balancer}}}}}"
    return f"kind: DestinationRule\nmetadata: {{name: {name}}}\nspec: {spec}\n---\n"


CASES = [
    pytest.param("", [], id="nothing"),
    pytest.param(rule("{destination: {name: shop}}"), [], id="a-good-rule"),
    pytest.param(destination("shop") + destination("'*.local'", "w"), [], id="good-destination-rules"),
    pytest.param(
        destination("shop.other.svc.cluster.local"),
        [("IST0101", "d", "spec.host", "named alike: shop.default.svc.cluster.local")],
        id="destination-nobody-has",
    ),
    pytest.param(
        destination("shop") + destination("shop.default.svc.cluster.local", "e"),
        [("IST0130", "e", "spec.host", "default/d is older")],
        id="two-rules-for-one-host",
    ),
    pytest.param(
        TCP + destination("db"), [("MESH002", "d", "spec.host", "nothing to hash")], id="nothing-to-hash-in-tcp"
    ),
    pytest.param(
        rule("{destination: {name: shop, namespace: other}}"),
        [("IST0101", "r", "spec.destination", "named alike: shop.default.svc.cluster.local")],
        id="no-such-service",
    ),
    pytest.param(
        TCP + rule("{destination: {name: db}}"),
        [("MESH002", "r", "spec.destination", "ports now: tcp")],
        id="no-http-port",
    ),
    pytest.param(
        rule("{destination: {name: shop}, match: {source: {name: nobody}}}"),
        [("IST0101", "r", "spec.match.source", "nobody.default")],
        id="no-such-source",
    ),
    pytest.param(
        rule("{destination: {name: shop}, route: [{labels: {version: v9}}]}"),
        [("IST0101", "r", "spec.route[0].labels", "version=v9")],
        id="labels-of-no-pod",
    ),
    pytest.param(
        rule("{destination: {name: shop}, route: [{destination: {name: nobody}}]}"),
        [("IST0101", "r", "spec.route[0].destination", "nobody.default")],
        id="no-such-target",
    ),
    pytest.param(
        TCP + rule("{destination: {name: shop}, mirror: {name: db}}"),
        [("MESH003", "r", "spec.mirror.destination", "no port of the same name or number")],
        id="mirror-without-the-port",
    ),
    pytest.param(
        rule("{destination: {name: shop}, precedence: 2}", "top") + rule("{destination: {name: shop}}", "low"),
        [("IST0130", "low", "spec.precedence", "default/top (precedence 2)")],
        id="hidden-behind-a-catch-all",
    ),
    pytest.param(
        rule("{destination: {name: shop}, precedence: 2, match: {source: {name: shop}}}", "top")
        + rule("{destination: {name: shop}}", "low"),
        [],
        id="a-catch-all-for-some-callers-hides-nothing",
    ),
    pytest.param(
        rule("{destination: {name: shop}, httpReqTimeout: {simpleTimeout: {timeout: 1s, overrideHeaderName: x}}}"),
        [("MESH002", "r", "spec.httpReqTimeout.simpleTimeout.overrideHeaderName", "remove it")],
        id="a-field-that-does-nothing",
    ),
    pytest.param(
        rule("{destination: {name: shop}, rewrite: {uri: new}}"),
        [("MESH002", "r", "spec.rewrite.uri", 'start it with "/"')],
        id="a-rewrite-without-a-slash",
    ),
    pytest.param(
        rule("{destination: {name: shop}, redirect: {uri: /n}, mirror: {name: shop}, appendHeaders: {a: b}}"),
        [("MESH002", "r", "spec.appendHeaders", "beside redirect"), ("MESH002", "r", "spec.mirror", "beside redirect")],
        id="what-a-redirect-leaves-out",
    ),
    pytest.param(
        backend("nobody", "{number: 80}"),
        [("IST0101", "i", "spec.defaultBackend.service", "nobody.default")],
        id="ingress-without-its-service",
    ),
    pytest.param(
        backend("shop", "{name: web}"),
        [("IST0101", "i", "spec.defaultBackend.service.port", "only http 80")],
        id="ingress-without-its-port",
    ),
    pytest.param(
        ingress(
            "{}", "{nginx.ingress.kubernetes.io/rewrite-target: /, nginx.ingress.kubernetes.io/affinity: ip, a: b}"
        ),
        [
            ("MESH002", "i", "metadata.annotations[nginx.ingress.kubernetes.io/affinity]", "is cookie"),
            ("MESH002", "i", "metadata.annotations[nginx.ingress.kubernetes.io/rewrite-target]", "does nothing"),
        ],
        id="annotations-that-do-nothing",
    ),
    pytest.param(
        ingress("{tls: [{hosts: [a], secretName: s}, {}]}"),
        [
            ("IST0101", "i", "spec.tls[0].secretName", "no secret default/s of type kubernetes.io/tls"),
            ("IST0101", "i", "spec.tls[1].secretName", "names no secret, so any host"),
        ],
        id="no-certificate",
    ),
    pytest.param(
        ingress("{}", "{nginx.ingress.kubernetes.io/ssl-redirect: 'true'}"),
        [("MESH002", "i", "metadata.annotations[ssl-redirect]", "no spec.tls")],
        id="a-redirect-to-nowhere",
    ),
    pytest.param(
        ingress("{ingressClassName: alb}"),
        [("MESH002", "i", "spec.ingressClassName", "nobody here serves the class alb")],
        id="a-class-of-nobody",
    ),
    pytest.param(
        ingress("{defaultBackend: {resource: {kind: Bucket, name: b}}}"),
        [("MESH002", "i", "spec.defaultBackend.resource", "name a service")],
        id="resource-backend",
    ),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_findings(world: Callable[..., Snapshot], text: str, expected: list[tuple[str, str, str, str]]) -> None:
    found = analyze(world(text))
    assert [(finding.code, finding.name, finding.field) for finding in found] == [entry[:3] for entry in expected]
    for finding, entry in zip(found, expected, strict=True):
        assert entry[3] in finding.message
        assert str(finding).startswith(f"{finding.level} [{finding.code}] (")
