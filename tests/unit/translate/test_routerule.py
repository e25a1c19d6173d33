"""RouteRules in, Envoy's JSON out, and what the compiled table then does with a request."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from google.protobuf.json_format import MessageToDict

from mesh.translate.routerule import Caller, applies, rule_route, service_routes
from mesh.translate.snapshot import Snapshot

World = Callable[..., Snapshot]
HOST = "shop.default.svc.cluster.local"
ALL, V1, V2 = f"outbound|80||{HOST}", f"outbound|80|version=v1|{HOST}", f"outbound|80|version=v2|{HOST}"


def rule(spec: str, name: str = "r", namespace: str = "default") -> str:
    """A RouteRule for the shop; spec is more YAML for its spec."""
    body = yaml.safe_load(spec) or {}
    document = {
        "kind": "RouteRule",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"destination": {"name": "shop", "namespace": "default"}, **body},
    }
    return yaml.safe_dump(document) + "---\n"


def routes(snapshot: Snapshot, caller: Caller | None = None) -> list[Any]:
    service = snapshot.services[HOST]
    return service_routes(snapshot, service, service.ports[0], caller, rules=snapshot.rules.get(HOST, ()))


def only(snapshot: Snapshot) -> dict[str, Any]:
    """The one rule's route as JSON."""
    ((view,),) = snapshot.rules.values()
    found: dict[str, Any] = MessageToDict(rule_route(snapshot, view, snapshot.services[HOST].ports[0]))
    return found


ROUTE_TO_ALL = {"cluster": ALL, "timeout": "0s"}
CASES = [
    pytest.param(
        "{}",
        {"name": "default/r", "match": {"prefix": "/"}, "route": ROUTE_TO_ALL},
        id="nothing-but-a-destination",
    ),
    pytest.param(
        "route: [{labels: {version: v1}}]",
        {"name": "default/r", "match": {"prefix": "/"}, "route": {"cluster": V1, "timeout": "0s"}},
        id="one-entry-without-weight-takes-all",
    ),
    pytest.param(
        "route: [{labels: {version: v1}, weight: 90}, {labels: {version: v2}, weight: 10}]",
        {
            "name": "default/r",
            "match": {"prefix": "/"},
            "route": {
                "weightedClusters": {"clusters": [{"name": V1, "weight": 90}, {"name": V2, "weight": 10}]},
                "timeout": "0s",
            },
        },
        id="weights",
    ),
    pytest.param(
        "route: [{labels: {version: v1}, weight: 100}, {labels: {version: v2}, weight: 0}]",
        {"name": "default/r", "match": {"prefix": "/"}, "route": {"cluster": V1, "timeout": "0s"}},
        id="an-entry-of-weight-0-is-never-chosen",
    ),
    pytest.param(
        "route: [{destination: {name: shop, labels: {version: v1}}}]",
        {"name": "default/r", "match": {"prefix": "/"}, "route": {"cluster": V1, "timeout": "0s"}},
        id="labels-inside-the-destination",
    ),
    pytest.param(
        "route: [{destination: {name: other}}]",
        {
            "name": "default/r",
            "match": {"prefix": "/"},
            "route": {"cluster": "outbound|80||other.default.svc.cluster.local", "timeout": "0s"},
        },
        id="another-service-that-does-not-exist",
    ),
    pytest.param(
        "match: {request: {headers: {uri: {exact: /a}}}}",
        {"name": "default/r", "match": {"path": "/a"}, "route": ROUTE_TO_ALL},
        id="uri-exact",
    ),
    pytest.param(
        "match: {request: {headers: {uri: {prefix: /a}}}}",
        {"name": "default/r", "match": {"prefix": "/a"}, "route": ROUTE_TO_ALL},
        id="uri-prefix",
    ),
    pytest.param(
        "match: {request: {headers: {uri: {regex: '/a.*'}}}}",
        {"name": "default/r", "match": {"safeRegex": {"regex": "/a.*"}}, "route": ROUTE_TO_ALL},
        id="uri-regex-is-a-path-condition",
    ),
    pytest.param(
        "match: {request: {headers: {method: {exact: GET}, scheme: {prefix: ht}, authority: {regex: 'a.*'}}}}",
        {
            "name": "default/r",
            "match": {
                "prefix": "/",
                "headers": [
                    {"name": ":authority", "stringMatch": {"safeRegex": {"regex": "a.*"}}},
                    {"name": ":method", "stringMatch": {"exact": "GET"}},
                    {"name": ":scheme", "stringMatch": {"prefix": "ht"}},
                ],
            },
            "route": ROUTE_TO_ALL,
        },
        id="pseudo-headers",
    ),
    pytest.param(
        "match: {request: {headers: {a: {exact: ''}, b: {prefix: ''}, c: {regex: ''}}}}",
        {
            "name": "default/r",
            "match": {
                "prefix": "/",
                "headers": [
                    {"name": "a", "presentMatch": True},
                    {"name": "b", "presentMatch": True},
                    {"name": "c", "stringMatch": {"exact": ""}},
                ],
            },
            "route": ROUTE_TO_ALL,
        },
        id="empty-patterns",
    ),
    pytest.param(
        "redirect: {uri: /new, authority: new.example}",
        {
            "name": "default/r",
            "match": {"prefix": "/"},
            "redirect": {"hostRedirect": "new.example", "pathRedirect": "/new", "stripQuery": True},
        },
        id="redirect",
    ),
    pytest.param(
        "redirect: {authority: new.example}",
        {"name": "default/r", "match": {"prefix": "/"}, "redirect": {"hostRedirect": "new.example"}},
        id="redirect-of-the-authority-keeps-the-query",
    ),
    pytest.param(
        "rewrite: {uri: /new/, authority: new.example}",
        {
            "name": "default/r",
            "match": {"prefix": "/"},
            "route": {**ROUTE_TO_ALL, "prefixRewrite": "/new/", "hostRewriteLiteral": "new.example"},
        },
        id="rewrite",
    ),
    pytest.param(
        "httpReqTimeout: {simpleTimeout: {timeout: 1.5s}}",
        {"name": "default/r", "match": {"prefix": "/"}, "route": {"cluster": ALL, "timeout": "1.500s"}},
        id="timeout",
    ),
    pytest.param(
        "mirror: {name: shop, labels: {version: v2}}",
        {
            "name": "default/r",
            "match": {"prefix": "/"},
            "route": {**ROUTE_TO_ALL, "requestMirrorPolicies": [{"cluster": V2}]},
        },
        id="mirror",
    ),
    pytest.param(
        "appendHeaders: {x-b: '100%', x-a: '1'}",
        {
            "name": "default/r",
            "match": {"prefix": "/"},
            "route": ROUTE_TO_ALL,
            "requestHeadersToAdd": [
                {"header": {"key": "x-a", "value": "1"}},
                {"header": {"key": "x-b", "value": "100%%"}},
            ],
        },
        id="append-headers-literally-and-by-name",
    ),
]


