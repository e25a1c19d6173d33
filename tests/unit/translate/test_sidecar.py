from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from mesh.translate.listeners import INBOUND, OUTBOUND
from mesh.translate.resources import wire
from mesh.translate.sidecar import inbound_ports, sidecar
from mesh.translate.snapshot import Snapshot, build

World = Callable[..., Snapshot]


def pod(ports: str, labels: str = "{app: a}") -> str:
    return f"""
kind: Pod
metadata: {{name: a-1, labels: {labels}}}
spec: {{containers: [{{name: c, ports: [{ports}]}}]}}
status: {{podIP: 127.244.0.1}}
---
"""


def service(port: str, name: str = "a") -> str:
    return f"kind: Service\nmetadata: {{name: {name}}}\nspec: {{selector: {{app: a}}, ports: [{port}]}}\n---\n"


PORTS = [
    pytest.param(pod("{containerPort: 9}"), [(9, False)], id="a-port-that-no-service-names-is-tcp"),
    pytest.param(pod("{containerPort: 9}") + service("{port: 80, targetPort: 9}"), [(9, True)], id="target-number"),
    pytest.param(
        pod("{name: web, containerPort: 9}") + service("{port: 80, targetPort: web}"), [(9, True)], id="target-name"
    ),
    pytest.param(pod("{containerPort: 9}") + service("{port: 9}"), [(9, True)], id="target-is-the-port-itself"),
    pytest.param(pod("") + service("{port: 80, targetPort: 9}"), [(9, True)], id="a-port-no-container-declares"),
    pytest.param(pod("") + service("{port: 80, targetPort: web}"), [], id="a-name-no-container-has"),
    pytest.param(
        pod("{containerPort: 9}") + service("{name: tcp-x, port: 80, targetPort: 9}"), [(9, False)], id="tcp-service"
    ),
    pytest.param(
        pod("{containerPort: 9}")
        + service("{name: tcp-x, port: 80, targetPort: 9}")
        + service("{name: http, port: 80, targetPort: 9}", "b"),
        [(9, True)],
        id="http-wins",
    ),
    pytest.param(
        pod("{containerPort: 9}", "{app: z}") + service("{port: 80, targetPort: 9}"), [(9, False)], id="not-its-service"
    ),
    pytest.param(pod("{name: http, containerPort: 9}"), [(9, True)], id="a-port-whose-own-name-says-http"),
    pytest.param(
        pod("{name: http, containerPort: 9}") + service("{name: tcp, port: 80, targetPort: 9}"),
        [(9, False)],
        id="the-service-goes-before-the-name",
    ),
    pytest.param(
        pod("{containerPort: 9}", "{app: a, version: v1}")
        + service("{port: 80, targetPort: 9}").replace("app: a", "app: a, version: v2"),
        [(9, True)],
        id="a-service-that-may-select-it-tomorrow",
    ),
    pytest.param(
        pod("{containerPort: 9}", "{app: a, version: v1}")
        + service("{port: 80, targetPort: 8}").replace("app: a", "app: a, version: v2"),
        [(9, False)],
        id="such-a-service-on-another-port",
    ),
    pytest.param(pod("{containerPort: 9, protocol: UDP}"), [], id="udp-is-left-out"),
]


@pytest.mark.parametrize(("text", "expected"), PORTS)
def test_inbound_ports(world: World, text: str, expected: list[tuple[int, bool]]) -> None:
    snapshot = world(text, shop=False)
    view = snapshot.pods["127.244.0.1"]
    found = inbound_ports(snapshot, view)
    assert [(port.number, port.http) for port in found] == expected


def test_inbound_ports_know_the_services_that_lead_there(world: World) -> None:
    snapshot = world(
        pod("{containerPort: 9}")
        + service("{name: http, port: 80, targetPort: 9}, {name: http-b, port: 81, targetPort: 9}")
        + service("{port: 80, targetPort: 9}", "b"),
        shop=False,
    )
    view = snapshot.pods["127.244.0.1"]
    (port,) = inbound_ports(snapshot, view)
    assert [name.name for name in port.services] == ["a", "b"]
    (found,) = [c for c in sidecar(snapshot, view, "127.245.0.1").clusters if c.name == "inbound|9||"]
    listed = found.metadata.filter_metadata["istio"]["services"]
    assert [item["host"] for item in listed] == ["a.default.svc.cluster.local", "b.default.svc.cluster.local"]


