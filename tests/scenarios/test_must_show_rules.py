"""Rules decide by precedence, and changing them is quick and costs no request."""

import asyncio
import time

import pytest

from mesh.api.traffic import RouteRule
from mesh.client.http import HttpClient
from mesh.testing.load import Load, run
from tests.scenarios.support import ROUTES, Mesh, Up

pytestmark = [pytest.mark.alone, pytest.mark.live, pytest.mark.timeout(120)]

EFFECT_S = 0.1
CHANGES = 50

RULE = """
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata:
  name: {name}
spec:
  destination: {{name: my-app}}
  precedence: {precedence}
  route:
    - labels: {{version: {version}}}
"""


@pytest.fixture(scope="module")
def shared(up_once: Up) -> Mesh:
    return up_once("-f", str(ROUTES / "ab-test"))


@pytest.fixture
async def mesh(shared: Mesh) -> Mesh:
    """With the scenario's own rules in force."""
    async with HttpClient(shared.up["api"]) as client:
        await client.patch(RouteRule, "my-app-default", patch("v1.0.0"), "default")
    await until(shared, "v1.0.0", 2)
    return shared


async def versions(mesh: Mesh, **headers: str) -> dict[str, int]:
    names = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    answers = await run(Load(address=mesh.people, port=mesh.gateway_port, requests=100, headers=names))
    assert answers.errors == 0, answers.failures[:3]
    return dict(answers.versions)


async def test_header_cookie_and_default(mesh: Mesh) -> None:
    assert await versions(mesh) == {"v1.0.0": 100}
    assert await versions(mesh, x_api_version="v2") == {"v2.0.0": 100}
    assert await versions(mesh, x_api_version="v1") == {"v1.0.0": 100}
    assert await versions(mesh, cookie="user=jason") == {"v2.0.0": 100}
    assert await versions(mesh, cookie="a=b; user=jason; c=d") == {"v2.0.0": 100}
    assert await versions(mesh, cookie="user=jasona") == {"v1.0.0": 100}
    assert await versions(mesh, x_api_version="v2", x_no_experiments="true") == {"v1.0.0": 100}


async def test_precedence_wins_whatever_the_order(mesh: Mesh) -> None:
    high = RULE.format(name="aaa", precedence=5, version="v2.0.0")
    low = RULE.format(name="zzz", precedence=4, version="v1.0.0")
    async with HttpClient(mesh.up["api"]) as client:
        for first, second in ((high, low), (low, high)):
            mesh.apply_text(first + "---" + second)
            await asyncio.sleep(2 * EFFECT_S)
            assert await versions(mesh, x_api_version="v1") == {"v2.0.0": 100}
            await client.delete(RouteRule, "aaa", "default")
            await asyncio.sleep(2 * EFFECT_S)
            assert await versions(mesh, x_api_version="v2") == {"v1.0.0": 100}
            await client.delete(RouteRule, "zzz", "default")


def patch(version: str) -> dict[str, object]:
    return {"spec": {"route": [{"labels": {"version": version}}]}}


async def until(mesh: Mesh, version: str, bound_s: float) -> float:
    """Seconds until the gateway answers with this version."""
    begin = time.monotonic()
    while time.monotonic() - begin < bound_s:
        answers = await run(Load(address=mesh.people, port=mesh.gateway_port, requests=1, concurrency=1))
        if answers.versions == {version: 1}:
            return time.monotonic() - begin
        await asyncio.sleep(0.002)
    raise AssertionError(f"the gateway does not answer with {version} after {bound_s} s")


async def test_a_change_takes_effect_at_once(mesh: Mesh) -> None:
    """From the moment the write is acknowledged, which is when `mesh apply` returns; nine of ten within the bound."""
    took = []
    async with HttpClient(mesh.up["api"]) as client:
        for number in range(20):
            version = ("v2.0.0", "v1.0.0")[number % 2]
            await client.patch(RouteRule, "my-app-default", patch(version), "default")
            took.append(await until(mesh, version, 2))
    took.sort()
    assert took[17] <= EFFECT_S, took


async def test_mesh_apply_takes_effect_at_once(mesh: Mesh) -> None:
    mesh.apply(ROUTES / "ab-test" / "later" / "default-v2.yaml")
    assert await until(mesh, "v2.0.0", 2) <= EFFECT_S


async def test_fifty_changes_under_load_cost_no_request(mesh: Mesh) -> None:
    stop = asyncio.Event()
    loads = [
        asyncio.create_task(
            run(Load(address=mesh.people, port=mesh.gateway_port, rate=200, concurrency=8, keep_alive=keep), stop)
        )
        for keep in (True, False)
    ]
    async with HttpClient(mesh.up["api"]) as client:
        for number in range(CHANGES):
            version = ("v2.0.0", "v1.0.0")[number % 2]
            await client.patch(RouteRule, "my-app-default", patch(version), "default")
            await asyncio.sleep(0.06)
    stop.set()
    for answers in await asyncio.gather(*loads):
        assert answers.errors == 0, (answers.causes, answers.failures[:3])
        assert answers.sent > 300
        assert set(answers.versions) == {"v1.0.0", "v2.0.0"}
