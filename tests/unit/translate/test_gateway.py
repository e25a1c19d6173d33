from collections.abc import Callable
from typing import Any

import pytest

from mesh.translate.gateway import gateway
from mesh.translate.snapshot import Snapshot

World = Callable[..., Snapshot]
SHOP = "outbound|80||shop.default.svc.cluster.local"
CART = "outbound|80||cart.default.svc.cluster.local"


def ingress(spec: str, name: str = "i", created: str = "2026-01-01T00:00:00Z") -> str:
    return f"kind: Ingress\nmetadata: {{name: {name}, creationTimestamp: '{created}'}}\nspec: {spec}\n---\n"


def path(text: str, service: str = "shop", kind: str = "Prefix", port: str = "number: 80") -> str:
    return f"{{path: {text}, pathType: {kind}, backend: {{service: {{name: {service}, port: {{{port}}}}}}}}}"


def rules(*paths: str, host: str = "a.example") -> str:
    return f"{{rules: [{{host: '{host}', http: {{paths: [{', '.join(paths)}]}}}}]}}"


CART_SERVICE = """
kind: Service
metadata: {name: cart}
spec: {ports: [{name: web, port: 80}]}
---
"""


@pytest.fixture
def ask(world: World, table: Any) -> Callable[[str], Any]:
    """The gateway's table for some manifests, beside the services shop and cart."""

    def make(text: str) -> Any:
        return table(gateway(world(CART_SERVICE + text)).routes[0])

    return make


HOSTS = [
    pytest.param("a.example", "a.example/", True, id="host"),
    pytest.param("a.example", "a.example:8080/", True, id="any-port"),
    pytest.param("a.example", "A.Example/", True, id="case"),
    pytest.param("A.Example", "a.example/", True, id="case-in-the-rule"),
    pytest.param("a.example", "b.example/", False, id="unknown-host"),
    pytest.param("*.example", "b.example/", True, id="wildcard"),
    pytest.param("*.example", "example/", False, id="wildcard-needs-a-label"),
]


@pytest.mark.parametrize(("host", "target", "known"), HOSTS)
def test_hosts(ask: Callable[[str], Any], host: str, target: str, known: bool) -> None:
    assert (ask(ingress(rules(path("/"), host=host))).cluster(target) == SHOP) is known


def test_rules_without_a_host_take_every_host(ask: Callable[[str], Any]) -> None:
    found = ask(ingress(f"{{rules: [{{http: {{paths: [{path('/')}]}}}}]}}"))
    assert found.cluster("127.0.0.1:8080/") == SHOP
    assert found.cluster("whatever/") == SHOP


def test_nothing_at_all_is_404(ask: Callable[[str], Any]) -> None:
    assert ask("").name("a.example/") is None


ORDER = [
    pytest.param("/x/y", CART, id="exact-before-prefix"),
    pytest.param("/x/y/z", SHOP, id="longest-prefix"),
    pytest.param("/x/q", CART, id="shorter-prefix"),
    pytest.param("/xx", None, id="whole-elements"),
]


@pytest.mark.parametrize(("target", "cluster"), ORDER)
def test_order_of_paths(ask: Callable[[str], Any], target: str, cluster: str | None) -> None:
    found = ask(ingress(rules(path("/x", "cart"), path("/x/y", "shop"), path("/x/y", "cart", "Exact"))))
    assert found.cluster(f"a.example{target}") == cluster


def test_of_two_equal_paths_the_oldest_ingress_wins(ask: Callable[[str], Any]) -> None:
    young = ingress(rules(path("/", "cart")), "a", "2026-02-02T00:00:00Z")
    old = ingress(rules(path("/", "shop")), "b", "2026-01-01T00:00:00Z")
    assert ask(young + old).cluster("a.example/") == SHOP
    assert ask(old + young).cluster("a.example/") == SHOP


def test_several_ingresses_share_a_host(ask: Callable[[str], Any]) -> None:
    found = ask(ingress(rules(path("/s", "shop")), "a") + ingress(rules(path("/c", "cart")), "b"))
    assert (found.cluster("a.example/s"), found.cluster("a.example/c")) == (SHOP, CART)


