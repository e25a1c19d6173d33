"""Who gets which address?"""

from mesh.api.services import Endpoints, EndpointSlice, Service
from mesh.controllers.settings import Settings
from tests.unit.controllers.world import World, service

SETTINGS = Settings(
    api_address=("127.0.0.1", 8001),
    dns_address=("127.96.0.10", 1053),
    load_balancer_address=lambda zone, number: f"127.20.{zone}.{number}",
    node_port_first=30000,
    node_port_last=30002,
)


def made() -> World:
    return World(SETTINGS)


async def addresses(world: World) -> dict[str, str]:
    return {s.name: s.spec.cluster_ip for s in await world.all(Service)}


async def test_addresses_are_unique_also_after_a_restart(world: World) -> None:
    for number in range(20):
        await world.apply(service(f"s{number}"))
    await world.settle()
    first = await addresses(world)
    assert len(set(first.values())) == 20
    assert all(ip.startswith("127.96.") and not ip.endswith((".0", ".255")) for ip in first.values())
    world.restart()
    for number in range(20, 40):
        await world.apply(service(f"s{number}"))
    await world.settle()
    second = await addresses(world)
    assert len(set(second.values())) == 40
    assert first.items() <= second.items()


async def test_an_address_that_was_asked_for_is_kept(world: World) -> None:
    await world.apply(service("fixed", clusterIP="127.96.1.0"))
    await world.apply(service("other", clusterIP="127.96.1.1"))
    await world.apply(service("free"))
    await world.settle()
    assert (await addresses(world)) == {"fixed": "127.96.1.0", "other": "127.96.1.1", "free": "127.96.1.2"}


async def test_headless_and_external_services_get_none(world: World) -> None:
    await world.apply(service("headless", clusterIP="None"))
    await world.apply(service("outside", type="ExternalName", externalName="example.com", selector=None))
    await world.settle()
    assert await addresses(world) == {"headless": "None", "outside": None}


async def test_node_ports_come_and_go_with_the_type() -> None:
    world = made()
    await world.apply(service("web", type="NodePort"))
    await world.apply(service("two", type="LoadBalancer"))
    await world.settle()
    web, two = await world.get(Service, "web"), await world.get(Service, "two")
    assert {web.spec.ports[0].node_port, two.spec.ports[0].node_port} <= {30000, 30001, 30002}
    assert web.spec.ports[0].node_port != two.spec.ports[0].node_port
    assert [i.ip for i in two.status.load_balancer.ingress] == ["127.20.0.1"]
    await world.patch(Service, "web", {"spec": {"type": "ClusterIP"}})
    await world.patch(Service, "two", {"spec": {"type": "ClusterIP"}})
    await world.settle()
    web, two = await world.get(Service, "web"), await world.get(Service, "two")
    assert (web.spec.ports[0].node_port, two.spec.ports[0].node_port) == (None, None)
    assert two.status.load_balancer.ingress is None
    for name in ("a", "b", "c"):
        await world.apply(service(name, type="NodePort"))
    await world.settle()
    ports = [(await world.get(Service, name)).spec.ports[0].node_port for name in ("a", "b", "c")]
    assert sorted(ports) == [30000, 30001, 30002]
    world.close()


async def test_too_many_node_ports_are_told() -> None:
    world = made()
    for name in ("a", "b", "c", "d"):
        await world.apply(service(name, type="NodePort"))
    await world.settle()
    told = [e.message for e in await world.events() if e.reason == "AllocationFailed"]
    assert told == ["no node port is left in 30000-30002"]
    world.close()


async def test_what_a_cluster_always_has_is_made_again() -> None:
    world = made()
    await world.settle()
    assert (await world.get(Service, "kubernetes")).spec.cluster_ip == "127.96.0.1"
    assert (await world.get(Service, "kube-dns", "kube-system")).spec.cluster_ip == "127.96.0.10"
    endpoints = await world.get(Endpoints, "kubernetes")
    assert endpoints.subsets[0].addresses[0].ip == "127.0.0.1"
    assert [e.addresses for e in (await world.get(EndpointSlice, "kubernetes")).endpoints] == [["127.0.0.1"]]
    await world.client.delete(Service, "kubernetes", "default")
    await world.settle()
    assert (await world.get(Service, "kubernetes")).spec.cluster_ip == "127.96.0.1"
    world.close()
