import random
from collections import Counter
from typing import Any

import pytest

from mesh.api.services import EndpointSlice, LoadBalancerIngress, Service
from mesh.node import spread
from mesh.node.spread import Backends, Binding, Spreader, backends, bindings

KEY = ("shop", "web")
TARGETS = (("127.0.0.1", 1), ("127.0.0.2", 1), ("127.0.0.3", 1))


def service(**spec: Any) -> Service:
    return Service.model_validate({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec})


def piece(*endpoints: dict[str, Any], ports: list[dict[str, Any]] | None = None) -> EndpointSlice:
    return EndpointSlice.model_validate({"endpoints": endpoints, "ports": ports or [{"name": "http", "port": 8080}]})


def endpoint(address: str, **conditions: bool) -> dict[str, Any]:
    return {"addresses": [address], "conditions": conditions}


PORTS = [{"name": "http", "port": 80, "nodePort": 30080}, {"name": "udp", "port": 53, "protocol": "UDP"}]


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        pytest.param(
            {"clusterIP": "127.96.0.9", "ports": PORTS},
            [("127.96.0.9", 80), ("127.18.0.1", 30080), ("127.18.0.2", 30080)],
            id="cluster address and node ports, TCP only",
        ),
        pytest.param({"clusterIP": "None", "ports": [{"port": 80}]}, [], id="headless"),
        pytest.param({"type": "ExternalName", "clusterIP": "127.96.0.9", "ports": PORTS}, [], id="external name"),
        pytest.param({"ports": [{"port": 80}]}, [], id="not allocated yet"),
        pytest.param({"clusterIP": "127.96.0.9"}, [], id="no ports"),
    ],
)
def test_bindings(spec: dict[str, Any], wanted: list[tuple[str, int]]) -> None:
    found = bindings(service(**spec), ["127.18.0.1", "127.18.0.2"])
    assert found == [Binding(address, port, KEY, "http") for address, port in wanted]


@pytest.mark.parametrize(
    ("endpoints", "wanted"),
    [
        pytest.param(
            [endpoint("127.0.0.2", ready=True), endpoint("127.0.0.1")], ["127.0.0.1", "127.0.0.2"], id="ready"
        ),
        pytest.param([endpoint("127.0.0.1", ready=False)], None, id="not ready"),
        pytest.param(
            [endpoint("127.0.0.1", ready=True), endpoint("127.0.0.2", ready=False, serving=True, terminating=True)],
            ["127.0.0.1"],
            id="one is going away",
        ),
        pytest.param(
            [endpoint("127.0.0.2", ready=False, serving=True, terminating=True), endpoint("127.0.0.3", ready=False)],
            ["127.0.0.2"],
            id="only those that go away still serve",
        ),
        pytest.param([], None, id="none"),
    ],
)
def test_backends(endpoints: list[dict[str, Any]], wanted: list[str] | None) -> None:
    found = backends(service(), [piece(*endpoints)])
    assert found == ({} if wanted is None else {"http": Backends(tuple((ip, 8080) for ip in wanted))})


def test_a_load_balancers_address_is_one_more() -> None:
    balanced = service(type="LoadBalancer", clusterIP="127.96.0.9", ports=[{"name": "http", "port": 80}])
    balanced.status.load_balancer.ingress = [LoadBalancerIngress(ip="127.20.0.1"), LoadBalancerIngress(hostname="x")]
    assert [(b.address, b.port) for b in bindings(balanced, [])] == [("127.96.0.9", 80), ("127.20.0.1", 80)]


def test_slices_of_one_service_are_one_set() -> None:
    pieces = [piece(endpoint("127.0.0.1", ready=True)), piece(endpoint("127.0.0.2", ready=True)),
              piece(endpoint("127.0.0.1", ready=True))]  # fmt: skip
    assert backends(service(), pieces)["http"].targets == (("127.0.0.1", 8080), ("127.0.0.2", 8080))


@pytest.mark.parametrize(
    ("spec", "seconds"),
    [
        ({"sessionAffinity": "None"}, 0),
        ({"sessionAffinity": "ClientIP"}, 10800),
        ({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 5}}}, 5),
    ],
)
def test_affinity(spec: dict[str, Any], seconds: int) -> None:
    assert backends(service(**spec), [piece(endpoint("127.0.0.1"))])["http"].affinity_s == seconds


def test_connections_spread_evenly() -> None:
    spreader, where = Spreader(random.Random(1)), Backends(TARGETS)
    seen = Counter(spreader.choose(KEY, "http", "127.0.0.9", where, 0.0) for _ in range(3000))
    assert set(seen) == set(TARGETS)
    assert all(900 < count < 1100 for count in seen.values())


@pytest.mark.parametrize("where", [None, Backends(())])
def test_nowhere(where: Backends | None) -> None:
    assert Spreader(random.Random(1)).choose(KEY, "http", "127.0.0.9", where, 0.0) is None


def test_what_refused_is_not_asked_again_and_trying_ends() -> None:
    spreader, where = Spreader(random.Random(1)), Backends(TARGETS)
    for tried in (frozenset(TARGETS[:1]), frozenset(TARGETS[:2])):
        assert {spreader.choose(KEY, "http", "c", where, 0.0, tried) for _ in range(50)} == set(TARGETS) - tried
    assert spreader.choose(KEY, "http", "c", where, 0.0, frozenset(TARGETS)) is None
    many = Backends(tuple(("127.0.1.1", port) for port in range(9)))
    assert spreader.choose(KEY, "http", "c", many, 0.0, frozenset(TARGETS)) is None


def test_a_client_keeps_its_endpoint_while_it_comes_often_enough() -> None:
    spreader, where = Spreader(random.Random(1)), Backends(TARGETS, affinity_s=10)
    first = spreader.choose(KEY, "http", "c", where, 0.0)
    assert {spreader.choose(KEY, "http", "c", where, at) for at in (5.0, 14.0, 23.0)} == {first}
    assert len({spreader.choose(KEY, "http", "c", where, 100.0 * at) for at in range(1, 30)}) == 3


def test_a_client_moves_when_its_endpoint_goes() -> None:
    spreader = Spreader(random.Random(1))
    first = spreader.choose(KEY, "http", "c", Backends(TARGETS, 10), 0.0)
    left = Backends(tuple(target for target in TARGETS if target != first), 10)
    moved = spreader.choose(KEY, "http", "c", left, 1.0)
    assert moved in left.targets
    assert spreader.choose(KEY, "http", "c", Backends(TARGETS, 10), 2.0) == moved


def test_memory_of_clients_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "MAX_AFFINITIES", 100)
    spreader, where = Spreader(random.Random(1)), Backends(TARGETS, affinity_s=10)
    for client in range(1000):
        spreader.choose(KEY, "http", str(client), where, 0.0)
    assert len(spreader._kept) == 100
