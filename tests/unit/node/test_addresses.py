import ipaddress

import pytest

from mesh.node.addresses import MAX_NODES, PODS_PER_NODE, Plan


def test_the_first_mesh_has_the_familiar_ranges() -> None:
    plan = Plan()
    assert (plan.people, plan.node(0), plan.pod(0, 1), plan.pod(1, 300), plan.app(1, 300)) == (
        "127.0.0.1", "127.18.0.1", "127.244.0.1", "127.244.5.44", "127.245.5.44",
    )  # fmt: skip
    assert (plan.kubernetes_service, plan.dns_service, plan.pod_cidr(2)) == (
        "127.96.0.1", "127.96.0.10", "127.244.8.0/22",
    )  # fmt: skip
    assert plan.load_balancer(1, 2) == "127.20.1.2"


def test_no_two_meshes_share_an_address() -> None:
    seen: dict[str, str] = {}
    for block in range(8):
        plan = Plan(block)
        mine = {plan.people: "people", f"{plan.service_prefix}.0.1": "service", plan.load_balancer(0, 1): "balancer"}
        for index in range(MAX_NODES):
            mine[plan.node(index)] = f"node {index}"
            for host in (1, 255, 256, PODS_PER_NODE):
                mine[plan.pod(index, host)] = f"pod {index}/{host}"
                mine[plan.app(index, host)] = f"app {index}/{host}"
        assert not mine.keys() & seen.keys()
        seen |= mine
    assert all(ipaddress.ip_address(address) in ipaddress.ip_network("127.0.0.0/8") for address in seen)


@pytest.mark.parametrize("host", [1, 255, 256, 700, PODS_PER_NODE])
@pytest.mark.parametrize("index", [0, 1, MAX_NODES - 1])
def test_a_pods_address_leads_back_to_its_host_part_and_to_its_application(index: int, host: int) -> None:
    plan = Plan(3)
    address = plan.pod(index, host)
    assert plan.host_of(index, address) == host
    assert plan.app_of(address) == plan.app(index, host)
    assert ipaddress.ip_address(address) in ipaddress.ip_network(plan.pod_cidr(index))


@pytest.mark.parametrize("address", ["", "127.244.4.1", "127.244.0.0", "127.245.0.1", "10.0.0.1", "127.244.x.y", "::1"])
def test_what_is_no_pod_address_of_the_node(address: str) -> None:
    assert Plan().host_of(0, address) is None


@pytest.mark.parametrize(("index", "host"), [(-1, 1), (MAX_NODES, 1), (0, 0), (0, PODS_PER_NODE + 1)])
def test_outside_the_plan(index: int, host: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        Plan().pod(index, host)


@pytest.mark.parametrize("block", [-1, 8])
def test_a_machine_holds_eight_meshes(block: int) -> None:
    with pytest.raises(ValueError, match="a machine holds 8 meshes"):
        Plan(block)
