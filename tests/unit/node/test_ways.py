from typing import Any

import pytest

from mesh.api.core import Node
from mesh.api.services import EndpointSlice, Service
from mesh.node.ways import Binding, Group, NodeFact, Way, health_checks, node_fact, node_of, ways

ONE = NodeFact("node-1", "127.18.0.1", "a", cidr="127.244.0.0/22")
TWO = NodeFact("node-2", "127.18.0.2", "b", cidr="127.244.4.0/22")
NODES = (ONE, TWO)
VIP, LB = "127.96.0.9", "127.20.0.1"
ON_ONE, ALSO_ON_ONE, ON_TWO = ("127.244.0.1", 8080), ("127.244.0.2", 8080), ("127.244.4.1", 8080)
ALL = (ON_ONE, ALSO_ON_ONE, ON_TWO)
NLB = "service.beta.kubernetes.io/aws-load-balancer-type"
TARGETS = "service.beta.kubernetes.io/aws-load-balancer-nlb-target-type"
KEPT = "service.beta.kubernetes.io/aws-load-balancer-target-group-attributes"
CROSS = {"service.beta.kubernetes.io/aws-load-balancer-attributes": "load_balancing.cross_zone.enabled=true"}
ZONES = {"loopmesh.io/zones": "a=127.20.0.1,b=127.20.1.1,c=127.20.2.1"}


def service(notes: dict[str, str] | None = None, ips: tuple[str, ...] = (), **spec: Any) -> Service:
    body = {"clusterIP": VIP, "ports": [{"name": "http", "port": 80, "nodePort": 30080}], **spec}
    status = {"loadBalancer": {"ingress": [{"ip": ip} for ip in ips]}}
    meta = {"name": "web", "namespace": "shop", "annotations": notes or {}}
    return Service.model_validate({"metadata": meta, "spec": body, "status": status})


def endpoint(address: str, node: str = "", zone: str | None = None, **conditions: bool) -> dict[str, Any]:
    return {"addresses": [address], "nodeName": node, "zone": zone, "conditions": conditions}


def piece(*endpoints: dict[str, Any], port: int = 8080, kind: str = "IPv4") -> EndpointSlice:
    ports = [{"name": "http", "port": port}, {"name": "dns", "port": 53, "protocol": "UDP"}]
    return EndpointSlice.model_validate({"addressType": kind, "endpoints": endpoints, "ports": ports})


THREE = piece(endpoint(ON_ONE[0], "node-1"), endpoint(ALSO_ON_ONE[0], "node-1"), endpoint(ON_TWO[0], "node-2"))


def groups(found: dict[Binding, Way], address: str) -> tuple[Group, ...]:
    (way,) = (way for binding, way in found.items() if binding.address == address)
    return way.groups


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        pytest.param({}, [(VIP, 80), ("127.18.0.1", 30080), ("127.18.0.2", 30080)], id="cluster IP and node ports"),
        pytest.param({"clusterIP": "None", "ports": [{"port": 80}]}, [], id="headless"),
        pytest.param({"type": "ExternalName", "externalName": "example.org"}, [], id="external name"),
        pytest.param({"clusterIP": None, "ports": [{"port": 80}]}, [], id="not allocated yet"),
        pytest.param({"ports": None}, [], id="no ports"),
        pytest.param({"ports": [{"port": 53, "protocol": "UDP", "nodePort": 30053}]}, [], id="UDP"),
        pytest.param(
            {"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 81}]}, [(VIP, 80), (VIP, 81)], id="two ports"
        ),
        pytest.param(
            {"ports": [{"port": 80}], "externalIPs": ["127.0.0.77"]}, [(VIP, 80), ("127.0.0.77", 80)], id="external IP"
        ),
    ],
)
def test_where_a_service_answers(spec: dict[str, Any], wanted: list[tuple[str, int]]) -> None:
    found = ways(service(**spec), [THREE], NODES)
    assert [(binding.address, binding.port) for binding in found] == wanted


