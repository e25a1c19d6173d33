"""A real kubectl applies, compares, edits, patches and explains."""

import asyncio
import os
import random
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from mesh.apiserver.registry import Registry, index
from mesh.apiserver.server import ApiServer
from mesh.runtime.clock import SystemClock
from mesh.store import Store
from tests.live.programs import newest_first

pytestmark = pytest.mark.live

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: c, image: "httpd:2.4", env: [{name: A, value: "1"}]}
"""
CHANGED = WEB.replace("replicas: 1", "replicas: 2").replace("httpd:2.4", "httpd:2.5")


class Kubectl:
    """One program against one server."""

    def __init__(self, program: str, url: str, home: Path) -> None:
        self.program, self.url, self.home = program, url, home

    def __call__(self, *words: str, stdin: str = "", code: int = 0, **env: str) -> str:
        done = subprocess.run(
            [self.program, "-s", self.url, *words], input=stdin, capture_output=True, text=True, timeout=30,
            env={"HOME": str(self.home), "PATH": os.environ["PATH"], **env}, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def field(self, path: str) -> str:
        return self("get", "deploy", "web", "-o", f"jsonpath={{{path}}}")


@pytest.fixture(scope="module", params=newest_first())
def program(request: pytest.FixtureRequest) -> str:
    if not request.param:
        pytest.skip("no kubectl on PATH")
    return str(request.param)


@pytest.fixture
def kubectl(program: str, tmp_path: Path) -> Iterator[Kubectl]:
    started, stop = threading.Event(), []
    urls: list[str] = []

    async def serve() -> None:
        clock = SystemClock()
        registry = Registry(Store(None, clock.wall(), index), clock, random.Random(1))
        registry.bootstrap([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}])
        server = ApiServer(registry, "127.0.0.1", 0)
        await server.start()
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(ended.set))
        urls.append(server.url)
        started.set()
        await ended.wait()
        await server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(10)
    yield Kubectl(program, urls[0], tmp_path)
    stop[0]()
    thread.join(10)


def is_old(kubectl: Kubectl) -> bool:
    """True for a kubectl that judges manifests itself, by OpenAPI v2."""
    version = orjson.loads(kubectl("version", "--client", "-o", "json"))["clientVersion"]
    return int("".join(filter(str.isdigit, version["minor"]))) < 25


def test_server_side_apply(kubectl: Kubectl) -> None:
    apply = ("apply", "--server-side", "-f", "-")
    assert "serverside-applied" in kubectl(*apply, stdin=WEB)
    assert "serverside-applied" in kubectl(*apply, stdin=WEB)
    kubectl("scale", "deploy", "web", "--replicas=4")
    refused = kubectl(*apply, stdin=CHANGED, code=1)
    assert "Apply failed with 1 conflict" in refused
    assert ".spec.replicas" in refused
    assert kubectl.field(".spec.replicas") == "4"
    assert "serverside-applied" in kubectl(*apply, "--force-conflicts", stdin=CHANGED)
    assert kubectl.field(".spec.replicas") == "2"
    assert "dry run" in kubectl(*apply, "--dry-run=server", stdin=WEB)
    kubectl(*apply, stdin=CHANGED.replace(', env: [{name: A, value: "1"}]', ""))
    assert kubectl.field(".spec.template.spec.containers[0]['image','env']") == "httpd:2.5"


def test_from_client_side_to_server_side_and_back(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=WEB)
    assert kubectl.field(".metadata.managedFields[*].manager") == "kubectl-client-side-apply"
    assert "Apply failed with 2 conflicts" in kubectl("apply", "--server-side", "-f", "-", stdin=CHANGED, code=1)
    kubectl("apply", "--server-side", "-f", "-", stdin=WEB)
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=CHANGED)
    kubectl("apply", "-f", "-", stdin=WEB)
    assert kubectl.field(".spec.template.spec.containers[0].image") == "httpd:2.4"


def test_diff_and_dry_runs(kubectl: Kubectl) -> None:
    assert "+spec:" in kubectl("diff", "-f", "-", stdin=WEB, code=1)
    kubectl("apply", "-f", "-", stdin=WEB)
    assert kubectl("diff", "-f", "-", stdin=WEB) == ""
    shown = kubectl("diff", "-f", "-", stdin=CHANGED, code=1)
    assert "-  replicas: 1\n+  replicas: 2\n" in shown
    for how in ("server", "client"):
        assert "configured" in kubectl("apply", f"--dry-run={how}", "-f", "-", stdin=CHANGED)
    assert "created" in kubectl("create", "--dry-run=server", "-f", "-", stdin=WEB.replace("name: web", "name: two"))
    assert kubectl("get", "deploy", "-o", "name") == "deployment.apps/web\n"
    assert kubectl.field(".spec.replicas") == "1"


def test_edit_replace_patch(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=WEB)
    assert "no changes" in kubectl("edit", "deploy", "web", KUBE_EDITOR="true")
    assert "edited" in kubectl("edit", "deploy", "web", KUBE_EDITOR="sed -i s/httpd:2.4/httpd:2.6/")
    assert kubectl.field(".spec.template.spec.containers[0].image") == "httpd:2.6"
    assert "replaced" in kubectl("replace", "-f", "-", stdin=WEB)
    containers = '{"spec":{"template":{"spec":{"containers":[{"name":"d","image":"nginx"}]}}}}'
    kubectl("patch", "deploy", "web", "-p", containers)
    assert sorted(kubectl.field(".spec.template.spec.containers[*].name").split()) == ["c", "d"]
    assert "no change" in kubectl("patch", "deploy", "web", "-p", containers)
    kubectl("patch", "deploy", "web", "--type=merge", "-p", containers)
    assert kubectl.field(".spec.template.spec.containers[*].name") == "d"
    kubectl("patch", "deploy", "web", "--type=json", "-p", '[{"op":"replace","path":"/spec/replicas","value":3}]')
    assert kubectl.field(".spec.replicas") == "3"
    assert "is invalid" in kubectl("patch", "deploy", "web", "-p", '{"spec":{"replicas":-1}}', code=1)


def test_kustomize(kubectl: Kubectl, tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [web.yml]\nnamePrefix: my-\n")
    (tmp_path / "web.yml").write_text(WEB)
    assert kubectl("apply", "-k", str(tmp_path)) == "deployment.apps/my-web created\n"
    assert kubectl("diff", "-k", str(tmp_path)) == ""
    assert "deleted" in kubectl("delete", "-k", str(tmp_path))


def test_explain(kubectl: Kubectl) -> None:
    shown = kubectl("explain", "deployment.spec.strategy")
    assert "How old pods are replaced by new ones." in shown
    assert "FIELDS:\n" in kubectl("explain", "pvc.spec")
    assert "controller" in kubectl("explain", "ingressclass", "--recursive")
    if is_old(kubectl):  # it reads OpenAPI v2, where users' own kinds are not defined
        assert "rollingUpdate\t<Object>" in shown
        assert "KIND:     Deployment\nVERSION:  extensions/v1beta1" in kubectl(
            "explain", "deployment", "--api-version=extensions/v1beta1"
        )
        return
    assert "rollingUpdate\t<RollingUpdateDeployment>" in shown
    assert "weight\t<integer>" in kubectl("explain", "routerule.spec.route")
    assert "useSourceIp\t<boolean>" in kubectl("explain", "dr.spec.trafficPolicy.loadBalancer.consistentHash")
