"""A mirror gets its copy of every request, and whatever it does with it no client can feel it."""

import asyncio

import pytest

from mesh.client.http import HttpClient
from mesh.testing.answers import Answers
from mesh.testing.load import Load, run
from mesh.testing.world import Hands
from tests.scenarios.support import ROUTES, Mesh, Up

pytestmark = [pytest.mark.alone, pytest.mark.live, pytest.mark.timeout(180)]

RATIO = 1.2
TRIES = 4
"""The p99 of two loads that run side by side still differs by chance; one fair try is enough."""

SHADOW = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shadow-{name}
spec:
  replicas: {replicas}
  selector:
    matchLabels: {{app: my-app, version: {name}}}
  template:
    metadata:
      labels: {{app: my-app, version: {name}}}
    spec:
      containers:
        - name: my-app
          image: containersol/k8s-deployment-strategies
          env:
            - {{name: VERSION, value: {name}}}
            - {{name: LATENCY_MS, value: "{latency_ms}"}}
            - {{name: ERROR_RATE, value: "{error_rate}"}}
          ports:
            - {{name: http, containerPort: 8080}}
            - {{name: metrics, containerPort: 9101}}
---
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata:
  name: shadow-{name}
spec:
  destination: {{name: my-app}}
  precedence: 9
  match:
    request:
      headers:
        x-shadow: {{exact: {name}}}
  route:
    - labels: {{version: v1.0.0}}
  mirror:
    name: my-app
    labels: {{version: {name}}}
"""
PLAIN = """
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata:
  name: plain
spec:
  destination: {name: my-app}
  precedence: 8
  match:
    request:
      headers:
        x-shadow: {exact: none}
  route:
    - labels: {version: v1.0.0}
"""


@pytest.fixture(scope="module")
def mesh(up_once: Up) -> Mesh:
    return up_once("-f", str(ROUTES / "shadow"))


async def test_each_request_arrives_once_and_v2_never_answers(mesh: Mesh) -> None:
    async with HttpClient(mesh.up["api"]) as client:
        hands = mesh.hands(client)
        before = await hands.arrived()
        answers = await run(Load(address=mesh.people, port=mesh.gateway_port, requests=500))
        assert answers.errors == 0, answers.failures[:3]
        assert answers.versions == {"v1.0.0": 500}
        for _ in range(100):
            after = await hands.arrived()
            if after["v2.0.0"] - before["v2.0.0"] >= 500:
                break
            await asyncio.sleep(0.03)
        await asyncio.sleep(0.2)
        after = await hands.arrived()
    after.subtract(before)
    assert after == {"v1.0.0": 500, "v2.0.0": 500}


def test_the_copy_says_that_it_is_one(mesh: Mesh) -> None:
    """Its Host ends in -shadow, as Envoy's does; the client's own request keeps its name."""
    done = mesh.curl("-H", "Host: example.test", f"{mesh.gateway}/echo")
    assert done.code == 0, done.err
    assert '"Host","example.test"' in done.out.replace(" ", "").replace("host", "Host")


async def side_by_side(mesh: Mesh, name: str, rate: float, count: int) -> tuple[Answers, Answers]:
    """Two equal loads at the same time, one of them mirrored."""

    def load(shadow: str) -> Load:
        headers = (("x-shadow", shadow),)
        return Load(
            address=mesh.people, port=mesh.gateway_port, headers=headers, requests=count, rate=rate, concurrency=16
        )

    plain, mirrored = await asyncio.gather(run(load("none")), run(load(name)))
    return plain, mirrored


async def judge(mesh: Mesh, name: str) -> None:
    """Equal answers always; an equal p99 in one of a few tries."""
    ratios = []
    for _ in range(TRIES):
        plain, mirrored = await side_by_side(mesh, name, rate=120, count=400)
        for answers in (plain, mirrored):
            assert answers.errors == 0, (answers.causes, answers.failures[:3])
            assert answers.versions == {"v1.0.0": 400}
        (own,), (other,) = mirrored.latency_ms(0.99), plain.latency_ms(0.99)
        ratios.append(own / other)
        if ratios[-1] <= RATIO:
            return
    raise AssertionError(f"p99 beside no mirror, {TRIES} tries: {ratios}")


def shadow(name: str, replicas: int = 1, latency_ms: int = 0, error_rate: int = 0) -> str:
    return SHADOW.format(name=name, replicas=replicas, latency_ms=latency_ms, error_rate=error_rate)


async def prepare(mesh: Mesh, hands: Hands, name: str, text: str) -> None:
    mesh.apply_text(PLAIN + "---" + text)
    for _ in range(300):
        pods = await hands.pods(f"version={name}")
        if pods and all(pod.ready for pod in pods):
            break
        await asyncio.sleep(0.03)
    await asyncio.sleep(0.3)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("slow", {"latency_ms": 5000}, id="answers after five seconds"),
        pytest.param("broken", {"error_rate": 1}, id="answers 500"),
    ],
)
async def test_a_bad_shadow_is_not_felt(mesh: Mesh, name: str, options: dict[str, int]) -> None:
    async with HttpClient(mesh.up["api"]) as client:
        await prepare(mesh, mesh.hands(client), name, shadow(name, **options))
        await judge(mesh, name)


async def test_a_killed_shadow_is_not_felt(mesh: Mesh) -> None:
    async with HttpClient(mesh.up["api"]) as client:
        hands = mesh.hands(client)
        await prepare(mesh, hands, "killed", shadow("killed"))

        async def kill_often() -> None:
            while True:
                if await hands.pods("version=killed"):
                    await hands.kill_pods("version=killed", 1)
                await asyncio.sleep(1)

        killing = asyncio.create_task(kill_often())
        try:
            await judge(mesh, "killed")
        finally:
            killing.cancel()
