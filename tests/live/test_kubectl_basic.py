"""A real kubectl drives the API server: what people type, without flag tricks."""

import os
import random
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from tests.live.programs import newest_first

pytestmark = pytest.mark.live

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: httpd
        image: httpd:2.4
        ports: [{containerPort: 80}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80}]
"""
OLD = """
apiVersion: extensions/v1beta1
kind: Deployment
metadata: {name: my-app, labels: {app: my-app}}
spec:
  replicas: 2
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: my-app, version: v1.0.0}}
    spec:
      containers:
      - name: my-app
        image: containersol/k8s-deployment-strategies
        ports: [{name: http, containerPort: 8080}]
        livenessProbe: {httpGet: {path: /live, port: 8086}, initialDelaySeconds: 5}
---
apiVersion: apps/v1beta1
kind: Deployment
metadata: {name: beta}
spec:
  template:
    metadata: {labels: {app: beta}}
    spec: {containers: [{name: c, image: nginx}]}
---
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: my-app}
spec:
  rules:
  - host: my-app.local
    http: {paths: [{backend: {serviceName: my-app, servicePort: 80}}]}
---
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata: {name: split}
spec:
  destination: {name: my-app}
  route:
  - {labels: {version: v1.0.0}, weight: 90}
  - {labels: {version: v2.0.0}, weight: 10}