@pytest.mark.parametrize(("spec", "expected"), CASES)
def test_one_rule_is_one_route(world: World, spec: str, expected: dict[str, Any]) -> None:
    assert only(world(rule(spec))) == expected


def test_another_service_is_reached_on_the_port_of_the_same_name(world: World) -> None:
    other = """
kind: Service
metadata: {name: other}
spec: {ports: [{name: http, port: 9000}, {name: tcp-x, port: 80}]}
---
"""
    route = only(world(other + rule("route: [{destination: {name: other}}]")))
    assert route["route"]["cluster"] == "outbound|9000||other.default.svc.cluster.local"


def test_without_rules_there_is_the_default_route(world: World) -> None:
    assert [MessageToDict(route) for route in routes(world())] == [
        {"name": "default-route", "match": {"prefix": "/"}, "route": ROUTE_TO_ALL}
    ]


SPECIFIC = "match: {request: {headers: {cookie: {regex: '^(.*?;)?(user=jason)(;.*)?$'}}}}"
ORDERS = [
    pytest.param(
        [("low", "{precedence: 1}"), ("high", f"{{precedence: 2, {SPECIFIC}}}")],
        ["default/high", "default/low"],
        id="larger-precedence-first",
    ),
    pytest.param(
        [("b", f"{{{SPECIFIC}}}"), ("a", f"{{{SPECIFIC}}}")],
        ["default/a", "default/b", "default-route"],
        id="ties-by-key-ascending",
    ),
    pytest.param([("b", "{}"), ("a", "{}")], ["default/a"], id="of-two-catch-alls-the-first-key"),
    pytest.param(
        [("a", "{precedence: 2}"), ("b", f"{{precedence: 1, {SPECIFIC}}}")],
        ["default/a"],
        id="a-catch-all-ends-the-list",
    ),
    pytest.param(
        [("a", "{match: {request: {headers: {uri: {prefix: /}}}}}"), ("b", "{}")],
        ["default/a"],
        id="prefix-slash-is-a-catch-all",
    ),
    pytest.param(
        [("a", "{match: {request: {headers: {uri: {regex: '.*'}}}}}")],
        ["default/a", "default-route"],
        id="a-regex-is-no-catch-all",
    ),
    pytest.param(
        [("minus", "{precedence: -1}"), ("zero", f"{{{SPECIFIC}}}")],
        ["default/zero", "default/minus"],
        id="negative-precedence-comes-after-zero",
    ),
]


@pytest.mark.parametrize(("rules", "names"), ORDERS)
def test_order(world: World, rules: list[tuple[str, str]], names: list[str]) -> None:
    snapshot = world("".join(rule(spec, name) for name, spec in rules))
    assert [route.name for route in routes(snapshot)] == names
    backwards = world("".join(rule(spec, name) for name, spec in reversed(rules)))
    assert [route.name for route in routes(backwards)] == names


