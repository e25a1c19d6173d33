"""Deployment strategies in the spelling of early 2018, as many repositories still have them, applied as they are.

extensions/v1beta1 Deployments and Ingresses, Services of type LoadBalancer, RouteRules of Istio 0.5: kubectl applies
the files, and requests see what the strategy promises. The manifests are our own, in the shape of the public ones.
"""

import asyncio
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mesh.client.http import HttpClient
from mesh.testing import load
from mesh.testing.answers import Answers
from mesh.testing.verdict import Outcome, share
from tests.live.programs import newest_only
from tests.scenarios.support import Mesh, start, stop
from tests.tools import program

pytestmark = [pytest.mark.live, pytest.mark.timeout(90)]
Type = Callable[[str], str]
V1, V2 = "v1.0.0", "v2.0.0"


def deployment(name: str, replicas: int, version: str, strategy: str = "", app: str = "my-app", pick: str = "") -> str:
    """pick: another label that the selector asks for, as the template has it."""
    return f"""
apiVersion: extensions/v1beta1
kind: Deployment
metadata:
  name: {name}
  labels:
    app: {app}
spec:
  replicas: {replicas}
  {f"strategy: {strategy}" if strategy else ""}
  selector:
    matchLabels:
      app: {app}
      {pick}
  template:
    metadata:
      labels:
        app: {app}
        version: {version}
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "9101"
    spec:
      containers:
      - name: {app}
        image: containersol/k8s-deployment-strategies
        ports:
        - name: http
          containerPort: 8080
        - name: probe
          containerPort: 8086
        - name: metrics
          containerPort: 9101
        resources:
          limits: {{cpu: 100m, memory: 100Mi}}
          requests: {{cpu: 10m, memory: 50Mi}}
        env:
        - name: VERSION
          value: {version}
        livenessProbe:
          httpGet: {{path: /live, port: probe}}
          initialDelaySeconds: 5
          periodSeconds: 5
        readinessProbe:
          httpGet: {{path: /ready, port: probe}}
          periodSeconds: 5
---
"""


def service(name: str = "my-app", app: str = "my-app", version: str = "", kind: str = "LoadBalancer") -> str:
    return f"""
apiVersion: v1
kind: Service
metadata:
  name: {name}
  labels:
    app: {app}
spec:
  type: {kind}
  ports:
  - name: http
    port: 80
    targetPort: http
  selector:
    app: {app}
    {f"version: {version}" if version else ""}
---
"""


def ingress(name: str, *hosts: tuple[str, str]) -> str:
    """hosts: (Host header or nothing, Service)."""
    rules = "".join(
        f"""
  - {f"host: {host}" if host else "http:"}
    {"http:" if host else ""}
      paths:
      - path: /
        backend: {{serviceName: {to}, servicePort: 80}}"""
        for host, to in hosts
    )
    return f"""
apiVersion: extensions/v1beta1
kind: Ingress
metadata:
  name: {name}
  labels:
    app: my-app
  annotations:
    kubernetes.io/ingress.class: "istio"
spec:
  rules:{rules}
---
"""


def rule(name: str, spec: str) -> str:
    return f"""
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata:
  name: {name}
spec:
  destination:
    name: my-app
  precedence: 1
{spec}
---
"""


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    home = tmp_path_factory.mktemp("home")
    yield start(home)
    stop(home)


@pytest.fixture(params=newest_only())
def kubectl(request: pytest.FixtureRequest, mesh: Mesh, tmp_path: Path) -> Iterator[Type]:
    """Types a line behind `kubectl`, in a folder that is the test's own; removes all objects at the end."""
    command = request.param or program("kubectl", "package kubernetes-client")

    def run(line: str) -> str:
        done = subprocess.run(
            ["bash", "-c", f'"{command}" -s "{mesh.up["api"]}" {line}'],
            capture_output=True, text=True, timeout=60, cwd=tmp_path,
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        )  # fmt: skip
        assert done.returncode == 0, f"kubectl {line}: {done.stdout}{done.stderr}"
        return done.stdout

    yield run
    run("delete deployments,ingresses,services,routerules -l 'component!=apiserver' --ignore-not-found")
    run("delete routerules --all")
    deadline = time.monotonic() + 30
    while run("get pods -o name"):
        assert time.monotonic() < deadline, run("get pods")
        time.sleep(0.1)


