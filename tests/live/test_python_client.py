"""The `kubernetes` package from PyPI drives the API: typed clients, watch, the dynamic client, files."""

import asyncio
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesh.apiserver.registry import Registry, index
from mesh.apiserver.server import ApiServer
from mesh.runtime.clock import SystemClock
from mesh.store import Store

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
kubernetes = pytest.importorskip("kubernetes")

FILE = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "httpd:2.4", ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {a: "1"}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec:
  rules:
  - host: web.local
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: shop}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  maxReplicas: 5
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
"""
RULE = {
    "apiVersion": "config.istio.io/v1alpha2",
    "kind": "RouteRule",
    "metadata": {"name": "split"},
    "spec": {"destination": {"name": "web"}, "route": [{"labels": {"version": "v1"}, "weight": 100}]},
}


@pytest.fixture
def api() -> Iterator[Any]:
    """A client of a fresh API server in a thread of its own."""
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
    configuration = kubernetes.client.Configuration(host=urls[0])
    client = kubernetes.client.ApiClient(configuration)
    yield client
    client.close()
    stop[0]()
    thread.join(10)


@pytest.fixture
def shop(api: Any, tmp_path: Path) -> Any:
    """The file, created by the package's own means."""
    path = tmp_path / "shop.yml"
    path.write_text(FILE)
    kubernetes.utils.create_from_yaml(api, str(path))
    return api


def test_each_kind_of_the_file_is_listed(shop: Any) -> None:
    client = kubernetes.client
    lists = {
        "deployment": client.AppsV1Api(shop).list_namespaced_deployment,
        "service": client.CoreV1Api(shop).list_namespaced_service,
        "config map": client.CoreV1Api(shop).list_namespaced_config_map,
        "ingress": client.NetworkingV1Api(shop).list_namespaced_ingress,
        "budget": client.PolicyV1Api(shop).list_namespaced_pod_disruption_budget,
        "autoscaler": client.AutoscalingV2Api(shop).list_namespaced_horizontal_pod_autoscaler,
    }
    counts = {name: len(find("shop").items) for name, find in lists.items()}
    assert counts == dict.fromkeys(lists, 1)
    names = [found.metadata.name for found in client.CoreV1Api(shop).list_namespace().items]
    assert sorted(names) == ["default", "shop"]


def test_patch_scale_replace_delete(shop: Any) -> None:
    apps = kubernetes.client.AppsV1Api(shop)
    patched = apps.patch_namespaced_deployment("web", "shop", {"metadata": {"labels": {"tier": "front"}}})
    assert patched.metadata.labels == {"app": "web", "tier": "front"}
    apps.patch_namespaced_deployment_scale("web", "shop", {"spec": {"replicas": 7}})
    assert apps.read_namespaced_deployment_scale("web", "shop").spec.replicas == 7
    found = apps.read_namespaced_deployment("web", "shop")
    found.spec.template.spec.containers[0].image = "httpd:2.5"
    replaced = apps.replace_namespaced_deployment("web", "shop", found)
    assert replaced.metadata.generation == found.metadata.generation + 1
    with pytest.raises(kubernetes.client.exceptions.ApiException) as refused:
        apps.replace_namespaced_deployment("web", "shop", found)
    assert (refused.value.status, refused.value.reason) == (409, "Conflict")
    apps.delete_namespaced_deployment("web", "shop", propagation_policy="Background")
    with pytest.raises(kubernetes.client.exceptions.ApiException) as gone:
        apps.read_namespaced_deployment("web", "shop")
    assert gone.value.status == 404


def test_watch(shop: Any) -> None:
    core, seen = kubernetes.client.CoreV1Api(shop), []
    watch = kubernetes.watch.Watch()
    for event in watch.stream(core.list_namespaced_config_map, "shop", timeout_seconds=10):
        seen.append((event["type"], event["object"].data))
        if len(seen) == 1:
            core.patch_namespaced_config_map("settings", "shop", {"data": {"a": "2"}})
        elif len(seen) == 2:
            core.delete_namespaced_config_map("settings", "shop")
        else:
            watch.stop()
    assert seen == [("ADDED", {"a": "1"}), ("MODIFIED", {"a": "2"}), ("DELETED", {"a": "2"})]


def test_rules_as_custom_objects(api: Any) -> None:
    custom = kubernetes.client.CustomObjectsApi(api)
    where = ("config.istio.io", "v1alpha2", "default", "routerules")
    custom.create_namespaced_custom_object(*where, RULE)
    assert [rule["metadata"]["name"] for rule in custom.list_namespaced_custom_object(*where)["items"]] == ["split"]
    patched = custom.patch_namespaced_custom_object(*where, "split", {"spec": {"precedence": 3}})
    assert patched["spec"]["precedence"] == 3
    custom.delete_namespaced_custom_object(*where, "split")
    assert custom.list_namespaced_custom_object(*where)["items"] == []


def test_the_dynamic_client(shop: Any, tmp_path: Path) -> None:
    dynamic = kubernetes.dynamic.DynamicClient(shop, cache_file=str(tmp_path / "discovery"))
    deployments = dynamic.resources.get(api_version="apps/v1", kind="Deployment")
    assert [found.metadata.name for found in deployments.get(namespace="shop").items] == ["web"]
    merge = "application/merge-patch+json"
    changed = deployments.patch(
        body={"spec": {"replicas": 4}}, name="web", namespace="shop", content_type=merge
    )  # fmt: skip
    assert changed.spec.replicas == 4
    rules = dynamic.resources.get(api_version="config.istio.io/v1alpha2", kind="RouteRule")
    assert rules.create(body=RULE, namespace="default").metadata.name == "split"
    applied = dynamic.server_side_apply(
        deployments, namespace="shop", name="web", field_manager="py", force_conflicts=True,
        body={"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 6}},
    )  # fmt: skip
    assert applied.spec.replicas == 6
    assert "py" in [entry.manager for entry in applied.metadata.managedFields]
    rules.delete(name="split", namespace="default")
    assert deployments.delete(name="web", namespace="shop").status == "Success"