def test_ties_compare_whole_keys_byte_by_byte(world: World) -> None:
    snapshot = world(rule(SPECIFIC, "x", "a-b") + rule(SPECIFIC, "x", "a"))
    assert [route.name for route in routes(snapshot)] == ["a-b/x", "a/x", "default-route"]


def test_rules_of_other_namespaces_count(world: World) -> None:
    assert [route.name for route in routes(world(rule("{}", "r", "elsewhere")))] == ["elsewhere/r"]


SOURCE = "match: {source: {name: client, labels: {tier: web}}}"
CLIENT = "client.default.svc.cluster.local"
CALLERS = [
    pytest.param(Caller("default", frozenset({CLIENT}), {"tier": "web", "x": "y"}), True, id="service-and-labels"),
    pytest.param(Caller("default", frozenset({CLIENT}), {"tier": "db"}), False, id="other-labels"),
    pytest.param(Caller("default", frozenset({HOST}), {"tier": "web"}), False, id="other-service"),
    pytest.param(Caller("default", frozenset(), {"tier": "web"}), False, id="no-service"),
    pytest.param(None, False, id="the-gateway"),
]


@pytest.mark.parametrize(("caller", "fits"), CALLERS)
def test_source(world: World, caller: Caller | None, fits: bool) -> None:
    snapshot = world(rule(SOURCE))
    ((view,),) = snapshot.rules.values()
    assert applies(view, caller) is fits
    assert [route.name for route in routes(snapshot, caller)] == (["default/r"] if fits else ["default-route"])


COOKIES = [
    pytest.param({"cookie": "user=jason"}, "default/r", id="alone"),
    pytest.param({"cookie": "a=1;user=jason"}, "default/r", id="after-a-bare-semicolon"),
    pytest.param({"cookie": "user=jason;b=2"}, "default/r", id="before-another"),
    pytest.param({"cookie": "a=1; user=jason"}, "default-route", id="a-blank-after-the-semicolon-does-not-match"),
    pytest.param({"cookie": "user=jasonx"}, "default-route", id="the-whole-value-must-match"),
    pytest.param({}, "default-route", id="no-cookie"),
]


@pytest.mark.parametrize(("headers", "name"), COOKIES)
def test_cookie_regex_on_requests(world: World, table: Any, headers: dict[str, str], name: str) -> None:
    found = _table(world(rule(SPECIFIC)), table)
    assert found.name("shop/", **headers) == name


URIS = [
    pytest.param("exact: /a", "/a", True, id="exact"),
    pytest.param("exact: /a", "/a?x=1", True, id="exact-without-query"),
    pytest.param("exact: /a", "/a/", False, id="exact-is-exact"),
    pytest.param("prefix: /a", "/ab", True, id="prefix-is-plain-text"),
    pytest.param("prefix: /a", "/b", False, id="prefix-misses"),
    pytest.param("regex: '/a/[0-9]+'", "/a/12?x=1", True, id="regex-without-query"),
    pytest.param("regex: '/a/[0-9]+'", "/a/12x", False, id="regex-must-match-the-whole-path"),
]


@pytest.mark.parametrize(("matcher", "path", "hit"), URIS)
def test_uri_on_requests(world: World, table: Any, matcher: str, path: str, hit: bool) -> None:
    found = _table(world(rule(f"match: {{request: {{headers: {{uri: {{{matcher}}}}}}}}}")), table)
    assert found.name(f"shop{path}") == ("default/r" if hit else "default-route")


def test_all_conditions_must_hold(world: World, table: Any) -> None:
    found = _table(world(rule("match: {request: {headers: {method: {exact: POST}, x-user: {prefix: ja}}}}")), table)
    assert found.name("shop/", "POST", x_user="jason") == "default/r"
    assert found.name("shop/", "POST", x_user="bob") == "default-route"
    assert found.name("shop/", "GET", x_user="jason") == "default-route"


def test_the_documented_pattern_for_cookies_as_browsers_send_them(world: World, table: Any) -> None:
    pattern = r"^(.*;\s*)?(user=jason)(;.*)?$"
    found = _table(world(rule(f"match: {{request: {{headers: {{cookie: {{regex: '{pattern}'}}}}}}}}")), table)
    assert found.name("shop/", cookie="a=1; user=jason; b=2") == "default/r"
    assert found.name("shop/", cookie="superuser=jason") == "default-route"


def _table(snapshot: Snapshot, table: Any) -> Any:
    from mesh.translate.outbound import route_configuration, virtual_hosts

    hosts = virtual_hosts(snapshot, Caller("default", frozenset(), {}))
    return table(route_configuration(hosts))
