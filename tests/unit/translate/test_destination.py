from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from mesh.routing.compile import compile_cluster, compile_routes
from mesh.translate.destination import ROOT, Destinations, DestinationView, destination_view
from mesh.translate.gateway import gateway
from mesh.translate.outbound import clusters, differing
from mesh.translate.sidecar import sidecar
from mesh.translate.snapshot import Snapshot
from mesh.translate.targets import Target, targets
from tests.unit.translate.conftest import objects

HOST = "shop.default.svc.cluster.local"
World = Callable[..., Snapshot]


def rule(balancer: str, host: str = "shop", name: str = "r", namespace: str = "default", created: str = "") -> str:
    return f"""
---
kind: DestinationRule
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: '{created}'}}
spec: {{host: '{host}', trafficPolicy: {{loadBalancer: {balancer}}}}}
"""


def view(text: str) -> DestinationView:
    return destination_view(objects(text)[0], "cluster.local")


BALANCERS = [
    pytest.param("{simple: ROUND_ROBIN}", {}, [], id="round robin"),
    pytest.param("{simple: RANDOM}", {"lbPolicy": "RANDOM"}, [], id="random"),
    pytest.param("{simple: LEAST_CONN}", {"lbPolicy": "LEAST_REQUEST"}, [], id="least request, older name"),
    pytest.param("{simple: UNSPECIFIED}", {}, [], id="as ever"),
    pytest.param(
        "{consistentHash: {httpHeaderName: x-user}}",
        {"lbPolicy": "RING_HASH"},
        [{"header": {"headerName": "x-user"}}],
        id="header",
    ),
    pytest.param(
        "{consistentHash: {httpCookie: {name: u, ttl: 1.5s, path: /}}}",
        {"lbPolicy": "RING_HASH"},
        [{"cookie": {"name": "u", "ttl": "1.500s", "path": "/"}}],
        id="cookie",
    ),
    pytest.param(
        "{consistentHash: {httpCookie: {name: u, ttl: 0s}}}",
        {"lbPolicy": "RING_HASH"},
        [{"cookie": {"name": "u", "ttl": "0s"}}],
        id="session cookie",
    ),
    pytest.param(
        "{consistentHash: {httpCookie: {name: u}}}",
        {"lbPolicy": "RING_HASH"},
        [{"cookie": {"name": "u"}}],
        id="cookie that is never made up",
    ),
    pytest.param(
        "{consistentHash: {useSourceIp: true, ringHash: {minimumRingSize: 64}}}",
        {"lbPolicy": "RING_HASH", "ringHashLbConfig": {"minimumRingSize": "64"}},
        [{"connectionProperties": {"sourceIp": True}}],
        id="source and a small ring",
    ),
    pytest.param(
        "{consistentHash: {httpQueryParameterName: key, minimumRingSize: '128'}}",
        {"lbPolicy": "RING_HASH", "ringHashLbConfig": {"minimumRingSize": "128"}},
        [{"queryParameter": {"name": "key"}}],
        id="query and the older place of the size",
    ),
    pytest.param(
        "{consistentHash: {httpHeaderName: x-user, maglev: {tableSize: 251}}}",
        {"lbPolicy": "MAGLEV", "maglevLbConfig": {"tableSize": "251"}},
        [{"header": {"headerName": "x-user"}}],
        id="maglev",
    ),
    pytest.param(
        "{consistentHash: {httpHeaderName: x-user, maglev: {}}}",
        {"lbPolicy": "MAGLEV"},
        [{"header": {"headerName": "x-user"}}],
        id="maglev of the usual size",
    ),
]


@pytest.mark.parametrize(("balancer", "cluster", "policies"), BALANCERS)
def test_clusters_and_routes_say_how(world: World, balancer: str, cluster: Any, policies: Any) -> None:
    snapshot = world(rule(balancer))
    resources = sidecar(snapshot, snapshot.pods["127.244.0.1"], "127.245.0.1")
    shop = next(each for each in resources.clusters if each.name == Target(HOST, 80).name)
    said = MessageToDict(shop)
    assert {key: said[key] for key in ("lbPolicy", "ringHashLbConfig", "maglevLbConfig") if key in said} == cluster
    compile_cluster(shop)
    host = next(host for host in resources.routes[0].virtual_hosts if host.name.startswith(HOST))
    assert [MessageToDict(policy) for policy in host.routes[0].route.hash_policy] == policies
    compile_routes(resources.routes[0])


def test_the_gateway_hashes_as_well(world: World) -> None:
    ingress = (
        "{kind: Ingress, metadata: {name: i}, spec: {defaultBackend: {service: {name: shop, port: {number: 80}}}}}"
    )
    resources = gateway(world(ingress + rule("{consistentHash: {httpHeaderName: x-user}}")))
    route = resources.routes[0].virtual_hosts[0].routes[0]
    assert [policy.header.header_name for policy in route.route.hash_policy] == ["x-user"]
    assert compile_cluster(resources.clusters[0]).lb_policy == "RING_HASH"


