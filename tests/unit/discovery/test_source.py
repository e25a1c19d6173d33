import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.api.services import EndpointSlice
from mesh.api.traffic import RouteRule
from mesh.apiserver.local import LocalClient
from mesh.discovery.source import ConfigSource
from mesh.runtime.net import BindError

HOST = "shop.default.svc.cluster.local"
ALL = f"outbound|80||{HOST}"
RULE = """
kind: RouteRule
metadata: {name: canary}
spec: {destination: {name: shop}, route: [{labels: {version: v2}, weight: 100}]}
"""
Parse = Callable[[str], list[Any]]


async def test_a_sidecar_gets_tables_when_it_subscribes(source: ConfigSource, client: LocalClient, proxy: Any) -> None:
    sidecar = proxy()
    pod = await client.get(Pod, "shop-1", "default")
    await source.subscribe_sidecar(pod, "127.245.0.1", sidecar)
    assert [(spec.address, spec.port) for spec in sidecar.tables.listeners] == [
        ("127.244.0.1", 15001),
        ("127.244.0.1", 8080),
    ]
    assert sidecar.route("shop/") == "default-route"
    assert sidecar.addresses(ALL) == ["127.244.0.1:8080", "127.244.4.1:8080"]
    assert sidecar.addresses("inbound|8080||") == ["127.245.0.1:8080"]


async def test_the_gateway_serves_the_ingress(source: ConfigSource, proxy: Any) -> None:
    gateway = proxy()
    await source.subscribe_gateway("127.0.0.1", 8080, gateway)
    assert gateway.route("shop.example:8080/") == "default-route"
    assert gateway.route("other.example/") is None


async def test_a_rule_acts_within_100_ms(source: ConfigSource, client: LocalClient, proxy: Any, parse: Parse) -> None:
    gateway = proxy()
    await source.subscribe_gateway("127.0.0.1", 8080, gateway)
    started = time.monotonic()
    await client.create(parse(RULE)[0])
    await gateway.until(lambda found: found.route("shop.example/") == "default/canary")
    assert time.monotonic() - started < 0.1
    await client.delete(RouteRule, "canary", "default")
    await gateway.until(lambda found: found.route("shop.example/") == "default-route")


async def test_a_change_of_endpoints_keeps_the_routes(source: ConfigSource, client: LocalClient, proxy: Any) -> None:
    gateway = proxy()
    await source.subscribe_gateway("127.0.0.1", 8080, gateway)
    before = gateway.tables
    slice_ = await client.get(EndpointSlice, "shop-abc", "default")
    slice_.endpoints[0].conditions.ready = False
    await client.update(slice_)
    await gateway.until(lambda found: found.addresses(ALL) == ["127.244.0.1:8080"])
    assert gateway.tables.listeners[0] is before.listeners[0]
    assert gateway.tables.clusters.shared is before.clusters.shared


async def test_what_changes_nothing_for_a_proxy_is_not_applied(
    source: ConfigSource, client: LocalClient, proxy: Any
) -> None:
    gateway = proxy()
    await source.subscribe_gateway("127.0.0.1", 8080, gateway)
    pod = await client.get(Pod, "shop-1", "default")
    pod.metadata.annotations = {"note": "read by nobody"}
    await client.update(pod)
    await asyncio.sleep(0.05)
    assert len(gateway.given) == 1


async def test_a_burst_costs_few_refreshes(source: ConfigSource, client: LocalClient, proxy: Any, parse: Parse) -> None:
    gateway = proxy()
    await source.subscribe_gateway("127.0.0.1", 8080, gateway)
    for number in range(50):
        await client.create(parse(RULE.replace("canary", f"rule-{number:02}"))[0])
    await gateway.until(lambda found: found.route("shop.example/") == "default/rule-00")
    assert len(gateway.given) < 10


