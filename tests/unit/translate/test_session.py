from collections.abc import Callable

import pytest

from mesh.routing.compile import compile_routes
from mesh.routing.route_table import RouteTable
from mesh.translate.gateway import gateway
from mesh.translate.session import NGINX, SessionCookie, complaints, of_annotations, of_label, versions
from mesh.translate.sidecar import sidecar
from mesh.translate.snapshot import Snapshot
from tests.unit.translate.conftest import Table

World = Callable[..., Snapshot]
INGRESS = """
kind: Ingress
metadata: {name: i, annotations: {nginx.ingress.kubernetes.io/affinity: cookie, EXTRA}}
spec: {rules: [{http: {paths: [{path: PATH, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}]}}]}
---
"""
SPLIT = """
kind: RouteRule
metadata: {name: split}
spec:
  destination: {name: shop}
  route: [{labels: {version: v1}, weight: 60}, {labels: {version: v2}, weight: 40}]
---
"""


def ingress(path: str = "/", extra: str = "") -> str:
    return INGRESS.replace("PATH", path).replace(", EXTRA", f", {extra}" if extra else "")


def table_of(snapshot: Snapshot) -> RouteTable:
    return compile_routes(gateway(snapshot).routes[0])


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        pytest.param("user", SessionCookie("user", "/"), id="a name"),
        pytest.param("user:/shop", SessionCookie("user", "/shop"), id="a name and a path"),
        pytest.param("user:shop", SessionCookie("user", "/"), id="no path"),
        pytest.param("", None, id="nothing"),
        pytest.param("a b", None, id="no name"),
    ],
)
def test_a_services_label(label: str, expected: SessionCookie | None) -> None:
    assert of_label({"istio.io/persistent-session": label}) == expected


@pytest.mark.parametrize(
    ("said", "expected", "wrong"),
    [
        pytest.param({}, None, [], id="nothing"),
        pytest.param({"session-cookie-name": "a"}, None, [], id="no affinity"),
        pytest.param({"affinity": "cookie"}, SessionCookie("INGRESSCOOKIE"), [], id="the least"),
        pytest.param({"affinity": "ip"}, None, ["affinity"], id="another affinity"),
        pytest.param(
            {
                "affinity": "cookie",
                "session-cookie-name": "u",
                "session-cookie-path": "/a",
                "affinity-mode": "balanced",
            },
            SessionCookie("u", "/a"),
            ["affinity-mode"],
            id="a mode that is not executed",
        ),
        pytest.param(
            {"affinity": "cookie", "session-cookie-max-age": "60", "session-cookie-expires": "172800"},
            SessionCookie("INGRESSCOOKIE", ttl_s=60),
            [],
            id="max-age before expires",
        ),
        pytest.param(
            {"affinity": "cookie", "session-cookie-expires": "9", "session-cookie-max-age": "soon"},
            SessionCookie("INGRESSCOOKIE", ttl_s=9),
            ["session-cookie-max-age"],
            id="no number",
        ),
        pytest.param(
            {
                "affinity": "cookie",
                "session-cookie-samesite": "Lax",
                "session-cookie-secure": "true",
                "session-cookie-domain": "a.example",
                "affinity-canary-behavior": "legacy",
            },
            SessionCookie(
                "INGRESSCOOKIE",
                attributes=(("Domain", "a.example"), ("SameSite", "Lax"), ("Secure", "")),
                pins=False,
            ),
            [],
            id="attributes",
        ),
        pytest.param(
            {"affinity": "cookie", "session-cookie-name": "a;b", "session-cookie-path": "/a;HttpOnly"},
            SessionCookie("INGRESSCOOKIE"),
            ["session-cookie-name", "session-cookie-path"],
            id="what would break out of the header",
        ),
    ],
)
def test_annotations(said: dict[str, str], expected: SessionCookie | None, wrong: list[str]) -> None:
    annotations = {NGINX + name: text for name, text in said.items()}
    assert of_annotations(annotations) == expected
    assert [name.removeprefix(NGINX) for name, _ in complaints(annotations)] == wrong


def test_routes_of_an_ingress_keep_a_session_below_their_path(world: World) -> None:
    route = table_of(world(ingress("/cart"))).virtual_hosts[0].routes[0]
    (spec,) = route.filters.values()
    assert (spec.cookie.name, spec.cookie.path, spec.cookie.ttl_s) == (b"INGRESSCOOKIE", b"/cart", None)


LABELLED = """
kind: Service
metadata: {name: shop, labels: {istio.io/persistent-session: user}}
spec: {clusterIP: 127.96.0.5, ports: [{name: http, port: 80, targetPort: 8080}]}
"""


def test_a_label_holds_for_sidecars_and_the_gateway(world: World) -> None:
    snapshot = world(ingress().replace("nginx.ingress.kubernetes.io/affinity: cookie", "") + LABELLED)
    pod = snapshot.pods["127.244.0.1"]
    for found in (table_of(snapshot), compile_routes(sidecar(snapshot, pod, "127.245.0.1").routes[0])):
        (spec,) = found.virtual_hosts[0].routes[0].filters.values()
        assert (spec.cookie.name, spec.cookie.path) == (b"user", b"/")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("u-version=v2", "v2", id="alone"),
        pytest.param('a=1; u-version="v1"; b=2', "v1", id="among others, in quotes"),
        pytest.param("u-version=v3", None, id="of no version"),
        pytest.param("xu-version=v2", None, id="another cookie"),
        pytest.param("u-version=v22", None, id="another version"),
        pytest.param("", None, id="none"),
    ],
)
def test_a_split_is_preceded_by_its_versions(world: World, table: type[Table], line: str, expected: str | None) -> None:
    snapshot = world(SPLIT + ingress(extra="nginx.ingress.kubernetes.io/session-cookie-name: u"))
    found = table(gateway(snapshot).routes[0]).find("any.example/", cookie=line)
    assert found is not None
    if expected is None:
        assert [choice.weight for choice in found.weighted.choices] == [60, 40]
    else:
        assert found.cluster == f"outbound|80|version={expected}|shop.default.svc.cluster.local".encode()


def test_a_split_pins_nobody_who_asked_not_to(world: World) -> None:
    legacy = ingress(extra="nginx.ingress.kubernetes.io/affinity-canary-behavior: legacy")
    assert len(table_of(world(SPLIT + legacy)).virtual_hosts[0].routes) == 1


@pytest.mark.parametrize(
    ("clusters", "expected"),
    [
        pytest.param(["outbound|80|version=v1|a.b", "outbound|80|version=v2|a.b"], ["v1", "v2"], id="by version"),
        pytest.param(["outbound|80||a.b", "outbound|80||c.b"], ["a", "c"], id="by service"),
        pytest.param(["outbound|80|v=1|a.b", "outbound|80|v=1|c.b"], ["1", "1-"], id="each another"),
        pytest.param(["outbound|80|a=x;y,b=1|a.b"], ["x-y-1"], id="what a cookie may hold"),
    ],
)
def test_versions(clusters: list[str], expected: list[str]) -> None:
    assert versions(clusters) == expected
