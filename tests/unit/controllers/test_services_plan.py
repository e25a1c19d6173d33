"""Which addresses and ports are free, and which are given?"""

from typing import Any

from mesh.api.services import Service
from mesh.controllers.actions import Patch
from mesh.controllers.services_plan import Exhausted, Pool, plan_service


def pool(**more: Any) -> Pool:
    return Pool(prefix="127.96", first=30000, last=30001, **more)


def service(name: str = "web", **spec: Any) -> Service:
    metadata = {"name": name, "namespace": "default", "resourceVersion": "1"}
    return Service.model_validate({"metadata": metadata, "spec": {"ports": [{"port": 80}], **spec}})


def spec_of(plan: object) -> dict[str, Any]:
    assert isinstance(plan, Patch)
    return dict(plan.patch["spec"])


def test_reserved_addresses_go_to_their_service_alone() -> None:
    shared = pool(reserved={("default", "kubernetes"): "127.96.1.1"})
    assert shared.address(("default", "other")) == "127.96.1.2"
    assert shared.address(("default", "kubernetes")) == "127.96.1.1"


def test_an_address_in_use_is_never_given_and_a_free_one_not_at_once() -> None:
    shared = pool()
    held = service("held", clusterIP="127.96.1.1")
    shared.hold(held)
    first = shared.address(("default", "a"))
    assert first == "127.96.1.2"
    shared.let_go(held, None)
    assert shared.address(("default", "b")) == "127.96.1.3"


def test_network_and_broadcast_hosts_are_passed_over() -> None:
    shared = pool()
    given = {shared.address(("default", f"s{n}")) for n in range(600)}
    assert len(given) == 600
    assert not [a for a in given if a is None or a.rsplit(".", 1)[1] in ("0", "255")]


def test_what_was_just_given_stays_held_before_it_is_stored() -> None:
    shared, bare = pool(), service()
    address = shared.address(bare.key)
    shared.let_go(bare, bare)
    shared.hold(bare)
    assert shared.address(("default", "other")) != address


def test_a_range_that_is_used_up() -> None:
    shared = pool()
    assert [shared.port(("default", str(n)), "TCP") for n in range(3)] == [30000, 30001, None]
    assert shared.port(("default", "udp"), "UDP") is not None
    answer = plan_service(service("late", type="NodePort"), shared)
    assert answer == Exhausted("no node port is left in 30000-30001")


def test_two_that_claim_the_same_are_told() -> None:
    shared = pool()
    one, two = service("one", clusterIP="127.96.9.9"), service("two", clusterIP="127.96.9.9")
    shared.hold(one)
    shared.hold(two)
    assert shared.conflict(one) is None
    told = ("ClusterIPAlreadyAllocated", "clusterIP 127.96.9.9 is already allocated to default/one")
    assert shared.conflict(two) == told


def test_each_type_gets_what_it_needs() -> None:
    assert spec_of(plan_service(service(), pool())) == {"clusterIP": "127.96.1.1", "clusterIPs": ["127.96.1.1"]}
    assert plan_service(service(clusterIP="None", clusterIPs=["None"]), pool()) is None
    held = {"clusterIP": "127.96.1.1", "clusterIPs": ["127.96.1.1"]}
    assert plan_service(service(**held), pool()) is None
    node = spec_of(plan_service(service(type="NodePort", **held), pool()))
    assert node == {"ports": [{"port": 80, "protocol": "TCP", "nodePort": 30000}]}
    back = service(**held, ports=[{"port": 80, "nodePort": 30000}])
    assert spec_of(plan_service(back, pool())) == {"ports": [{"port": 80, "protocol": "TCP"}]}
    outside = service(type="ExternalName", **held)
    assert spec_of(plan_service(outside, pool())) == {"clusterIP": None, "clusterIPs": None}
    assert plan_service(service(type="LoadBalancer", allocateLoadBalancerNodePorts=False, **held), pool()) is None


LOCAL = {
    "type": "LoadBalancer",
    "externalTrafficPolicy": "Local",
    "clusterIP": "127.96.1.1",
    "clusterIPs": ["127.96.1.1"],
}


def test_a_port_for_health_checks_comes_and_goes_with_the_policy() -> None:
    shared = pool()
    ports = [{"port": 80, "nodePort": 30000}]
    shared.hold(service(**LOCAL, ports=ports))
    assert spec_of(plan_service(service(**LOCAL, ports=ports), shared)) == {"healthCheckNodePort": 30001}
    held = service(**LOCAL, ports=ports, healthCheckNodePort=30001)
    assert plan_service(held, shared) is None
    shared.hold(held)
    assert plan_service(service("other", **LOCAL, ports=ports), shared) == Exhausted(
        "no node port is left in 30000-30001"
    )
    back = service(**{**LOCAL, "externalTrafficPolicy": "Cluster"}, ports=ports, healthCheckNodePort=30001)
    assert spec_of(plan_service(back, shared)) == {"healthCheckNodePort": None}
    shared.let_go(held, back.model_copy(update={"spec": back.spec.model_copy(update={"health_check_node_port": None})}))
    assert shared.port(("default", "late"), "TCP") == 30001


def test_two_services_with_one_node_port() -> None:
    shared = pool()
    one, two = (service(name, ports=[{"port": 80, "nodePort": 30000}]) for name in ("one", "two"))
    shared.hold(one)
    shared.hold(two)
    assert shared.conflict(one) is None
    assert shared.conflict(two) == ("PortAlreadyAllocated", "nodePort 30000 is already allocated to default/one")