def test_default_backend(ask: Callable[[str], Any]) -> None:
    backend = "{service: {name: cart, port: {name: web}}}"
    hosts = f"{{host: a.example, http: {{paths: [{path('/s')}]}}}}, {{host: b.example}}"
    found = ask(ingress(f"{{defaultBackend: {backend}, rules: [{hosts}]}}"))
    assert found.cluster("a.example/s") == SHOP
    assert found.cluster("a.example/other") == CART
    assert found.cluster("b.example/") == CART
    assert found.cluster("anybody/") == CART


OWN = "kind: IngressClass\nmetadata: {{name: own}}\nspec: {{controller: {controller}}}\n---\n"
CLASSES = [
    pytest.param("istio", "", True, id="istio"),
    pytest.param("nginx", "", True, id="nginx"),
    pytest.param("mesh", "", True, id="mesh"),
    pytest.param("nlb", "", False, id="a load balancer's, at its own address"),
    pytest.param("unheard-of", "", False, id="nobody's"),
    pytest.param("own", "k8s.io/ingress-nginx", True, id="a class of a controller that we stand for"),
    pytest.param("own", "example.com/other", False, id="somebody else's"),
]


@pytest.mark.parametrize(("class_name", "controller", "expected"), CLASSES)
def test_classes(ask: Callable[[str], Any], class_name: str, controller: str, expected: bool) -> None:
    text = OWN.format(controller=controller) if controller else ""
    text += ingress(rules(path("/")).replace("{rules", f"{{ingressClassName: {class_name}, rules"))
    assert (ask(text).cluster("a.example/") == SHOP) is expected


def test_the_old_annotation_names_a_class(ask: Callable[[str], Any]) -> None:
    text = ingress(rules(path("/"))).replace("{name: i", "{name: i, annotations: {kubernetes.io/ingress.class: alb}")
    assert ask(text).cluster("a.example/") is None


MISSING = [
    pytest.param(path("/", "nobody"), "outbound|80||nobody.default.svc.cluster.local", id="service"),
    pytest.param(path("/", port="number: 81"), "outbound|81||shop.default.svc.cluster.local", id="port"),
    pytest.param(path("/", port="name: nope"), "outbound|0||shop.default.svc.cluster.local", id="port-name"),
]


@pytest.mark.parametrize(("backend", "cluster"), MISSING)
def test_a_backend_that_does_not_exist_has_no_endpoints(
    world: World, ask: Callable[[str], Any], backend: str, cluster: str
) -> None:
    text = ingress(rules(backend))
    assert ask(text).cluster("a.example/") == cluster
    resources = gateway(world(CART_SERVICE + text))
    assert cluster in [message.name for message in resources.clusters]
    assert [len(end.endpoints) for end in resources.endpoints if end.cluster_name == cluster] == [0]


RULE = """
kind: RouteRule
metadata: {name: r}
spec: {destination: {name: shop}, match: {request: {headers: {uri: {prefix: /api/v2}, x-user: {exact: jason}}}}}
---
kind: RouteRule
metadata: {name: from-inside}
spec: {destination: {name: shop}, precedence: 9, match: {source: {name: shop}}}
---
kind: RouteRule
metadata: {name: for-cart}
spec: {destination: {name: cart}}
---
"""
BELOW = [
    pytest.param("/api/v2/x", {"x_user": "jason"}, "default/r", id="rule-below-the-path"),
    pytest.param("/api/v2/x", {}, "default-route", id="the-rules-other-condition-fails"),
    pytest.param("/api/v1", {"x_user": "jason"}, "default-route", id="the-rules-uri-fails"),
    pytest.param("/cart", {}, "default/for-cart", id="rules-apply-whatever-the-port-is-called"),
    pytest.param("/elsewhere", {"x_user": "jason"}, None, id="outside-every-path"),
]


@pytest.mark.parametrize(("target", "headers", "name"), BELOW)
def test_rules_of_the_backend_apply_below_the_path(
    ask: Callable[[str], Any], target: str, headers: dict[str, str], name: str | None
) -> None:
    found = ask(RULE + ingress(rules(path("/api"), path("/cart", "cart"))))
    assert found.name(f"a.example{target}", **headers) == name


def test_the_listener_is_an_edge(world: World) -> None:
    (listener,) = gateway(world(), "127.0.0.3", 8088).listeners
    address = listener.address.socket_address
    assert (address.address, address.port_value) == ("127.0.0.3", 8088)
