"""Consistent hashing from a DestinationRule: does a real Envoy pick the same pod for the same request, one by one?"""

from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import planes as both
import pytest
import pytest_asyncio

from mesh.translate.gateway import gateway
from mesh.translate.snapshot import Snapshot

pytestmark = [pytest.mark.live, pytest.mark.timeout(60)]
ADDRESS, PORT = "127.63.2.9", 19001
PODS = [f"127.63.2.{number}" for number in range(1, 6)]
SHIFTED = [*PODS[1:], PODS[0]]
"""The same pods at other addresses."""
RULES = {
    "ring": "{httpHeaderName: x-key}",
    "small": "{httpHeaderName: x-key, ringHash: {minimumRingSize: 32}}",
    "maglev": "{httpHeaderName: x-key, maglev: {}}",
    "table": "{httpHeaderName: x-key, maglev: {tableSize: 251}}",
    "query": "{httpQueryParameterName: key}",
    "cookie": "{httpCookie: {name: key}}",
    "source": "{useSourceIp: true}",
}
SERVICE = """
kind: Service
metadata: {{name: {name}}}
spec: {{clusterIP: None, selector: {{app: kv}}, ports: [{{name: http, port: 80}}]}}
---
kind: DestinationRule
metadata: {{name: {name}}}
spec: {{host: {name}, trafficPolicy: {{loadBalancer: {{consistentHash: {rule}}}}}}}
---
kind: Ingress
metadata: {{name: {name}}}
spec: {{rules: [{{host: {name}, http: {{paths: [{{backend: {{service: {{name: {name}, port: {{number: 80}}}}}}}}]}}}}]}}
"""


def pod(number: int, address: str, stateful: bool) -> dict[str, Any]:
    owner = {"kind": "StatefulSet", "name": "kv", "apiVersion": "apps/v1", "uid": "u", "controller": True}
    return {
        "kind": "Pod",
        "metadata": {"name": f"kv-{number}", "ownerReferences": [owner] if stateful else []},
        "spec": {"containers": []},
        "status": {"podIP": address},
    }


def slice_of(service: str, addresses: list[str]) -> dict[str, Any]:
    ends = [{"addresses": [a], "targetRef": {"kind": "Pod", "name": f"kv-{i}"}} for i, a in enumerate(addresses)]
    return {
        "kind": "EndpointSlice",
        "metadata": {"name": f"{service}-x", "labels": {"kubernetes.io/service-name": service}},
        "ports": [{"name": "http", "port": PORT}],
        "endpoints": ends,
    }


def world(addresses: list[str], stateful: bool) -> Snapshot:
    documents = [pod(number, address, stateful) for number, address in enumerate(addresses)]
    documents += [slice_of(name, addresses) for name in RULES]
    return both.world("---".join(SERVICE.format(name=name, rule=rule) for name, rule in RULES.items()), documents)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def origins() -> AsyncIterator[None]:
    async with both.serving(both.say_where, *((address, PORT) for address in PODS)):
        yield


def bootstrap(port: int, addresses: list[str], stateful: bool) -> both.Bootstrap:
    return both.written(gateway(world(addresses, stateful), ADDRESS, port))


async def picks(port: int, name: str, count: int = 60) -> list[str]:
    """The endpoint of each of some requests with different keys."""
    found = []
    for number in range(count):
        key = f"user-{number}"
        lines = {"cookie": [f"cookie: a=b; key={key}"], "query": [], "source": []}.get(name, [f"x-key: {key}"])
        source = f"127.63.3.{number + 1}" if name == "source" else None
        status, body, _ = await both.get((ADDRESS, port), f"/?key={key}", lines, name, source)
        assert status == 200
        found.append(body)
    return found


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("stateful", [False, True], ids=["by address", "by name"])
async def test_endpoint_by_endpoint(origins: None, tmp_path_factory: pytest.TempPathFactory, stateful: bool) -> None:
    folder = tmp_path_factory.mktemp("placement")
    async with both.planes(folder, ADDRESS, partial(bootstrap, addresses=PODS, stateful=stateful)) as (real, ours):
        for name in RULES:
            one, other = await picks(real, name), await picks(ours, name)
            assert other == one, name
            assert len(Counter(one)) == len(PODS), name
            assert await picks(ours, name) == other, "the same again"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_key_stays_with_the_name_of_its_pod(origins: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Both proxies started anew, and every pod at another address: keys follow the pods' names."""
    places = []
    for addresses in (PODS, SHIFTED):
        folder = tmp_path_factory.mktemp("moved")
        async with both.planes(folder, ADDRESS, partial(bootstrap, addresses=addresses, stateful=True)) as ports:
            for port in ports:
                found = await picks(port, "ring") + await picks(port, "maglev")
                places.append([addresses.index(one) for one in found])
    assert places[0] == places[1] == places[2] == places[3]
