from collections.abc import Callable
from typing import Any

import pytest

from mesh.translate.memo import Memo
from mesh.translate.outbound import (
    caller_class,
    clusters,
    endpoints,
    load_assignments,
    route_configuration,
    virtual_hosts,
)
from mesh.translate.routerule import Caller
from mesh.translate.snapshot import Snapshot
from mesh.translate.snapshot import World as SnapshotWorld
from mesh.translate.targets import targets

World = Callable[..., Snapshot]
HOST = "shop.default.svc.cluster.local"
NOBODY = Caller("default", frozenset(), {})
STRANGER = Caller("elsewhere", frozenset(), {})

HEADLESS = """
kind: Service
metadata: {name: kv}
spec: {clusterIP: None, selector: {app: kv}, ports: [{name: http, port: 8080}]}
---
kind: EndpointSlice
metadata: {name: kv-abc, labels: {kubernetes.io/service-name: kv}}
ports: [{name: http, port: 8080}]
endpoints:
- {addresses: [127.244.0.7], hostname: kv-1, conditions: {ready: false}}
- {addresses: [127.244.0.6], hostname: kv-0, conditions: {ready: true}}
---
"""


def asked(snapshot: Snapshot, table: Any, caller: Caller = NOBODY) -> Any:
    return table(route_configuration(virtual_hosts(snapshot, caller)))


AUTHORITIES = [
    pytest.param("shop", NOBODY, True, id="name"),
    pytest.param("shop:80", NOBODY, True, id="name-and-port"),
    pytest.param("SHOP", NOBODY, True, id="case"),
    pytest.param("shop.default", NOBODY, True, id="name-namespace"),
    pytest.param("shop.default.svc", NOBODY, True, id="name-namespace-svc"),
    pytest.param(HOST, NOBODY, True, id="fqdn"),
    pytest.param(f"{HOST}:80", NOBODY, True, id="fqdn-and-port"),
    pytest.param("127.96.0.5", NOBODY, True, id="cluster-ip"),
    pytest.param("127.96.0.5:80", NOBODY, True, id="cluster-ip-and-port"),
    pytest.param("shop:8080", NOBODY, False, id="another-port"),
    pytest.param("shop", STRANGER, False, id="the-bare-name-is-for-its-own-namespace"),
    pytest.param("shop.default", STRANGER, True, id="from-another-namespace"),
    pytest.param("example.com", NOBODY, False, id="unknown-host"),
    pytest.param("127.244.0.1:8080", NOBODY, False, id="pod-address"),
]


@pytest.mark.parametrize(("authority", "caller", "known"), AUTHORITIES)
def test_names_of_a_service(world: World, table: Any, authority: str, caller: Caller, known: bool) -> None:
    assert (asked(world(), table, caller).name(f"{authority}/") is not None) is known


def test_bare_names_are_for_port_80_alone(world: World, table: Any) -> None:
    found = asked(
        world("kind: Service\nmetadata: {name: a}\nspec: {ports: [{name: http, port: 8080}]}", shop=False), table
    )
    assert found.cluster("a:8080/") == "outbound|8080||a.default.svc.cluster.local"
    assert found.name("a/") is None


PORTS = [
    pytest.param("{name: http, port: 80}", "default/r", id="http"),
    pytest.param("{name: http-web, port: 80}", "default/r", id="http-dash"),
    pytest.param("{name: http2, port: 80}", "default/r", id="http2"),
    pytest.param("{name: grpc-x, port: 80}", "default/r", id="grpc"),
    pytest.param("{port: 80}", "default/r", id="unnamed"),
    pytest.param("{name: tcp, port: 80, appProtocol: http}", "default/r", id="app-protocol-says-http"),
    pytest.param("{name: tcp, port: 80}", "default-route", id="tcp"),
    pytest.param("{name: https, port: 80}", "default-route", id="https"),
    pytest.param("{name: httpx, port: 80}", "default-route", id="httpx"),
    pytest.param("{name: http, port: 80, appProtocol: tcp}", "default-route", id="app-protocol-says-tcp"),
    pytest.param("{name: http, port: 80, protocol: UDP}", None, id="udp-is-not-served"),
]


@pytest.mark.parametrize(("port", "name"), PORTS)
def test_rules_are_for_ports_that_speak_http(world: World, table: Any, port: str, name: str | None) -> None:
    snapshot = world(
        f"""
kind: Service
metadata: {{name: a}}
spec: {{ports: [{port}]}}
---
kind: RouteRule
metadata: {{name: r}}
spec: {{destination: {{name: a}}}}
""",
        shop=False,
    )
    assert asked(snapshot, table).name("a/") == name


PODS = [
    pytest.param("kv-0.kv:8080", NOBODY, "kv-0.kv", id="short"),
    pytest.param("kv-1.kv.default.svc.cluster.local:8080", NOBODY, "kv-1.kv", id="fqdn-of-one-not-ready"),
    pytest.param("kv-0.kv.default:8080", STRANGER, "kv-0.kv", id="from-another-namespace"),
    pytest.param("kv-0.kv:8080", STRANGER, None, id="short-from-another-namespace"),
    pytest.param("kv-2.kv:8080", NOBODY, None, id="no-such-pod"),
    pytest.param("kv:8080", NOBODY, "kv", id="the-service-itself"),
]


