"""A canary whose weights move while users hold cookies: do they stay with their version, on a real Envoy as on ours?"""

from collections.abc import AsyncIterator
from functools import partial

import planes as both
import pytest
import pytest_asyncio

from mesh.translate.gateway import gateway

pytestmark = [pytest.mark.live, pytest.mark.timeout(60)]
ADDRESS, PORT = "127.63.4.9", 19001
PODS = {"127.63.4.1": "v1", "127.63.4.2": "v1", "127.63.4.3": "v2", "127.63.4.4": "v2"}
USERS = 40
MANIFESTS = """
kind: Service
metadata: {name: shop}
spec: {clusterIP: 127.96.0.5, selector: {app: shop}, ports: [{name: http, port: 80}]}
---
kind: Ingress
metadata: {name: front, annotations: {nginx.ingress.kubernetes.io/affinity: cookie}}
spec: {rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}]}}]}
---
kind: RouteRule
metadata: {name: canary}
spec:
  destination: {name: shop}
  route: [{labels: {version: v1}, weight: LEFT}, {labels: {version: v2}, weight: RIGHT}]
---
kind: EndpointSlice
metadata: {name: shop-x, labels: {kubernetes.io/service-name: shop}}
ports: [{name: http, port: 19001}]
endpoints: [ENDS]
"""
POD = "{{kind: Pod, metadata: {{name: {name}, labels: {{version: {version}}}}}, spec: {{containers: []}}, status: {{podIP: {ip}}}}}"


def bootstrap(port: int, share: int) -> both.Bootstrap:
    """share: the weight of v2."""
    ends = ", ".join(f"{{addresses: [{ip}], targetRef: {{kind: Pod, name: p{i}}}}}" for i, ip in enumerate(PODS))
    text = MANIFESTS.replace("LEFT", str(100 - share)).replace("RIGHT", str(share)).replace("ENDS", ends)
    pods = [POD.format(name=f"p{i}", version=version, ip=ip) for i, (ip, version) in enumerate(PODS.items())]
    return both.written(gateway(both.world("\n---\n".join([text, *pods])), ADDRESS, port))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def origins() -> AsyncIterator[None]:
    async with both.serving(both.say_where, *((address, PORT) for address in PODS)):
        yield


async def visit(port: int, jar: dict[str, str]) -> str:
    """One request of a user who keeps cookies; the answer is the pod."""
    line = [f"cookie: {'; '.join(f'{name}={value}' for name, value in jar.items())}"] if jar else []
    status, body, fields = await both.get((ADDRESS, port), "/", line)
    assert status == 200
    for field in fields:
        if field.startswith("set-cookie: ") and "own=" not in field:
            name, _, rest = field.removeprefix("set-cookie: ").partition("=")
            jar[name] = rest.split(";")[0]
    return body


@pytest.mark.asyncio(loop_scope="module")
async def test_users_never_move_back(origins: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    jars: dict[int, list[dict[str, str]]] = {}
    pods: dict[int, list[str]] = {}
    for share in (10, 60, 100):
        folder = tmp_path_factory.mktemp(f"share{share}")
        async with both.planes(folder, ADDRESS, partial(bootstrap, share=share)) as ports:
            for port in ports:
                users = jars.setdefault(port, [{} for _ in range(USERS)])
                first = [await visit(port, jar) for jar in users]
                again = [await visit(port, jar) for jar in users]
                assert first == again, "a user stays with a pod"
                before = pods.get(port)
                if before is not None and share < 100:
                    assert before == first, "whatever the weights, as long as the version has any"
                elif before is not None:
                    assert {PODS[pod] for pod in first} == {"v2"}, "a version without weight lets go"
                    stayed = [(old, new) for old, new in zip(before, first, strict=True) if PODS[old] == "v2"]
                    assert all(old == new for old, new in stayed)
                else:
                    new = [PODS[await visit(port, {})] for _ in range(3 * USERS)]
                    assert 0 < new.count("v2") < USERS, "users without a cookie are drawn by weight"
                pods[port] = first