async def test_sidecars_that_no_rule_tells_apart_share_their_routes(
    source: ConfigSource, client: LocalClient, proxy: Any, parse: Parse
) -> None:
    one, two = proxy(), proxy()
    for name, sidecar in (("shop-1", one), ("shop-2", two)):
        pod = await client.get(Pod, name, "default")
        await source.subscribe_sidecar(pod, "127.245.0.1", sidecar)
    assert one.tables.listeners[0].http.routes is two.tables.listeners[0].http.routes
    assert one.tables.listeners[1].http.routes is two.tables.listeners[1].http.routes
    rule = RULE.replace("route:", "match: {source: {name: shop, labels: {version: v1}}}, route:")
    await client.create(parse(rule)[0])
    await one.until(lambda found: found.route("shop/") == "default/canary")
    assert two.route("shop/") == "default-route"


@pytest.mark.parametrize(
    "failure", [pytest.param(BindError("127.0.0.1", 8081, "in use"), id="bind"), pytest.param(KeyError("x"), id="bug")]
)
async def test_one_proxy_that_refuses_does_not_stop_the_others(
    source: ConfigSource, client: LocalClient, proxy: Any, parse: Parse, failure: Exception
) -> None:
    broken, fine = proxy(), proxy()
    await source.subscribe_gateway("127.0.0.1", 8081, broken)
    await source.subscribe_gateway("127.0.0.1", 8082, fine)
    broken.fail = failure
    await client.create(parse(RULE)[0])
    await fine.until(lambda found: found.route("shop.example/") == "default/canary")
    broken.fail = None
    await client.delete(RouteRule, "canary", "default")
    await client.create(parse(RULE.replace("canary", "second"))[0])
    await broken.until(lambda found: found.route("shop.example/") == "default/second")


async def test_a_refresh_that_fails_is_tried_again_with_the_next_change(
    source: ConfigSource, client: LocalClient, proxy: Any, parse: Parse, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = proxy()
    await source.subscribe_gateway("127.0.0.1", 8080, gateway)
    failed = asyncio.Event()

    def fail() -> bool:
        failed.set()
        raise KeyError("a mistake of ours")

    monkeypatch.setattr(source.configuration, "refresh", fail)
    await client.create(parse(RULE)[0])
    async with asyncio.timeout(2):
        await failed.wait()
    assert gateway.route("shop.example/") == "default-route"
    monkeypatch.undo()
    await client.create(parse(RULE.replace("canary", "zzz"))[0])
    await gateway.until(lambda found: found.route("shop.example/") == "default/canary")


async def test_the_first_failure_is_the_subscribers_own(source: ConfigSource, proxy: Any) -> None:
    broken = proxy(fail=BindError("127.0.0.1", 8080, "in use"))
    with pytest.raises(BindError):
        await source.subscribe_gateway("127.0.0.1", 8080, broken)


async def test_after_unsubscribing_nothing_arrives(
    source: ConfigSource, client: LocalClient, proxy: Any, parse: Parse
) -> None:
    leaving, staying = proxy(), proxy()
    subscription = await source.subscribe_gateway("127.0.0.1", 8081, leaving)
    await source.subscribe_gateway("127.0.0.1", 8082, staying)
    source.unsubscribe(subscription)
    await client.create(parse(RULE)[0])
    await staying.until(lambda found: found.route("shop.example/") == "default/canary")
    assert leaving.route("shop.example/") == "default-route"


async def test_peers_are_known_by_address(source: ConfigSource, client: LocalClient, proxy: Any) -> None:
    await source.subscribe_gateway("127.0.0.1", 8080, proxy())
    peer = source.peer("127.244.0.1")
    assert peer is not None
    assert (peer.workload, peer.namespace, peer.app, peer.version) == ("shop-1", "default", "shop", "v1")
    assert source.peer("127.244.0.1") is peer
    assert source.peer("127.0.0.7") is None
    assert source.workload(await client.get(Pod, "shop-1", "default")) == peer