@pytest.mark.parametrize(("authority", "caller", "host"), PODS)
def test_pods_of_a_headless_service(world: World, table: Any, authority: str, caller: Caller, host: str | None) -> None:
    expected = host and f"outbound|8080||{host}.default.svc.cluster.local"
    assert asked(world(HEADLESS), table, caller).cluster(f"{authority}/") == expected


def test_endpoints_of_single_pods(world: World) -> None:
    snapshot = world(HEADLESS, shop=False)
    assert _addresses(snapshot) == {
        "outbound|8080||kv.default.svc.cluster.local": ["127.244.0.6:8080"],
        "outbound|8080||kv-0.kv.default.svc.cluster.local": ["127.244.0.6:8080"],
        "outbound|8080||kv-1.kv.default.svc.cluster.local": [],
    }


def test_a_service_keeps_a_name_that_a_pod_has_too(world: World, table: Any) -> None:
    clash = "kind: Namespace\nmetadata: {name: kv}\n---\nkind: Service\nmetadata: {name: kv-0, namespace: kv}\n"
    snapshot = world(HEADLESS + clash + "spec: {ports: [{name: http, port: 8080}]}\n")
    found = asked(snapshot, table)
    assert found.cluster("kv-0.kv:8080/") == "outbound|8080||kv-0.kv.svc.cluster.local"
    assert found.cluster("kv-0.kv.default:8080/") == "outbound|8080||kv-0.kv.default.svc.cluster.local"


def test_one_cluster_a_label_set(world: World) -> None:
    rules = """
kind: RouteRule
metadata: {name: r}
spec:
  destination: {name: shop}
  route: [{labels: {version: v1, app: shop}, weight: 90}, {labels: {version: v9}, weight: 10}]
  mirror: {name: shop, labels: {version: v2}}
"""
    assert _addresses(world(rules)) == {
        f"outbound|80||{HOST}": ["127.244.0.1:8080", "127.244.4.1:8080"],
        f"outbound|80|app=shop,version=v1|{HOST}": ["127.244.0.1:8080"],
        f"outbound|80|version=v9|{HOST}": [],
        f"outbound|80|version=v2|{HOST}": ["127.244.4.1:8080"],
    }


def test_callers_are_told_apart_only_by_what_rules_ask(world: World) -> None:
    rules = """
kind: RouteRule
metadata: {name: r}
spec: {destination: {name: shop}, match: {source: {name: shop, labels: {version: v1}}}}
"""
    snapshot = world(rules)
    v1, v2 = (snapshot.pods[ip] for ip in ("127.244.0.1", "127.244.4.1"))
    kinds = [caller_class(snapshot, Caller(pod.namespace, frozenset({HOST}), pod.labels)) for pod in (v1, v2)]
    assert kinds[0] != kinds[1]
    assert kinds[1] == caller_class(snapshot, NOBODY)


def test_what_did_not_change_is_the_same_object(world: World) -> None:
    snapshot, memo = world(HEADLESS), Memo()
    first, second = (virtual_hosts(snapshot, NOBODY, memo) for _ in range(2))
    assert all(a is b for a, b in zip(first, second, strict=True))
    wanted = targets(snapshot, memo)
    once, again = (clusters(wanted, snapshot, memo) for _ in range(2))
    assert all(a is b for a, b in zip(once, again, strict=True))


def _addresses(snapshot: Snapshot) -> dict[str, list[str]]:
    return {
        assignment.cluster_name: [
            f"{end.endpoint.address.socket_address.address}:{end.endpoint.address.socket_address.port_value}"
            for locality in assignment.endpoints
            for end in locality.lb_endpoints
        ]
        for assignment in load_assignments(targets(snapshot), snapshot)
    }


def test_a_change_of_the_service_that_a_rule_sends_to_is_seen(parse: Callable[[str], list[Any]], shop: str) -> None:
    other = "kind: Service\nmetadata: {name: other}\nspec: {ports: [{name: http, port: 9000}]}\n"
    rule = """
kind: RouteRule
metadata: {name: r}
spec: {destination: {name: shop}, route: [{destination: {name: other}}]}
"""
    state, memo = SnapshotWorld(), Memo()
    for obj in (*parse(shop), *parse(rule)):
        state.put(obj)

    def target() -> str:
        hosts = virtual_hosts(state.snapshot(), NOBODY, memo)
        (cluster,) = [host.routes[0].route.cluster for host in hosts if host.name.startswith("shop")]
        return str(cluster)

    assert target() == "outbound|80||other.default.svc.cluster.local"
    state.put(parse(other)[0])
    assert target() == "outbound|9000||other.default.svc.cluster.local"
    state.put(parse(other.replace("9000", "9001"))[0])
    assert target() == "outbound|9001||other.default.svc.cluster.local"


def test_an_endpoint_that_did_not_change_stays_the_same_object(parse: Callable[[str], list[Any]], shop: str) -> None:
    state, memo, singles = SnapshotWorld(), Memo(), Memo()
    objects = parse(shop)
    for obj in objects:
        state.put(obj)

    def ends() -> tuple[Any, ...]:
        snapshot = state.snapshot()
        (found,) = endpoints(targets(snapshot), snapshot, memo, singles).values()
        return found

    both = ends()
    (slice_,) = [obj for obj in objects if obj.kind == "EndpointSlice"]
    slice_.endpoints[0].conditions.ready = False
    state.put(slice_)
    (left,) = ends()
    assert left is both[0]