def test_routes_of_rules_hash_for_what_they_lead_to(world: World) -> None:
    split = """
kind: RouteRule
metadata: {name: split}
spec:
  destination: {name: shop}
  route: [{labels: {version: v1}, weight: 50}, {labels: {version: v2}, weight: 50}]
"""
    snapshot = world(split + rule("{consistentHash: {httpHeaderName: x-user}}"))
    resources = sidecar(snapshot, snapshot.pods["127.244.0.1"], "127.245.0.1")
    action = resources.routes[0].virtual_hosts[0].routes[0].route
    assert len(action.weighted_clusters.clusters) == 2
    assert len(action.hash_policy) == 1, "one rule for both, so its number is not mixed with itself"
    assert {compile_cluster(each).lb_policy for each in resources.clusters if "version" in each.name} == {"RING_HASH"}


def test_pods_of_a_stateful_set_are_hashed_by_name(world: World) -> None:
    pods = """
kind: Service
metadata: {name: kv}
spec: {clusterIP: None, ports: [{name: http, port: 80}]}
---
kind: Pod
metadata: {name: kv-0, ownerReferences: [{kind: StatefulSet, name: kv, apiVersion: apps/v1, uid: u, controller: true}]}
spec: {containers: []}
status: {podIP: 127.244.0.9}
---
kind: EndpointSlice
metadata: {name: kv-x, labels: {kubernetes.io/service-name: kv}}
ports: [{name: http, port: 80}]
endpoints: [{addresses: [127.244.0.9], targetRef: {kind: Pod, name: kv-0}}]
"""
    found = gateway(world(pods)).endpoints
    metadata = {
        each.cluster_name: dict(each.endpoints[0].lb_endpoints[0].metadata.filter_metadata)
        for each in found
        if each.endpoints
    }
    assert metadata["outbound|80||kv.default.svc.cluster.local"]["envoy.lb"]["hash_key"] == "kv-0"
    assert "envoy.lb" not in metadata[Target(HOST, 80).name]


# --- whose rule counts ------------------------------------------------------------------------------------------

ONE = "{simple: RANDOM}"


@pytest.mark.parametrize(
    ("rules", "caller", "expected"),
    [
        pytest.param([], "default", None, id="none"),
        pytest.param([rule(ONE)], "other", "default/r", id="the service's namespace"),
        pytest.param([rule(ONE), rule(ONE, HOST, "own", "other")], "other", "other/own", id="the caller's before"),
        pytest.param([rule(ONE), rule(ONE, HOST, "own", "third")], "other", "default/r", id="not a third one's"),
        pytest.param([rule(ONE, HOST, "all", ROOT)], "other", f"{ROOT}/all", id="the root's"),
        pytest.param([rule(ONE, HOST, "all", ROOT), rule(ONE)], "other", "default/r", id="the root's last"),
        pytest.param([rule(ONE, "shop", "own", "other")], "other", None, id="a short name means its own namespace"),
        pytest.param([rule(ONE, "SHOP")], "", "default/r", id="in any case"),
        pytest.param([rule(ONE, "*.svc.cluster.local", "w")], "", "default/w", id="a wildcard"),
        pytest.param([rule(ONE, "*.svc.cluster.local", "w"), rule(ONE)], "", "default/r", id="an exact name before it"),
        pytest.param(
            [rule(ONE, "*.local", "a"), rule(ONE, "*.default.svc.cluster.local", "b")], "", "default/b", id="the longer"
        ),
        pytest.param(
            [rule(ONE, name="a", created="2026-01-02"), rule(ONE, name="b", created="2026-01-01")],
            "",
            "default/b",
            id="the older",
        ),
    ],
)
def test_whose_rule_counts(rules: list[str], caller: str, expected: str | None) -> None:
    found = Destinations(map(view, rules)).of(HOST, "default", caller)
    assert (f"{found.namespace}/{found.name}" if found else None) == expected


def test_a_newer_rule_for_the_same_host_is_never_used() -> None:
    older, newer = view(rule(ONE, name="a", created="1")), view(rule(ONE, HOST, "b", created="2"))
    assert Destinations([newer, older]).shadowed() == [(newer, older)]


def test_callers_of_a_namespace_with_rules_for_others_get_clusters_of_their_own(world: World) -> None:
    snapshot = world(rule("{simple: RANDOM}", HOST, "own", "other"))
    wanted = targets(snapshot)
    assert differing(wanted, snapshot, "default") == ()
    assert differing(wanted, snapshot, "other") == wanted
    policies = [compile_cluster(clusters(wanted, snapshot, None, space)[0]).lb_policy for space in ("", "other")]
    assert policies == ["ROUND_ROBIN", "RANDOM"]
