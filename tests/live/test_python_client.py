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


POD_SPEC = {"containers": [{"name": "c", "image": "httpd:2.4"}]}
WORK = {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD_SPEC}}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
KINDS = [
    ("CoreV1Api", "namespaced_pod", {"spec": POD_SPEC}),
    ("CoreV1Api", "namespaced_service", {"spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}}),
    ("CoreV1Api", "namespaced_config_map", {"data": {"a": "b"}}),
    ("CoreV1Api", "namespaced_secret", {"stringData": {"a": "b"}}),
    ("CoreV1Api", "namespaced_service_account", {}),
    ("CoreV1Api", "namespaced_resource_quota", {"spec": {"hard": {"pods": "3"}}}),
    ("CoreV1Api", "namespaced_persistent_volume_claim", {"spec": CLAIM}),
    ("CoreV1Api", "namespaced_endpoints", {"subsets": [{"addresses": [{"ip": "1.2.3.4"}], "ports": [{"port": 80}]}]}),
    ("CoreV1Api", "persistent_volume", {"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                                                 "hostPath": {"path": "/d"}}}),
    ("CoreV1Api", "node", {"spec": {}}),
    ("AppsV1Api", "namespaced_deployment", {"spec": WORK}),
    ("AppsV1Api", "namespaced_replica_set", {"spec": WORK}),
    ("AppsV1Api", "namespaced_stateful_set", {"spec": {**WORK, "serviceName": "s"}}),
    ("AppsV1Api", "namespaced_daemon_set", {"spec": WORK}),
    ("AppsV1Api", "namespaced_controller_revision", {"revision": 1, "data": {"spec": {}}}),
    ("BatchV1Api", "namespaced_job", {"spec": {"template": {"spec": {**POD_SPEC, "restartPolicy": "Never"}}}}),
    ("StorageV1Api", "storage_class", {"provisioner": "example.com/disk"}),
    ("NetworkingV1Api", "namespaced_ingress",
     {"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}}),
    ("NetworkingV1Api", "ingress_class", {"spec": {"controller": "example.com/front"}}),
    ("PolicyV1Api", "namespaced_pod_disruption_budget", {"spec": {"minAvailable": 1}}),
    ("AutoscalingV2Api", "namespaced_horizontal_pod_autoscaler",
     {"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "x"}, "maxReplicas": 3}}),
    ("CoordinationV1Api", "namespaced_lease", {"spec": {"holderIdentity": "me"}}),
    ("DiscoveryV1Api", "namespaced_endpoint_slice",
     {"addressType": "IPv4", "endpoints": [{"addresses": ["1.2.3.4"]}]}),
]  # fmt: skip


@pytest.mark.parametrize(("group", "what", "fields"), [pytest.param(*row, id=row[1]) for row in KINDS])
def test_each_kind_is_created_read_watched_patched_listed_and_deleted(
    api: Any, group: str, what: str, fields: dict[str, Any]
) -> None:
    calls = getattr(kubernetes.client, group)(api)
    space = ("default",) if what.startswith("namespaced_") else ()

    def call(verb: str, *arguments: Any, **options: Any) -> Any:
        return getattr(calls, f"{verb}_{what}")(*arguments, **options)

    made = call("create", *space, {"metadata": {"name": "x", "labels": {"own": "yes"}}, **fields})
    assert made.metadata.uid
    assert call("read", "x", *space).metadata.resource_version == made.metadata.resource_version
    patched = call("patch", "x", *space, {"metadata": {"labels": {"tier": "one"}, "finalizers": None}})
    assert patched.metadata.labels["tier"] == "one"
    listed = getattr(calls, f"list_{what}")
    (item,) = listed(*space, label_selector="own=yes,tier=one").items
    assert item.metadata.name == "x"
    seen: list[str] = []
    watch, since = kubernetes.watch.Watch(), made.metadata.resource_version
    for event in watch.stream(listed, *space, resource_version=since, label_selector="own=yes", timeout_seconds=10):
        seen.append(event["type"])
        if len(seen) == 1:
            call("delete", "x", *space)
        else:
            watch.stop()
    assert seen[:2] == ["MODIFIED", "DELETED"]
    assert listed(*space, label_selector="own=yes").items == []


def test_a_destination_rule_as_a_custom_object(api: Any) -> None:
    custom = kubernetes.client.CustomObjectsApi(api)
    for version in ("v1", "v1beta1", "v1alpha3"):
        where = ("networking.istio.io", version, "default", "destinationrules")
        body = {
            "apiVersion": f"networking.istio.io/{version}", "kind": "DestinationRule", "metadata": {"name": "d"},
            "spec": {"host": "web", "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}}},
        }  # fmt: skip
        assert custom.create_namespaced_custom_object(*where, body)["apiVersion"] == f"networking.istio.io/{version}"
        custom.patch_namespaced_custom_object(*where, "d", {"spec": {"host": "other"}})
        (found,) = custom.list_namespaced_custom_object(*where)["items"]
        assert found["spec"]["host"] == "other"
        custom.delete_namespaced_custom_object(*where, "d")
    with pytest.raises(kubernetes.client.exceptions.ApiException) as refused:
        custom.create_namespaced_custom_object(*where, {**body, "spec": {"host": "web", "subsets": []}})
    assert refused.value.status == 422