@pytest.mark.parametrize(
    ("endpoints", "wanted"),
    [
        pytest.param([endpoint("127.0.0.2", ready=True), endpoint("127.0.0.1")], {"127.0.0.1", "127.0.0.2"}, id="ready"),
        pytest.param([endpoint("127.0.0.1", ready=False)], set(), id="not ready"),
        pytest.param(
            [endpoint("127.0.0.1", ready=True), endpoint("127.0.0.2", ready=False, serving=True, terminating=True)],
            {"127.0.0.1"},
            id="one is going away",
        ),
        pytest.param(
            [endpoint("127.0.0.2", ready=False, serving=True, terminating=True), endpoint("127.0.0.3", ready=False)],
            {"127.0.0.2"},
            id="only those that go away still serve",
        ),
        pytest.param(
            [endpoint("127.0.0.2", ready=False, serving=False, terminating=True)], set(), id="going, not serving"
        ),
        pytest.param(
            [endpoint("127.0.0.1", ready=True, serving=False, terminating=True)], {"127.0.0.1"},
            id="published although not ready",
        ),
        pytest.param([], set(), id="none"),
    ],
)  # fmt: skip
def test_usable_endpoints(endpoints: list[dict[str, Any]], wanted: set[str]) -> None:
    found = groups(ways(service(), [piece(*endpoints)], ()), VIP)
    assert {address for group in found for address, _ in group.targets} == wanted


def test_slices_of_one_service_are_one_set_and_other_families_are_left_out() -> None:
    pieces = [piece(endpoint("127.0.0.1")), piece(endpoint("127.0.0.2")), piece(endpoint("127.0.0.1")),
              piece(endpoint("::1"), kind="IPv6"), piece(endpoint("10.0.0.1"))]  # fmt: skip
    assert groups(ways(service(), pieces, ()), VIP) == (Group((("127.0.0.1", 8080), ("127.0.0.2", 8080))),)


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        pytest.param(
            {},
            {"127.18.0.1": (Group(ALL, "node-1", "a", "127.18.0.1"),),
             "127.18.0.2": (Group(ALL, "node-2", "b", "127.18.0.2"),)},
            id="Cluster: every endpoint, from the node's address",
        ),
        pytest.param(
            {"externalTrafficPolicy": "Local"},
            {"127.18.0.1": (Group((ON_ONE, ALSO_ON_ONE), "node-1", "a"),),
             "127.18.0.2": (Group((ON_TWO,), "node-2", "b"),)},
            id="Local: the node's own, from the client's address",
        ),
    ],
)  # fmt: skip
def test_node_ports(spec: dict[str, Any], wanted: dict[str, tuple[Group, ...]]) -> None:
    found = ways(service(**spec), [THREE], NODES)
    assert {address: groups(found, address) for address in wanted} == wanted


def test_a_node_without_endpoints_and_a_lost_node_take_nothing() -> None:
    on_two = piece(endpoint(ON_TWO[0], "node-2"))
    assert groups(ways(service(externalTrafficPolicy="Local"), [on_two], NODES), "127.18.0.1") == ()
    lost = NodeFact("node-2", "127.18.0.2", up=False)
    assert groups(ways(service(), [on_two], (ONE, lost)), "127.18.0.2") == ()


def test_local_falls_back_to_leaving_endpoints_of_the_node_itself() -> None:
    leaving = piece(endpoint(ON_ONE[0], "node-1", ready=False, serving=True, terminating=True),
                    endpoint(ON_TWO[0], "node-2", ready=True))  # fmt: skip
    found = ways(service(externalTrafficPolicy="Local"), [leaving], NODES)
    assert groups(found, "127.18.0.1") == (Group((ON_ONE,), "node-1", "a"),)


def test_internal_traffic_policy_local_groups_by_node() -> None:
    found = ways(service(internalTrafficPolicy="Local"), [THREE], NODES)
    (way,) = (way for binding, way in found.items() if binding.address == VIP)
    assert (way.near, way.groups) == ("node", (Group((ON_ONE, ALSO_ON_ONE), "node-1"), Group((ON_TWO,), "node-2")))


def test_traffic_distribution_groups_by_zone() -> None:
    found = ways(service(trafficDistribution="PreferClose"), [THREE], NODES)
    (way,) = (way for binding, way in found.items() if binding.address == VIP)
    assert way.near == "zone"
    assert way.groups == (Group((ON_ONE, ALSO_ON_ONE), zone="a"), Group((ON_TWO,), zone="b"), Group(ALL))


THROUGH_ONE, THROUGH_TWO = Group(ALL, "node-1", "a", "127.18.0.1"), Group(ALL, "node-2", "b", "127.18.0.2")
A, B, C = "127.20.0.1", "127.20.1.1", "127.20.2.1"


