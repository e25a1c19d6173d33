from collections.abc import Callable
from typing import Any

import pytest

from mesh.api.services import ServicePort
from mesh.translate.views import is_http, pod_view, rule_view, service_view, slice_view

Parse = Callable[[str], list[Any]]


def pod(labels: str = "{}", owner: str = "") -> str:
    owners = f", ownerReferences: [{{apiVersion: v1, uid: u, controller: true, {owner}}}]" if owner else ""
    return f"kind: Pod\nmetadata: {{name: p-1, labels: {labels}{owners}}}\nspec: {{containers: []}}\n"


@pytest.mark.parametrize(
    ("text", "workload"),
    [
        pytest.param(pod(), "p-1", id="no-owner"),
        pytest.param(pod("{pod-template-hash: 5f}", "kind: ReplicaSet, name: web-5f"), "web", id="deployment"),
        pytest.param(pod("{}", "kind: ReplicaSet, name: web-5f"), "web-5f", id="replicaset-alone"),
        pytest.param(pod("{pod-template-hash: 5f}", "kind: StatefulSet, name: kv"), "kv", id="statefulset"),
    ],
)
def test_workload(parse: Parse, text: str, workload: str) -> None:
    assert pod_view(parse(text)[0]).workload == workload


@pytest.mark.parametrize(
    ("labels", "name", "revision"),
    [
        pytest.param("{}", "p-1", "latest", id="nothing"),
        pytest.param("{app: a, version: v1}", "a", "v1", id="app-and-version"),
        pytest.param(
            "{app: a, app.kubernetes.io/name: b, app.kubernetes.io/version: w, version: v}", "b", "w", id="k8s"
        ),
        pytest.param(
            "{service.istio.io/canonical-name: c, service.istio.io/canonical-revision: r, app: a, version: v}",
            "c",
            "r",
            id="istio",
        ),
    ],
)
def test_canonical_names(parse: Parse, labels: str, name: str, revision: str) -> None:
    view = pod_view(parse(pod(labels))[0])
    assert (view.canonical_name, view.canonical_revision) == (name, revision)


def test_rule_hosts(parse: Parse) -> None:
    text = """
kind: RouteRule
metadata: {name: r, namespace: n}
spec:
  destination: {name: a}
  match: {source: {name: c, namespace: m}}
  route: [{weight: 50}, {destination: {name: b}, weight: 50}]
  mirror: {service: d.example}
"""
    view = rule_view(parse(text)[0], "cluster.local")
    assert view.host == "a.n.svc.cluster.local"
    assert view.hosts == ("a.n.svc.cluster.local", "b.n.svc.cluster.local", "d.example")
    assert view.source_host == "c.m.svc.cluster.local"


def test_snake_case_rules_are_read(parse: Parse) -> None:
    text = """
kind: RouteRule
metadata: {name: r}
spec: {destination: {name: a}, http_req_timeout: {simple_timeout: {timeout: 2s}}, append_headers: {x_a: b}}
"""
    spec = rule_view(parse(text)[0], "cluster.local").spec
    assert spec.http_req_timeout is not None
    assert spec.http_req_timeout.simple_timeout is not None
    assert spec.http_req_timeout.simple_timeout.timeout == "2s"
    assert spec.append_headers == {"x_a": "b"}


def test_services(parse: Parse) -> None:
    text = "kind: Service\nmetadata: {name: a}\nspec: {clusterIP: None, ports: [{port: 80, targetPort: web}]}\n"
    view = service_view(parse(text)[0], "cluster.local")
    assert (view.host, view.ip, view.headless) == ("a.default.svc.cluster.local", "", True)
    assert [(port.name, port.number, port.target, port.http) for port in view.ports] == [("", 80, "web", True)]


def test_a_service_outside_the_mesh_has_no_ports(parse: Parse) -> None:
    text = "kind: Service\nmetadata: {name: a}\nspec: {type: ExternalName, externalName: b.c, ports: [{port: 80}]}\n"
    assert service_view(parse(text)[0], "cluster.local").ports == ()


def test_slices_without_addresses_or_of_another_family_are_left_out(parse: Parse) -> None:
    text = """
kind: EndpointSlice
metadata: {name: x, labels: {kubernetes.io/service-name: a}}
addressType: IPv4
ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]
endpoints: [{addresses: []}, {addresses: [127.0.0.9], conditions: {}}]
"""
    view = slice_view(parse(text)[0])
    assert [(end.address, end.ready, end.ports) for end in view.backends] == [("127.0.0.9", True, (("http", 80),))]
    assert slice_view(parse(text.replace("IPv4", "IPv6"))[0]).backends == ()


@pytest.mark.parametrize(
    ("port", "http"),
    [
        pytest.param({"port": 80}, True, id="no name"),
        pytest.param({"port": 6379}, False, id="no name, but a number that databases have"),
        pytest.param({"port": 80, "targetPort": 5432}, False, id="the number behind it"),
        pytest.param({"port": 6379, "name": "http-redis"}, True, id="a name says more than a number"),
        pytest.param({"port": 80, "name": "redis"}, False, id="a name of something else"),
        pytest.param({"port": 80, "name": "http", "appProtocol": "redis"}, False, id="appProtocol says most"),
        pytest.param({"port": 6379, "appProtocol": "HTTP"}, True, id="appProtocol beside a database's number"),
    ],
)
def test_what_speaks_http(port: dict[str, Any], http: bool) -> None:
    assert is_http(ServicePort.model_validate(port)) is http
