"""Does every load balancer have its addresses, and tell them?"""

from collections.abc import Iterator
from typing import Any

import pytest

from mesh.api.core import Node
from mesh.api.services import Ingress, Service
from mesh.controllers.load_balancers_plan import MOST, Numbers
from mesh.controllers.settings import Settings
from tests.unit.controllers.world import World, service

PREFIX = "service.beta.kubernetes.io/aws-load-balancer-"
CROSS = {f"{PREFIX}attributes": "load_balancing.cross_zone.enabled=true"}
SETTINGS = Settings(load_balancer_address=lambda zone, number: f"127.20.{zone}.{number}", zones=("a", "b", "c"))


@pytest.fixture
def zoned() -> Iterator[World]:
    """Two nodes in a and b, none in c."""
    made = World(SETTINGS, nodes=0)
    for name in ("node-1", "node-2"):
        made.add_node(name)
    yield made
    made.close()


async def settle(world: World) -> None:
    for name, zone in (("node-1", "a"), ("node-2", "b")):
        await world.client.patch(Node, name, {"metadata": {"labels": {"topology.kubernetes.io/zone": zone}}})
    await world.settle()


def balanced(name: str, notes: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    made = service(name, type="LoadBalancer", **spec)
    made["metadata"]["annotations"] = notes or {}
    return made


def ingress(notes: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web", "namespace": "default", "annotations": notes or {}},
        "spec": {"ingressClassName": "nlb",
                 "defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}, **spec},
    }  # fmt: skip


async def told(world: World, cls: type[Any], name: str) -> list[dict[str, Any]]:
    found = await world.get(cls, name)
    return [entry.model_dump(by_alias=True, exclude_none=True) for entry in found.status.load_balancer.ingress or ()]


NAME = "three-default.elb.loopmesh.internal"


async def test_a_plain_one_has_one_address_and_a_network_one_has_one_a_zone(zoned: World) -> None:
    await zoned.apply(balanced("plain"))
    await zoned.apply(balanced("three", {f"{PREFIX}type": "nlb"}))
    await zoned.apply(balanced("classy", loadBalancerClass="service.k8s.aws/nlb"))
    await settle(zoned)
    assert await told(zoned, Service, "plain") == [{"ip": "127.20.0.1"}]
    assert await told(zoned, Service, "three") == [{"ip": f"127.20.{zone}.2", "hostname": NAME} for zone in range(3)]
    assert [entry["ip"] for entry in await told(zoned, Service, "classy")] == ["127.20.0.3", "127.20.1.3", "127.20.2.3"]
    notes = (await zoned.get(Service, "three")).metadata.annotations
    assert notes["loopmesh.io/zones"] == "a=127.20.0.2,b=127.20.1.2,c=127.20.2.2"


async def test_addresses_stay_over_a_restart_and_come_free_with_their_owner(zoned: World) -> None:
    for name in ("one", "two"):
        await zoned.apply(balanced(name))
    await settle(zoned)
    await zoned.client.delete(Service, "one", "default")
    await settle(zoned)
    version = zoned.store.version
    zoned.restart()
    await zoned.settle()
    assert zoned.store.version == version
    for name in ("three", "four"):
        await zoned.apply(balanced(name))
    await settle(zoned)
    given = {name: (await told(zoned, Service, name))[0]["ip"] for name in ("two", "three", "four")}
    assert (given["two"], {given["three"], given["four"]}) == ("127.20.0.2", {"127.20.0.1", "127.20.0.3"})


async def test_what_is_told_goes_with_the_type(zoned: World) -> None:
    await zoned.apply(balanced("web", {f"{PREFIX}type": "nlb"}))
    await settle(zoned)
    await zoned.patch(Service, "web", {"metadata": {"annotations": {f"{PREFIX}type": None}}})
    await settle(zoned)
    web = await zoned.get(Service, "web")
    assert (len(web.status.load_balancer.ingress), web.metadata.annotation_map) == (1, {})
    await zoned.patch(Service, "web", {"spec": {"type": "ClusterIP"}})
    await settle(zoned)
    assert (await zoned.get(Service, "web")).status.load_balancer.ingress is None


async def test_a_class_of_somebody_else_is_told(zoned: World) -> None:
    await zoned.apply(balanced("web", loadBalancerClass="example.com/theirs"))
    await settle(zoned)
    assert await told(zoned, Service, "web") == []
    (message,) = [e.message for e in await zoned.events() if e.reason == "LoadBalancerClassUnknown"]
    assert "'example.com/theirs'" in message
    assert "service.k8s.aws/nlb" in message


@pytest.mark.parametrize(
    ("notes", "dark"), [pytest.param({}, ["127.20.2.1"], id="own zone"), pytest.param(CROSS, [], id="across zones")]
)
async def test_an_ingress_says_where_nobody_answers(zoned: World, notes: dict[str, str], dark: list[str]) -> None:
    await zoned.apply(ingress(notes, tls=[{"hosts": ["x.test"], "secretName": "x"}]))
    await settle(zoned)
    entries = await told(zoned, Ingress, "web")
    assert [entry["ip"] for entry in entries] == ["127.20.0.1", "127.20.1.1", "127.20.2.1"]
    assert {entry["hostname"] for entry in entries} == {"web-default.elb.loopmesh.internal"}
    assert [[port["port"] for port in entry["ports"]] for entry in entries] == [[80, 443]] * 3
    assert [entry["ip"] for entry in entries if entry["ports"][0].get("error") == "NoTargets"] == dark


async def test_a_zone_that_gets_a_node_answers(zoned: World) -> None:
    await zoned.apply(ingress())
    await settle(zoned)
    zoned.add_node("node-3")
    await zoned.client.patch(Node, "node-3", {"metadata": {"labels": {"topology.kubernetes.io/zone": "c"}}})
    await settle(zoned)
    assert not [entry for entry in await told(zoned, Ingress, "web") if "error" in entry["ports"][0]]


async def test_an_ingress_that_changes_its_class_tells_no_zones(zoned: World) -> None:
    await zoned.apply(ingress())
    await settle(zoned)
    await zoned.patch(Ingress, "web", {"spec": {"ingressClassName": "gateway"}})
    await settle(zoned)
    assert (await zoned.get(Ingress, "web")).metadata.annotation_map == {}


def test_numbers_are_handed_out_in_turn_until_none_is_left() -> None:
    numbers = Numbers()
    assert [numbers.take(("Service/d", str(n))) for n in range(MOST)] == list(range(1, MOST + 1))
    assert numbers.take(("Service/d", "late")) is None
    assert numbers.take(("Service/d", "7")) == 8
    numbers.let_go(("Service/d", "7"))
    assert numbers.take(("Service/d", "late")) == 8


def test_a_number_belongs_to_the_first_who_has_it() -> None:
    numbers = Numbers()
    numbers.hold(5, ("Service/d", "a"))
    numbers.hold(5, ("Service/d", "b"))
    numbers.hold(6, ("Service/d", "a"))
    assert (numbers.of(("Service/d", "a")), numbers.take(("Service/d", "b"))) == (5, 1)
