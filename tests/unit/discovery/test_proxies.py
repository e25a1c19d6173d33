from collections.abc import Callable
from typing import Any

from mesh.discovery.configuration import Configuration
from mesh.discovery.proxies import GatewayState, SidecarState

Parse = Callable[[str], list[Any]]
SERVICE = "kind: Service\nmetadata: {name: a}\nspec: {selector: {app: a}, ports: [{port: 80, targetPort: 8080}]}\n"
SLICE = """
kind: EndpointSlice
metadata: {name: a-x, labels: {kubernetes.io/service-name: a}}
ports: [{port: 8080}]
endpoints: [{addresses: [127.244.0.1], conditions: {ready: true}}]
"""
RULE = "kind: RouteRule\nmetadata: {name: r}\nspec: {destination: {name: a}, redirect: {uri: /one}}\n"
INGRESS = """
kind: Ingress
metadata: {name: i}
spec: {defaultBackend: {service: {name: missing, port: {number: 80}}}}
"""


def pod(number: int, version: str = "v1") -> str:
    return f"""
kind: Pod
metadata: {{name: a-{number}, labels: {{app: a, version: {version}}}}}
spec: {{containers: [{{name: c, image: x, ports: [{{containerPort: 8080}}]}}]}}
status: {{podIP: 127.244.{number // 250}.{number % 250 + 1}}}
"""


def filled(parse: Parse, *texts: str) -> Configuration:
    configuration = Configuration()
    for text in texts:
        for obj in parse(text):
            configuration.put(obj)
    configuration.refresh()
    return configuration


def test_a_thousand_sidecars_share_one_table(parse: Parse, tables: Any) -> None:
    texts = [pod(number) for number in range(1000)]
    configuration = filled(parse, SERVICE, SLICE, RULE, *texts)
    states = [
        SidecarState(configuration, tables, parse(text)[0], f"127.245.{number // 250}.{number % 250 + 1}")
        for number, text in enumerate(texts)
    ]
    found = [state.tables() for state in states]
    assert len({id(one.listeners[0].http.routes) for one in found}) == 1
    assert len({id(one.listeners[1].http.routes) for one in found}) == 1
    assert len({one.listeners[0].address for one in found}) == 1000
    assert len({id(one.clusters.shared) for one in found}) == 1
    assert len({id(one.clusters.own[b"inbound|8080||"]) for one in found}) == 1


def test_tables_stay_the_same_until_something_changes(parse: Parse, tables: Any) -> None:
    configuration = filled(parse, SERVICE, SLICE, pod(0))
    state = SidecarState(configuration, tables, parse(pod(0))[0], "127.245.0.1")
    first = state.tables()
    configuration.put(parse(pod(0).replace("name: a-0,", "name: a-0, annotations: {x: y},"))[0])
    assert not configuration.refresh()
    assert state.tables() is first
    configuration.put(parse(SLICE.replace("ready: true", "ready: false"))[0])
    configuration.refresh()
    second = state.tables()
    assert second is not first
    assert second.listeners is first.listeners


def test_a_port_that_a_service_begins_to_name_becomes_http(parse: Parse, tables: Any) -> None:
    configuration = filled(parse, pod(0))
    state = SidecarState(configuration, tables, parse(pod(0))[0], "127.245.0.1")
    assert [listener.http is not None for listener in state.tables().listeners] == [True, False]
    configuration.put(parse(SERVICE)[0])
    configuration.refresh()
    assert [listener.http is not None for listener in state.tables().listeners] == [True, True]


def test_a_label_that_a_rule_asks_for_changes_the_routes(parse: Parse, tables: Any) -> None:
    rule = RULE.replace("redirect", "match: {source: {name: a, labels: {version: v2}}}, redirect")
    configuration = filled(parse, SERVICE, rule, pod(0))
    state = SidecarState(configuration, tables, parse(pod(0))[0], "127.245.0.1")
    before = state.tables().listeners[0].http.routes
    configuration.put(parse(pod(0, "v2"))[0])
    configuration.refresh()
    assert state.tables().listeners[0].http.routes is not before


def test_the_gateway_has_clusters_of_its_own_for_missing_backends(parse: Parse, tables: Any) -> None:
    configuration = filled(parse, INGRESS)
    state = GatewayState(configuration, tables, "127.0.0.1", 8080)
    name = b"outbound|80||missing.default.svc.cluster.local"
    assert name in state.tables().clusters.own
    assert state.tables().endpoints[name] == ()
    configuration.put(parse(SERVICE.replace("name: a}", "name: missing}"))[0])
    configuration.refresh()
    assert name not in state.tables().clusters.own
    assert name in state.tables().clusters.shared
