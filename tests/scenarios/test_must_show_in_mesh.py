"""A client inside the mesh obeys the rules, also those about who calls; an address of a Service knows no rules."""

import asyncio
import re
from collections import Counter

import pytest

from mesh.api.services import Service
from mesh.client.http import HttpClient
from mesh.testing.load import Load, run
from mesh.testing.verdict import Outcome, share
from tests.scenarios.support import ROUTES, Up

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

CLIENT = """
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  selector: {{app: {name}}}
  ports: [{{name: http, port: 80, targetPort: 8080}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}, tier: front}}}}
    spec:
      containers:
        - {{name: {name}, image: busy/client, ports: [{{containerPort: 8080}}]}}
"""
BY_SOURCE = """
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: by-source}
spec:
  destination: {name: my-app}
  precedence: 5
  match:
    source:
      name: beta
      labels: {tier: front}
  route:
    - labels: {version: v2.0.0}
"""


async def test_sidecar_and_cluster_ip(up: Up) -> None:
    mesh = up("-f", str(ROUTES / "canary"), "--nodes", "2")
    mesh.apply_text(CLIENT.format(name="alpha") + "---" + CLIENT.format(name="beta"))
    async with HttpClient(mesh.up["api"]) as client:
        hands = mesh.hands(client)
        proxies = {}
        for name in ("alpha", "beta"):
            for _ in range(200):
                pods = [pod for pod in await hands.pods(f"app={name}") if pod.ready]
                if pods:
                    break
                await asyncio.sleep(0.05)
            proxies[name] = pods[0].status.pod_ip
        service = await client.get(Service, "my-app", "default")

    async def split(name: str, host: str = "my-app") -> Counter[str]:
        load = Load(address=proxies[name], port=15001, authority=host, via_proxy=True, requests=600)
        answers = await run(load)
        assert answers.errors == 0, answers.failures[:3]
        return answers.versions

    # The real curl first: what a person types.
    done = mesh.curl("-x", f"http://{proxies['alpha']}:15001", "http://my-app/")
    assert re.fullmatch(r"Host: my-app-v[12]-\S+, Version: v[12]\.0\.0\n", done.out), (done.out, done.err)
    for host in ("my-app", "my-app.default", "my-app.default.svc.cluster.local", "my-app:80"):
        seen = await split("alpha", host)
        assert share(seen["v1.0.0"], 600, 0.9).outcome is Outcome.PASS, (host, seen)
    unknown = mesh.curl("-x", f"http://{proxies['alpha']}:15001", "-o", "/dev/null", "-w", "%{http_code}", "http://no/")
    assert unknown.out == "404"

    # A rule about the caller holds for pods with those labels, and for nobody else.
    mesh.apply_text(BY_SOURCE)
    await asyncio.sleep(0.3)
    assert await split("beta") == {"v2.0.0": 600}
    assert share((await split("alpha"))["v1.0.0"], 600, 0.9).outcome is Outcome.PASS

    # Layer 4: connections are spread over all ten pods, whatever the rules say.
    mesh.apply(ROUTES / "canary" / "later" / "half.yaml")
    await asyncio.sleep(0.3)
    assert service.spec.cluster_ip is not None
    done = mesh.curl(f"http://{service.spec.cluster_ip}/")
    assert done.out.startswith("Host: my-app-"), done.err
    answers = await run(Load(address=service.spec.cluster_ip, port=80, requests=400, keep_alive=False))
    assert answers.errors == 0, answers.failures[:3]
    assert len(answers.pods) == 10
    assert share(answers.versions["v1.0.0"], 400, 0.9).outcome is Outcome.PASS, answers.versions
    kept = await run(Load(address=service.spec.cluster_ip, port=80, requests=50, concurrency=1))
    assert len(kept.pods) == 1