def test_listeners_of_a_sidecar(world: World) -> None:
    snapshot = world(
        pod("{containerPort: 8080}, {containerPort: 9101}") + service("{port: 80, targetPort: 8080}"), shop=False
    )
    resources = sidecar(snapshot, snapshot.pods["127.244.0.1"], "127.245.0.1")
    shown, directions = {}, set()
    for listener in resources.listeners:
        directions.add((listener.name.partition("_")[0], listener.traffic_direction))
        address = listener.address.socket_address
        (item,) = listener.filter_chains[0].filters
        shown[f"{address.address}:{address.port_value}"] = item.name.rpartition(".")[2]
    assert shown == {
        "127.244.0.1:15001": "http_connection_manager",
        "127.244.0.1:8080": "http_connection_manager",
        "127.244.0.1:9101": "tcp_proxy",
    }
    assert directions == {("outbound", OUTBOUND), ("inbound", INBOUND)}
    inbound = {
        end.cluster_name: end.endpoints[0].lb_endpoints[0].endpoint.address.socket_address.address
        for end in resources.endpoints
        if end.cluster_name.startswith("inbound")
    }
    assert inbound == {"inbound|8080||": "127.245.0.1", "inbound|9101||": "127.245.0.1"}
    assert [route.name for route in resources.routes] == ["outbound", "inbound|8080||"]


def test_ports_that_the_sidecar_needs_are_left_to_it_and_told(world: World) -> None:
    snapshot = world(pod("{containerPort: 15090}, {containerPort: 80}"), shop=False)
    resources = sidecar(snapshot, snapshot.pods["127.244.0.1"], "127.245.0.1")
    assert [listener.address.socket_address.port_value for listener in resources.listeners] == [15001, 80]
    (finding,) = resources.findings
    assert (finding.code, finding.name) == ("MESH001", "a-1")
    assert "15090" in finding.message


RULE = """
kind: RouteRule
metadata: {name: r}
spec:
  destination: {name: shop}
  match: {request: {headers: {b: {exact: x}, a: {exact: y}}}}
  route: [{labels: {version: v1, app: shop}, weight: 90}, {labels: {version: v2}, weight: 10}]
  appendHeaders: {x-b: b, x-a: a}
---
"""


def test_equal_worlds_give_equal_bytes_in_any_order(shop: str, parse: Callable[[str], list[Any]]) -> None:
    objects = parse(shop + RULE)
    one, two = build(objects), build(reversed(objects))
    for address in one.pods:
        first, second = (sidecar(world, world.pods[address], "127.245.0.1") for world in (one, two))
        for kind in ("listeners", "routes", "clusters", "endpoints"):
            assert list(map(wire, getattr(first, kind))) == list(map(wire, getattr(second, kind))), kind


def test_flags_of_the_connection_managers(world: World) -> None:
    from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm

    snapshot = world()
    found = []
    for listener in sidecar(snapshot, snapshot.pods["127.244.0.1"], "127.245.0.1").listeners:
        manager = hcm.HttpConnectionManager()
        listener.filter_chains[0].filters[0].typed_config.Unpack(manager)
        shown = MessageToDict(manager)
        for field in ("rds", "httpFilters"):
            del shown[field]
        found.append(shown)
    common = {
        "useRemoteAddress": False,
        "normalizePath": True,
        "proxy100Continue": True,
        "streamIdleTimeout": "0s",
    }
    assert found == [
        {**common, "statPrefix": "outbound", "serverName": "envoy"},
        {
            **common,
            "statPrefix": "inbound_8080",
            "serverName": "istio-envoy",
            "serverHeaderTransformation": "APPEND_IF_ABSENT",
            "upgradeConfigs": [{"upgradeType": "websocket"}],
        },
    ]