@pytest.fixture
def apply(kubectl: Type, tmp_path: Path) -> Callable[..., None]:
    """Write a file and apply it; wait for these Deployments."""

    def run(file: str, text: str, *wait: str) -> None:
        (tmp_path / file).write_text(text)
        kubectl(f"apply -f {file}")
        for name in wait:
            assert "successfully rolled out" in kubectl(f"rollout status deploy/{name} --timeout=40s")

    return run


Apply = Callable[..., None]


def send(address: str, port: int, requests: int, host: str | None = None, **headers: str) -> Answers:
    """Requests over fresh connections."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    plan = load.Load(
        address=address, port=port, requests=requests, authority=host, headers=named, keep_alive=False, concurrency=4
    )
    answers = asyncio.run(load.run(plan))
    assert not answers.errors, answers.failures[:3]
    return answers


def through(mesh: Mesh, requests: int, host: str | None = None, **headers: str) -> Counter[str]:
    """The versions that answer at the gateway."""
    parts = urlsplit(mesh.gateway)
    return send(parts.hostname or "", parts.port or 80, requests, host, **headers).versions


def balanced(kubectl: Type, requests: int, name: str = "my-app") -> Counter[str]:
    """The versions that answer at the address of a LoadBalancer Service."""
    address = kubectl(f"get service {name} -o 'jsonpath={{.status.loadBalancer.ingress[0].ip}}'")
    assert address, "a Service of type LoadBalancer has got an address"
    return send(address, 80, requests).versions


def settles(seen: Callable[[], Counter[str]], wanted: str) -> Counter[str]:
    """Rules and endpoints take a moment to arrive; what is seen then."""
    deadline = time.monotonic() + 3
    while set(found := seen()) != {wanted} and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def test_recreate(kubectl: Type, apply: Apply) -> None:
    apply("v1.yaml", service() + deployment("my-app", 3, V1, "{type: Recreate}"), "my-app")
    assert balanced(kubectl, 60) == {V1: 60}
    old = kubectl("get pods -l app=my-app -o name").split()
    apply("v2.yaml", deployment("my-app", 3, V2, "{type: Recreate}"), "my-app")
    assert balanced(kubectl, 60) == {V2: 60}
    now = kubectl("get pods -l app=my-app -o name").split()
    assert len(now) == 3
    assert not set(now) & set(old)


def test_ramped_with_a_pause_and_back(kubectl: Type, apply: Apply) -> None:
    slowly = "{type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}"
    apply("v1.yaml", service() + deployment("my-app", 6, V1, slowly), "my-app")
    assert balanced(kubectl, 100) == {V1: 100}
    apply("v2.yaml", deployment("my-app", 6, V2, slowly).replace("replicas: 6", "replicas: 6\n  minReadySeconds: 1"))
    kubectl("wait --for=condition=Ready pod -l version=v2.0.0 --timeout=20s")
    kubectl("rollout pause deploy my-app")
    time.sleep(2.5)
    mixed = balanced(kubectl, 400)
    assert set(mixed) == {V1, V2}, "a paused rollout leaves both"
    kubectl("rollout resume deploy my-app")
    kubectl("rollout status deploy my-app --timeout=40s")
    assert settles(lambda: balanced(kubectl, 60), V2) == {V2: 60}
    kubectl("rollout undo deploy my-app")
    kubectl("rollout status deploy my-app --timeout=40s")
    assert settles(lambda: balanced(kubectl, 60), V1) == {V1: 60}


def test_blue_green_one_service(kubectl: Type, apply: Apply) -> None:
    apply("v1.yaml", service(version=V1) + deployment("my-app-v1", 3, V1, pick=f"version: {V1}"), "my-app-v1")
    apply("v2.yaml", deployment("my-app-v2", 3, V2, pick=f"version: {V2}"), "my-app-v2")
    assert balanced(kubectl, 60) == {V1: 60}, "version 2 stands ready and gets nothing"
    patch = """patch service my-app -p '{"spec":{"selector":{"version":"%s"}}}'"""
    kubectl(patch % V2)
    assert settles(lambda: balanced(kubectl, 60), V2) == {V2: 60}
    kubectl(patch % V1)
    assert settles(lambda: balanced(kubectl, 60), V1) == {V1: 60}
    kubectl(patch % V2)
    kubectl("delete deploy my-app-v1")
    assert settles(lambda: balanced(kubectl, 60), V2) == {V2: 60}


def test_blue_green_many_services(mesh: Mesh, kubectl: Type, apply: Apply) -> None:
    for version, short in ((V1, "v1"), (V2, "v2")):
        text = "".join(
            service(f"my-{app}-{short}", f"my-{app}", version, "ClusterIP")
            + deployment(f"my-{app}-{short}", 2, version, app=f"my-{app}", pick=f"version: {version}")
            for app in ("app-a", "app-b")
        )
        apply(f"{short}.yaml", text, f"my-app-a-{short}", f"my-app-b-{short}")
    for version, short in ((V1, "v1"), (V2, "v2"), (V1, "v1")):
        to = (("a.domain.com", f"my-app-a-{short}"), ("b.domain.com", f"my-app-b-{short}"))
        apply("ingress.yaml", ingress("my-app", *to))
        for host, _ in to:
            seen = settles(lambda host=host: through(mesh, 30, host), version)  # type: ignore[misc]
            assert seen == {version: 30}, f"{host}: one apply has moved both"


def test_canary_by_number_of_pods(kubectl: Type, apply: Apply) -> None:
    apply("v1.yaml", service() + deployment("my-app-v1", 9, V1, pick=f"version: {V1}"), "my-app-v1")
    apply("v2.yaml", deployment("my-app-v2", 1, V2, pick=f"version: {V2}"), "my-app-v2")
    seen = balanced(kubectl, 600)
    verdict = share(seen[V2], 600, 0.1)
    assert verdict.outcome is Outcome.PASS, verdict
    kubectl("scale --replicas=10 deploy my-app-v2")
    kubectl("rollout status deploy my-app-v2 --timeout=40s")
    kubectl("delete deploy my-app-v1")
    assert settles(lambda: balanced(kubectl, 60), V2) == {V2: 60}


def two_versions(apply: Apply) -> None:
    front = service(kind="ClusterIP") + ingress("my-app", ("", "my-app"))
    apply("service.yaml", front)
    for version, name in ((V1, "my-app-v1"), (V2, "my-app-v2")):
        apply(f"{name}.yaml", deployment(name, 2, version, pick=f"version: {version}"), name)


def test_ab_testing_by_route_rules(mesh: Mesh, kubectl: Type, apply: Apply) -> None:
    two_versions(apply)
    weights = f"  route:\n  - labels: {{version: {V1}}}\n    weight: 90\n  - labels: {{version: {V2}}}\n    weight: 10"
    apply("weight.yaml", rule("my-app", weights))
    time.sleep(0.5)
    verdict = share(through(mesh, 800)[V2], 800, 0.1)
    assert verdict.outcome is Outcome.PASS, verdict
    kubectl("delete -f weight.yaml")
    text = "".join(
        rule(
            f"my-app-{version[:2]}",
            f"  route:\n  - labels: {{version: {version}}}\n"
            f"  match: {{request: {{headers: {{x-api-version: {{exact: {version}}}}}}}}}",
        )
        for version in (V1, V2)
    )
    apply("match.yaml", text)
    for version in (V1, V2, V1):
        seen = settles(lambda version=version: through(mesh, 40, x_api_version=version), version)  # type: ignore[misc]
        assert seen == {version: 40}
    assert set(through(mesh, 100)) == {V1, V2}, "without the header nobody is chosen"


async def arrived(mesh: Mesh) -> Counter[str]:
    async with HttpClient(mesh.up["api"]) as client:
        return await mesh.hands(client).arrived()


def test_shadow_by_a_route_rule(mesh: Mesh, apply: Apply) -> None:
    two_versions(apply)
    spec = f"  route:\n  - labels: {{version: {V1}}}\n    weight: 100\n  - labels: {{version: {V2}}}\n    weight: 0\n"
    mirror = f"  mirror:\n    name: my-app\n    labels: {{version: {V2}}}"
    apply("rules.yaml", rule("my-app", spec + mirror))
    assert settles(lambda: through(mesh, 20), V1) == {V1: 20}
    time.sleep(0.3)
    before = asyncio.run(arrived(mesh))
    assert through(mesh, 200) == {V1: 200}
    deadline = time.monotonic() + 3
    while (gained := asyncio.run(arrived(mesh)) - before)[V2] < 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert gained == {V1: 200, V2: 200}, "each request is seen by both, and answered by version 1"
