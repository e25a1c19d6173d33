from collections.abc import Callable
from typing import Any

import pytest

from mesh.translate import outbound
from mesh.translate.aliases import stands_for
from mesh.translate.ingress import host_rules
from mesh.translate.memo import Memo
from mesh.translate.routerule import Caller
from mesh.translate.snapshot import Snapshot, World

NAMES = """
kind: Service
metadata: {name: alias}
spec: {type: ExternalName, externalName: Shop.default.svc.cluster.local.}
---
kind: Service
metadata: {name: far, namespace: other}
spec: {type: ExternalName, externalName: alias.default.svc.cluster.local}
---
kind: Service
metadata: {name: ping}
spec: {type: ExternalName, externalName: pong.default.svc.cluster.local}
---
kind: Service
metadata: {name: pong}
spec: {type: ExternalName, externalName: ping.default.svc.cluster.local}
---
kind: Service
metadata: {name: lost}
spec: {type: ExternalName, externalName: none.default.svc.cluster.local}
---
kind: Service
metadata: {name: outside}
spec: {type: ExternalName, externalName: www.example.com}
---
"""
RULE = """
kind: RouteRule
apiVersion: config.istio.io/v1alpha2
metadata: {name: v2}
spec: {destination: {name: shop}, route: [{labels: {version: v2}}]}
---
"""
INGRESS = """
kind: Ingress
apiVersion: networking.k8s.io/v1
metadata: {name: way}
spec: {defaultBackend: {service: {name: NAME, port: {number: 80}}}}
"""
HOST = "{}.default.svc.cluster.local"


@pytest.mark.parametrize(
    ("name", "target"),
    [
        pytest.param("shop", "shop", id="itself"),
        pytest.param("alias", "shop", id="one-hop"),
        pytest.param("ping", None, id="circle"),
        pytest.param("lost", None, id="to-nothing"),
        pytest.param("outside", None, id="outside"),
        pytest.param("none", None, id="no-service"),
    ],
)
def test_what_a_name_stands_for(world: Callable[..., Snapshot], name: str, target: str | None) -> None:
    found = stands_for(world(NAMES).services, HOST.format(name))
    assert (found.name if found else None) == target


CALLER = Caller("default", frozenset(), {})
Cluster = Callable[[Snapshot, str], str | None]


@pytest.fixture
def cluster(table: Any) -> Cluster:
    """Where a caller's request goes; None when no virtual host knows the name."""

    def find(snapshot: Snapshot, authority: str) -> str | None:
        found = table(outbound.route_configuration(outbound.virtual_hosts(snapshot, CALLER)))
        return found.cluster(f"{authority}/")  # type: ignore[no-any-return]

    return find


@pytest.mark.parametrize(
    "authority", ["alias", "alias:80", "alias.default", "alias.default.svc.cluster.local", "far.other"]
)
def test_another_name_has_the_routes_of_the_service(
    world: Callable[..., Snapshot], cluster: Cluster, authority: str
) -> None:
    assert cluster(world(NAMES), authority) == cluster(world(), "shop") == "outbound|80||shop.default.svc.cluster.local"
    assert cluster(world(NAMES + RULE), authority) == cluster(world(RULE), "shop") != cluster(world(), "shop")


@pytest.mark.parametrize("authority", ["ping", "lost", "outside", "www.example.com", "far", "alias:81"])
def test_names_that_lead_nowhere_have_no_route(
    world: Callable[..., Snapshot], cluster: Cluster, authority: str
) -> None:
    assert cluster(world(NAMES), authority) is None


def test_names_come_and_go(parse: Callable[[str], list[Any]], shop: str) -> None:
    world, memo = World(), Memo()
    for obj in parse(shop):
        world.put(obj)
    plain = outbound.virtual_hosts(world.snapshot(), CALLER, memo)
    alias = parse(NAMES)[0]
    world.put(alias)
    more = outbound.virtual_hosts(world.snapshot(), CALLER, memo)
    world.remove(alias)
    assert "alias" in more[0].domains
    assert outbound.virtual_hosts(world.snapshot(), CALLER, memo) == plain


@pytest.mark.parametrize(("name", "served"), [("alias", True), ("ping", False), ("outside", False)])
def test_an_ingress_may_name_one_as_its_backend(world: Callable[..., Snapshot], name: str, served: bool) -> None:
    (rules,) = host_rules(world(NAMES + INGRESS.replace("NAME", name)))
    (rule,) = rules.ordered()
    assert (rule.backing.missing is None) == served
    assert rule.backing.host == HOST.format("shop" if served else name)
