"""Names of the single pods of headless services, which follow what DNS calls them."""

from collections.abc import Callable
from typing import Any

import pytest

from mesh.translate import outbound, snapshot
from mesh.translate.routerule import Caller
from mesh.translate.snapshot import Snapshot, World

SERVICE = """
kind: Service
metadata: {name: kv}
spec: {clusterIP: None, ports: [{name: http, port: 80}]}
"""
CALLER = Caller("default", frozenset(), {})


def slice_of(*pods: tuple[str, str]) -> str:
    """An EndpointSlice of (address, hostname)."""
    endpoints = ", ".join(
        f"{{addresses: [{address}]" + (f", hostname: {name}" if name else "") + "}" for address, name in pods
    )
    return f"""
---
kind: EndpointSlice
metadata: {{name: kv-1, labels: {{kubernetes.io/service-name: kv}}}}
ports: [{{name: http, port: 8080}}]
endpoints: [{endpoints}]
---
"""


def test_a_pod_without_hostname_has_its_address_with_dashes(world: Callable[..., Snapshot], table: Any) -> None:
    found = world(SERVICE + slice_of(("127.244.0.1", ""), ("127.244.0.2", "kv-1")), shop=False)
    asked = table(outbound.route_configuration(outbound.virtual_hosts(found, CALLER)))
    assert asked.cluster("127-244-0-1.kv/") == "outbound|80||127-244-0-1.kv.default.svc.cluster.local"
    assert asked.cluster("kv-1.kv.default.svc.cluster.local:80/") == "outbound|80||kv-1.kv.default.svc.cluster.local"
    assert asked.cluster("127-244-0-2.kv/") is None  # it has a name, so this is none of it: as in DNS


def test_pods_of_a_service_with_an_address_have_no_names(world: Callable[..., Snapshot]) -> None:
    assert world().hostnames == {}


@pytest.mark.parametrize(("count", "named"), [(3, 3), (4, 0)])
def test_names_from_addresses_are_given_to_so_many_pods(
    world: Callable[..., Snapshot], monkeypatch: pytest.MonkeyPatch, count: int, named: int
) -> None:
    monkeypatch.setattr(snapshot, "MOST_NAMELESS", 3)
    pods = [(f"127.244.0.{i}", "") for i in range(1, count + 1)] + [("127.244.1.1", "kv-0")]
    found = world(SERVICE + slice_of(*pods), shop=False)
    assert len(found.hostnames["kv.default.svc.cluster.local"]) == named + 1


def test_pods_get_names_when_their_service_turns_out_to_be_headless(parse: Callable[[str], list[Any]]) -> None:
    world = World()
    (endpoints,) = parse(slice_of(("127.244.0.1", "")))
    world.put(endpoints)
    assert world.snapshot().hostnames == {}
    (service,) = parse(SERVICE)
    world.put(service)
    assert world.snapshot().hostnames == {"kv.default.svc.cluster.local": ("127-244-0-1",)}
    world.remove(service)
    assert world.snapshot().hostnames == {}
