"""Ingress from outside, with curl: hosts, paths, classes, TLS by name, addresses of a load balancer, and the end of each.

One mesh for all; every test has hosts of its own.
"""

import json
import socket
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import certificate
from tests.scenarios.support import Finished, Mesh, start, stop
from tests.tools import missing

pytestmark = [pytest.mark.live, pytest.mark.timeout(60)]
WAIT_S = 10.0
HTTP_PORT, TLS_PORT = 80, 8443
CONNECTION_REFUSED = 7
"""What curl ends with."""
APP = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: {name}}}}}
spec: {{containers: [{{name: c, {container}}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{selector: {{app: {name}}}, ports: [{{name: http, port: 80, targetPort: {port}}}]}}
---
"""
SAYS = "image: hashicorp/http-echo, args: ['-text=from {name}'], ports: [{{name: http, containerPort: 5678}}]"
SHOWS = "image: containersol/k8s-deployment-strategies, ports: [{name: http, containerPort: 8080}]"


def early() -> str:
    """What is told of an Ingress is told when it has stood for five seconds; meanwhile other tests run."""
    entries = [{"hosts": [f"{name}.example"], "secretName": f"{name}-tls"} for name in ("bad", "good")]
    rules = [rule("bad.example", Prefix="/ one"), rule("good.example", Prefix="/ two")]
    other = ingress("other", rule("other.example", Prefix="/ one"), ingressClassName="alb")
    return "\n---\n".join([secret("good-tls", "good.example"), ingress("half", *rules, tls=entries), other])


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    home = tmp_path_factory.mktemp("home")
    apps = home / "apps.yaml"
    saying = [APP.format(name=name, port=5678, container=SAYS.format(name=name)) for name in ("one", "two")]
    apps.write_text("".join(saying) + APP.format(name="shows", port=8080, container=SHOWS) + early())
    yield start(home, "--nodes", "1", "--zones", "a,b", "--nodes-in", "a", "-f", str(apps))
    stop(home)


def backend(name: str) -> dict[str, Any]:
    return {"service": {"name": name, "port": {"name": "http"}}}


def rule(host: str, **paths: str) -> dict[str, Any]:
    """paths: PATHTYPE_number="path service"."""
    listed = []
    for kind, text in paths.items():
        path, service = text.split()
        listed.append({"path": path, "pathType": kind.partition("_")[0], "backend": backend(service)})
    return {"host": host, "http": {"paths": listed}}


def ingress(name: str, *rules: dict[str, Any], notes: dict[str, str] | None = None, **spec: Any) -> str:
    return json.dumps(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": name, "annotations": notes or {}},
            "spec": {"rules": list(rules), **spec} if rules else spec,
        }
    )


def secret(name: str, *hosts: str, key_of: str = "") -> str:
    pair, other = certificate(*hosts), certificate(key_of or hosts[0], *hosts[1:])
    data = {"tls.crt": b64encode(pair.chain).decode(), "tls.key": b64encode(other.key).decode()}
    document = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "kubernetes.io/tls"}
    return json.dumps({**document, "data": data})


def until(condition: Callable[[], Any]) -> Any:
    """What the condition says once it holds."""
    deadline = time.monotonic() + WAIT_S
    while True:
        found = condition()
        if found or time.monotonic() > deadline:
            assert found, "it never came to that"
            return found
        time.sleep(0.05)


def get(mesh: Mesh, host: str, path: str = "/", *words: str) -> Finished:
    """What curl shows of a plain request to the gateway: status and body."""
    return mesh.curl("-w", "\n%{http_code}", "-H", f"Host: {host}", *words, f"{mesh.gateway}{path}")


def tls(mesh: Mesh, host: str, folder: Path, path: str = "/", *words: str, trusted: str = "") -> Finished:
    """A request by TLS that believes the host's own certificate alone."""
    authority = folder / f"{host}.pem"
    authority.write_bytes(certificate(*(trusted or host).split()).chain)
    there = ["--resolve", f"{host}:{TLS_PORT}:{mesh.people}", "--cacert", str(authority)]
    return mesh.curl(*there, *words, f"https://{host}:{TLS_PORT}{path}")


def events(mesh: Mesh, name: str, word: str) -> list[str]:
    done = mesh.curl(f"{mesh.up['api']}/api/v1/namespaces/default/events")
    return [
        event["message"]
        for event in json.loads(done.out)["items"]
        if event["involvedObject"]["name"] == name and event["type"] == "Warning" and word in event["message"]
    ]


def status(mesh: Mesh, name: str) -> list[dict[str, Any]]:
    path = f"/apis/networking.k8s.io/v1/namespaces/default/ingresses/{name}"
    found = json.loads(mesh.curl(f"{mesh.up['api']}{path}").out)
    listed: list[dict[str, Any]] = found.get("status", {}).get("loadBalancer", {}).get("ingress", [])
    return listed


def delete(mesh: Mesh, *things: str) -> None:
    for thing in things:
        kind, name = thing.split("/")
        group = "/api/v1" if kind in ("secrets", "services") else "/apis/networking.k8s.io/v1"
        done = mesh.curl("-X", "DELETE", f"{mesh.up['api']}{group}/namespaces/default/{kind}/{name}")
        assert done.code == 0


def test_hosts_paths_and_the_default(mesh: Mesh) -> None:
    mesh.apply_text(
        ingress(
            "paths",
            rule("paths.example", Prefix="/ two", Prefix_2="/deep one", Exact="/deep/exact two"),
            rule("*.wild.example", ImplementationSpecific="/ one"),
            defaultBackend=backend("two"),
        )
    )
    until(lambda: get(mesh, "paths.example").out.endswith("200"))
    assert status(mesh, "paths") == [{"ip": mesh.people}]
    for path, name in (("/", "two"), ("/deep", "one"), ("/deep/er", "one"), ("/deeper", "two"), ("/deep/exact", "two")):
        assert f"from {name}" in get(mesh, "paths.example", path).out, path
    assert "from one" in get(mesh, "paths.example", "/deep/exact/no").out
    assert "from one" in get(mesh, "a.wild.example").out
    assert "from one" in get(mesh, "b.a.wild.example").out
    assert "from two" in get(mesh, "wild.example").out, "a wildcard needs a label, so the default backend takes it"
    assert "from two" in get(mesh, "whatever.example").out
    delete(mesh, "ingresses/paths")
    until(lambda: get(mesh, "paths.example").out.endswith("404"))


def test_certificates_by_name(mesh: Mesh, tmp_path: Path) -> None:
    entries = [
        {"hosts": ["a.tls.example"], "secretName": "a-tls"},
        {"hosts": ["*.b.tls.example"], "secretName": "b-tls"},
    ]
    rules = [rule("a.tls.example", Prefix="/ one", Exact="/echo shows"), rule("*.b.tls.example", Prefix="/ two")]
    mesh.apply_text(
        "\n---\n".join(
            [
                secret("a-tls", "a.tls.example"),
                secret("b-tls", "*.b.tls.example"),
                ingress("secured", *rules, tls=entries),
            ]
        )
    )
    until(lambda: "from one" in tls(mesh, "a.tls.example", tmp_path).out)
    assert "from two" in tls(mesh, "x.b.tls.example", tmp_path, trusted="*.b.tls.example").out
    arrived = json.loads(tls(mesh, "a.tls.example", tmp_path, "/echo").out)
    assert ["x-forwarded-proto", "https"] in [[name.lower(), value] for name, value in arrived["headers"]]
    assert tls(mesh, "c.tls.example", tmp_path).code != 0, "no certificate, no answer"
    assert "from one" in get(mesh, "a.tls.example").out, "plain HTTP goes on"
    mesh.apply_text(secret("a-tls", "a.tls.example", "renewed.example"))
    until(lambda: "from one" in tls(mesh, "a.tls.example", tmp_path, trusted="a.tls.example renewed.example").out)
    delete(mesh, "ingresses/secured", "secrets/a-tls", "secrets/b-tls")
    until(lambda: tls(mesh, "a.tls.example", tmp_path).code != 0)


@pytest.mark.parametrize(
    "order",
    [
        pytest.param(["ingresses/gone", "secrets/gone-tls"], id="ingress first"),
        pytest.param(["secrets/gone-tls", "ingresses/gone"], id="secret first"),
    ],
)
def test_either_order_of_deletion(mesh: Mesh, tmp_path: Path, order: list[str]) -> None:
    entry = {"hosts": ["gone.example"], "secretName": "gone-tls"}
    mesh.apply_text(secret("gone-tls", "gone.example"))
    mesh.apply_text(ingress("gone", rule("gone.example", Prefix="/ one"), tls=[entry]))
    until(lambda: "from one" in tls(mesh, "gone.example", tmp_path).out)
    delete(mesh, order[0])
    until(lambda: tls(mesh, "gone.example", tmp_path).code != 0)
    if order[0].startswith("secrets"):
        assert "from one" in get(mesh, "gone.example").out, "without its certificate it is served by plain HTTP"
    delete(mesh, order[1])
    until(lambda: get(mesh, "gone.example").out.endswith("404"))


def test_plain_requests_are_sent_to_tls_where_asked(mesh: Mesh, tmp_path: Path) -> None:
    notes = {"nginx.ingress.kubernetes.io/ssl-redirect": "true"}
    entry = {"hosts": ["moved.example"], "secretName": "moved-tls"}
    mesh.apply_text(secret("moved-tls", "moved.example"))
    mesh.apply_text(ingress("moved", rule("moved.example", Prefix="/ one"), notes=notes, tls=[entry]))
    until(lambda: get(mesh, "moved.example").out.endswith("308"))
    shown = mesh.curl("-D", "-", "-o", "/dev/null", "-H", "Host: moved.example", f"{mesh.gateway}/a?b=c").out
    assert f"location: https://moved.example:{TLS_PORT}/a?b=c" in shown
    assert "from one" in tls(mesh, "moved.example", tmp_path).out
    delete(mesh, "secrets/moved-tls", "ingresses/moved")


def test_a_load_balancer_of_its_own(mesh: Mesh, tmp_path: Path) -> None:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.77", HTTP_PORT))
        except PermissionError:
            missing("ports below 1024 are not for everybody here (net.ipv4.ip_unprivileged_port_start)")
    entry = {"hosts": ["lb.example"], "secretName": "lb-tls"}
    mesh.apply_text(secret("lb-tls", "lb.example"))
    mesh.apply_text(ingress("lb", rule("lb.example", Prefix="/ one"), ingressClassName="nlb", tls=[entry]))
    shown = until(lambda: status(mesh, "lb"))
    assert len(shown) == 2, "one address a zone, nodes there or not"
    working = [entry["ip"] for entry in shown if not any("error" in port for port in entry["ports"])]
    dark = [entry["ip"] for entry in shown if entry["ip"] not in working]
    assert (len(working), len(dark)) == (1, 1)
    until(lambda: "from one" in mesh.curl("-H", "Host: lb.example", f"http://{working[0]}/").out)
    (tmp_path / "ca").write_bytes(certificate("lb.example").chain)
    there = ["--resolve", f"lb.example:443:{working[0]}", "--cacert", str(tmp_path / "ca")]
    until(lambda: "from one" in mesh.curl(*there, "https://lb.example/").out)
    assert mesh.curl(f"http://{dark[0]}/").code == CONNECTION_REFUSED, "an address without targets does not answer"
    assert get(mesh, "lb.example").out.endswith("404"), "it is served at its own addresses alone"
    delete(mesh, "ingresses/lb", "secrets/lb-tls")
    until(lambda: mesh.curl(f"http://{working[0]}/").code == CONNECTION_REFUSED)


def test_a_class_of_somebody_else_is_left_alone(mesh: Mesh) -> None:
    """(The Ingress of the other class stands since the beginning: see `early`.)"""
    mesh.apply_text(
        ingress("ours", rule("ours.example", Prefix="/ one"), notes={"kubernetes.io/ingress.class": "nginx"})
    )
    until(lambda: status(mesh, "ours") == [{"ip": mesh.people}])
    until(lambda: "from one" in get(mesh, "ours.example").out)
    assert get(mesh, "other.example").out.endswith("404")
    assert status(mesh, "other") == []
    until(lambda: events(mesh, "other", "nobody here serves the class alb"))
    delete(mesh, "ingresses/other", "ingresses/ours")


def test_a_missing_and_a_bad_secret(mesh: Mesh, tmp_path: Path) -> None:
    """(The Ingress stands since the beginning: see `early`.)"""
    until(lambda: "from two" in tls(mesh, "good.example", tmp_path).out)
    assert tls(mesh, "bad.example", tmp_path).code != 0
    assert "from one" in get(mesh, "bad.example").out
    until(lambda: events(mesh, "half", "no secret default/bad-tls"))
    mesh.apply_text(secret("bad-tls", "bad.example", key_of="other.example"))
    until(lambda: events(mesh, "bad-tls", "the key does not belong to the certificate"))
    assert "from two" in tls(mesh, "good.example", tmp_path).out
    mesh.apply_text(secret("bad-tls", "bad.example"))
    until(lambda: "from one" in tls(mesh, "bad.example", tmp_path).out)
    mesh.apply_text(secret("bad-tls", "bad.example", key_of="other.example"))
    until(lambda: len(events(mesh, "bad-tls", "the key does not belong to the certificate")) >= 2)
    assert "from one" in tls(mesh, "bad.example", tmp_path).out, "what was good stays"
    delete(mesh, "ingresses/half", "secrets/bad-tls", "secrets/good-tls")
    until(lambda: tls(mesh, "good.example", tmp_path).code == CONNECTION_REFUSED)