"""
Kubectl = Callable[..., str]


@pytest.fixture(scope="module", params=newest_first())
def program(request: pytest.FixtureRequest) -> str:
    if not request.param:
        pytest.skip("no kubectl on PATH")
    return str(request.param)


@pytest.fixture
def url() -> Iterator[str]:
    """A fresh API server in a thread of its own, so that kubectl can be waited for here."""
    import asyncio

    from mesh.apiserver.registry import Registry, index
    from mesh.apiserver.server import ApiServer
    from mesh.runtime.clock import SystemClock
    from mesh.store import Store

    started, stop = threading.Event(), []
    address: list[str] = []

    async def serve() -> None:
        clock = SystemClock()
        registry = Registry(Store(None, clock.wall(), index), clock, random.Random(1))
        registry.bootstrap(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in ("default", "kube-system")
        )
        server = ApiServer(registry, "127.0.0.1", 0)
        await server.start()
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(ended.set))
        address.append(server.url)
        started.set()
        await ended.wait()
        await server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(10)
    yield address[0]
    stop[0]()
    thread.join(10)


@pytest.fixture
def kubectl(program: str, url: str, tmp_path: Path) -> Kubectl:
    def run(*arguments: str, stdin: str = "", fails: bool = False, errors: bool = False) -> str:
        done = subprocess.run(
            [program, "-s", url, *arguments], input=stdin, capture_output=True, text=True, timeout=30,
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        )  # fmt: skip
        assert (done.returncode != 0) is fails, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr if fails or errors else done.stdout

    return run


def test_apply_get_scale_delete(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", stdin=WEB) == "deployment.apps/web created\nservice/web created\n"
    assert kubectl("apply", "-f", "-", stdin=WEB) == "deployment.apps/web unchanged\nservice/web unchanged\n"
    changed = WEB.replace("httpd:2.4", "httpd:2.5").replace("port: 80}", "port: 81}")
    assert kubectl("apply", "-f", "-", stdin=changed) == "deployment.apps/web configured\nservice/web configured\n"
    rows = kubectl("get", "deploy", "-o", "wide").splitlines()
    assert rows[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"]
    assert [rows[1].split()[index] for index in (0, 1, 5, 6, 7)] == ["web", "0/3", "httpd", "httpd:2.5", "app=web"]
    found = orjson.loads(kubectl("get", "deployment", "web", "-o", "json"))
    assert found["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": "25%", "maxUnavailable": "25%"}
    assert found["metadata"]["generation"] == 2
    assert "image: httpd:2.5" in kubectl("get", "deploy/web", "-o", "yaml")
    assert kubectl("get", "all", "-l", "app=web", "-o", "name") == "deployment.apps/web\n"
    assert kubectl("get", "deploy", "-l", "app!=web", "-o", "name") == ""
    assert "scaled" in kubectl("scale", "deployment", "web", "--replicas=5")
    assert kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "5"
    deleted = kubectl("delete", "deploy,svc", "web")
    assert 'deployment.apps "web" deleted' in deleted
    assert 'service "web" deleted' in deleted
    assert "NotFound" in kubectl("get", "deploy", "web", fails=True)


def test_old_manifests_apply_unedited(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", stdin=OLD).splitlines() == [
        "deployment.extensions/my-app created",
        "deployment.apps/beta created",
        "ingress.extensions/my-app created",
        "routerule.config.istio.io/split created",
    ]
    again = kubectl("apply", "-f", "-", stdin=OLD.replace("replicas: 2", "replicas: 4")).splitlines()
    assert again[0] == "deployment.extensions/my-app configured"
    assert again[1] == "deployment.apps/beta unchanged"
    assert again[3] == "routerule.config.istio.io/split unchanged"
    found = orjson.loads(kubectl("get", "deploy", "my-app", "-o", "json"))
    assert (found["apiVersion"], found["spec"]["replicas"]) == ("apps/v1", 4)
    assert found["spec"]["selector"] == {"matchLabels": {"app": "my-app", "version": "v1.0.0"}}
    ingress = orjson.loads(kubectl("get", "ingress.networking.k8s.io", "my-app", "-o", "json"))
    backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]
    assert backend == {"service": {"name": "my-app", "port": {"number": 80}}}
    assert "split" in kubectl("get", "routerule")
    assert "deleted" in kubectl("delete", "-f", "-", stdin=OLD)
    assert kubectl("get", "all,ing,routerules", "-o", "name") == ""


def test_small_changes(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=WEB)
    kubectl("set", "image", "deploy/web", "httpd=httpd:2.6")
    kubectl("annotate", "deploy", "web", "kubernetes.io/change-cause=first")
    kubectl("label", "deploy", "web", "tier=front")
    assert "no change" in kubectl("patch", "deploy", "web", "-p", '{"spec":{"replicas":3}}')
    kubectl(
        "patch", "svc", "web", "--type=json", "-p", '[{"op":"add","path":"/spec/ports/0/appProtocol","value":"http"}]'
    )
    found = orjson.loads(kubectl("get", "deploy", "web", "-o", "json"))
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "httpd:2.6"
    assert found["metadata"]["annotations"]["kubernetes.io/change-cause"] == "first"
    assert found["metadata"]["labels"] == {"app": "web", "tier": "front"}
    kubectl("label", "deploy", "web", "tier-")
    assert kubectl("get", "deploy", "--show-labels").splitlines()[1].split()[-1] == "app=web"


def test_create_without_a_file(kubectl: Kubectl) -> None:
    assert "created" in kubectl("create", "namespace", "dev")
    assert "created" in kubectl("create", "deployment", "x", "-n", "dev", "--image=nginx:1.25")
    assert "created" in kubectl("create", "service", "clusterip", "s", "-n", "dev", "--tcp=80:8080")
    assert "created" in kubectl("run", "p", "-n", "dev", "--image=nginx", "--port=80")
    assert "exposed" in kubectl("expose", "deploy", "x", "-n", "dev", "--port=80")
    found = orjson.loads(kubectl("get", "deploy,svc", "-n", "dev", "-o", "json"))["items"]
    assert [item["metadata"]["name"] for item in found] == ["x", "s", "x"]
    assert found[0]["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    assert found[1]["spec"]["ports"] == [{"name": "80-8080", "port": 80, "protocol": "TCP", "targetPort": 8080}]


def test_refusals_read_as_in_a_cluster(kubectl: Kubectl) -> None:
    bad = WEB.replace("containerPort: 80", "containerPort: 99999").replace("name: httpd", "name: My_Httpd")
    said = kubectl("apply", "-f", "-", stdin=bad, fails=True)
    assert 'The Deployment "web" is invalid' in said
    assert "spec.template.spec.containers[0].name" in said
    assert "spec.template.spec.containers[0].ports[0].containerPort" in said
    assert "service/web created" in said
    said = kubectl("get", "pod", "nope", fails=True)
    assert said == 'Error from server (NotFound): pods "nope" not found\n'
    assert 'namespaces "nowhere" not found' in kubectl("apply", "-n", "nowhere", "-f", "-", stdin=WEB, fails=True)
    assert "no matches for kind" in kubectl(
        "apply", "-f", "-", stdin="apiVersion: x/v1\nkind: Odd\nmetadata: {name: a}\n", fails=True
    )


def test_an_unknown_field_is_named(kubectl: Kubectl) -> None:
    version = orjson.loads(kubectl("version", "--client", "-o", "json"))["clientVersion"]
    misspelt = WEB.replace("replicas: 3", "replica: 3")
    if int("".join(filter(str.isdigit, version["minor"]))) < 25:
        # Such a kubectl judges for itself, by the server's definitions, and can be told not to.
        said = kubectl("apply", "-f", "-", stdin=misspelt, fails=True)
        assert 'ValidationError(Deployment.spec): unknown field "replica"' in said
        said = kubectl("apply", "--validate=false", "-f", "-", stdin=misspelt, errors=True)
        assert 'Warning: unknown field "spec.replica"' in said
    else:
        said = kubectl("apply", "-f", "-", stdin=misspelt, fails=True)
        assert 'strict decoding error: unknown field "spec.replica"' in said


def test_namespaces_and_discovery(kubectl: Kubectl) -> None:
    assert kubectl("get", "ns", "-o", "name") == "namespace/default\nnamespace/kube-system\n"
    kinds = kubectl("api-resources", "--no-headers", "-o", "name").split()
    assert {"pods", "deployments.apps", "routerules.config.istio.io", "deployments.extensions"} <= set(kinds)
    assert {"v1", "apps/v1", "extensions/v1beta1"} <= set(kubectl("api-versions").split())
    assert kubectl("get", "--raw", "/healthz") == "ok"


def test_watch_and_delete_from_a_file(kubectl: Kubectl, program: str, url: str, tmp_path: Path) -> None:
    kubectl("apply", "-f", "-", stdin=WEB)
    watch = subprocess.Popen(
        [program, "-s", url, "get", "deploy", "-w", "-o", "name"], stdout=subprocess.PIPE, text=True,
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
    )  # fmt: skip
    try:
        assert watch.stdout is not None
        assert watch.stdout.readline() == "deployment.apps/web\n"
        kubectl("scale", "deploy", "web", "--replicas=1")
        assert watch.stdout.readline() == "deployment.apps/web\n"
    finally:
        watch.kill()
        watch.communicate()
    (tmp_path / "web.yaml").write_text(WEB)
    assert "deleted" in kubectl("delete", "-f", str(tmp_path / "web.yaml"))
    assert kubectl("get", "all", "-o", "name") == ""