@pytest.mark.parametrize(
    ("notes", "spec", "wanted"),
    [
        pytest.param({}, {}, {A: (THROUGH_ONE, THROUGH_TWO)}, id="plain: any node"),
        pytest.param(
            {}, {"externalTrafficPolicy": "Local"},
            {A: (Group((ON_ONE, ALSO_ON_ONE), "node-1", "a"), Group((ON_TWO,), "node-2", "b"))},
            id="plain, Local: nodes that have endpoints",
        ),
        pytest.param({NLB: "nlb", **ZONES}, {}, {A: (THROUGH_ONE,), B: (THROUGH_TWO,), C: ()}, id="own zone alone"),
        pytest.param(
            {NLB: "external", **ZONES, **CROSS}, {},
            {A: (THROUGH_ONE, THROUGH_TWO), B: (THROUGH_ONE, THROUGH_TWO), C: (THROUGH_ONE, THROUGH_TWO)},
            id="across zones",
        ),
        pytest.param(
            {NLB: "nlb-ip", **ZONES}, {},
            {A: (Group((ON_ONE, ALSO_ON_ONE), source=A),), B: (Group((ON_TWO,), source=B),), C: ()},
            id="pods as targets see the balancer",
        ),
        pytest.param(
            {TARGETS: "ip", KEPT: "preserve_client_ip.enabled=true", **ZONES},
            {"loadBalancerClass": "service.k8s.aws/nlb"},
            {A: (Group((ON_ONE, ALSO_ON_ONE)),), B: (Group((ON_TWO,)),), C: ()},
            id="by class, source kept",
        ),
        pytest.param({NLB: "nlb", **ZONES}, {"loadBalancerClass": "example.com/other"}, {}, id="not ours"),
    ],
)  # fmt: skip
def test_load_balancers(notes: dict[str, str], spec: dict[str, Any], wanted: dict[str, tuple[Group, ...]]) -> None:
    asked = service(notes, tuple(wanted) or (A,), type="LoadBalancer", **spec)
    found = ways(asked, [THREE], NODES)
    outside = {binding.address: way for binding, way in found.items() if binding.address.startswith("127.20.")}
    assert {address: way.groups for address, way in outside.items()} == wanted
    assert all(way.kind == "load balancer" for way in outside.values())


def test_a_node_may_be_kept_out_of_load_balancers() -> None:
    shy = NodeFact("node-1", "127.18.0.1", balanced=False)
    found = ways(service(ips=(A,), type="LoadBalancer"), [THREE], (shy, TWO))
    assert [group.node for group in groups(found, A)] == ["node-2"]


@pytest.mark.parametrize(
    ("ranges", "client", "admitted"),
    [
        ([], "127.9.9.9", True),
        (["127.0.0.0/24"], "127.0.0.9", True),
        (["127.0.0.0/24"], "127.0.1.9", False),
        (["127.7.0.0/16", " 127.0.1.9/32 "], "127.0.1.9", True),
        (["nonsense"], "127.0.0.1", False),
    ],
)
def test_source_ranges(ranges: list[str], client: str, admitted: bool) -> None:
    assert Way("load balancer", (), ranges=tuple(ranges)).admits(client) is admitted


@pytest.mark.parametrize(
    ("spec", "seconds"),
    [
        ({"sessionAffinity": "None"}, 0),
        ({"sessionAffinity": "ClientIP"}, 10800),
        ({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 5}}}, 5),
    ],
)
def test_affinity(spec: dict[str, Any], seconds: int) -> None:
    assert {way.affinity_s for way in ways(service(**spec), [THREE], NODES).values()} == {seconds}


def test_health_checks_count_the_endpoints_of_each_node() -> None:
    local = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 31999}
    gone = piece(endpoint("127.244.4.9", "node-2", ready=False))
    assert health_checks(service(**local), [THREE, gone], NODES) == {("127.18.0.1", 31999): 2, ("127.18.0.2", 31999): 1}
    assert health_checks(service(**local | {"externalTrafficPolicy": "Cluster"}), [THREE], NODES) == {}


def test_what_a_node_says_of_itself() -> None:
    node = {
        "metadata": {"name": "node-1", "labels": {"topology.kubernetes.io/zone": "a"}},
        "spec": {"podCIDR": "127.244.0.0/22"},
        "status": {"addresses": [{"type": "InternalIP", "address": "127.18.0.1"}],
                   "conditions": [{"type": "Ready", "status": "True"}]},
    }  # fmt: skip
    assert node_fact(Node.model_validate(node)) == ONE
    node["status"]["conditions"][0]["status"] = "Unknown"  # type: ignore[index]
    assert node_fact(Node.model_validate(node)) == NodeFact("node-1", "127.18.0.1", "a", up=False, cidr=ONE.cidr)
    assert node_fact(Node.model_validate({"metadata": {"name": "new"}})) is None


@pytest.mark.parametrize(
    ("client", "node"), [("127.244.1.7", ONE), ("127.244.4.1", TWO), ("127.18.0.2", TWO), ("127.0.0.1", None)]
)
def test_where_a_client_is(client: str, node: NodeFact | None) -> None:
    assert node_of(client, NODES) is node
