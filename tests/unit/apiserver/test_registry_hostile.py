"""Whatever a client sends, the answer is a refusal that it understands, and the store keeps only good objects."""

import random
from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesh.api import fields, scheme
from mesh.api.errors import ApiError
from mesh.api.scheme import Kind
from mesh.apiserver.patch import apply_patch
from mesh.apiserver.registry import Registry, index
from mesh.apiserver.table import table
from mesh.apiserver.watch import Scope
from mesh.client.base import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from mesh.runtime.clock import SystemClock
from mesh.store import Store

MUST = "requiredDuringSchedulingIgnoredDuringExecution"
CONTAINER = {
    "name": "c",
    "image": "i",
    "ports": [{"name": "http", "containerPort": 80}],
    "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    "readinessProbe": {"httpGet": {"port": "http", "path": "/"}},
    "resources": {"limits": {"cpu": "1"}},
    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
}
POD = {
    "containers": [CONTAINER],
    "volumes": [{"name": "v", "emptyDir": {}}],
    "tolerations": [{"key": "k", "operator": "Exists"}],
    "affinity": {
        "nodeAffinity": {MUST: {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]}},
        "podAntiAffinity": {MUST: [{"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {}}}]},
    },
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
}
TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": POD}
META = {
    "name": "x",
    "labels": {"app": "x"},
    "annotations": {"a": "b"},
    "finalizers": ["a/b"],
    "ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "n", "uid": "u"}],
}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "volumeMode": "Filesystem"}
SELECTOR = {"matchLabels": {"app": "x"}, "matchExpressions": [{"key": "app", "operator": "In", "values": ["x"]}]}
SPECS: dict[str, dict[str, Any]] = {
    "Pod": {"spec": POD},
    "Deployment": {
        "spec": {"selector": SELECTOR, "template": TEMPLATE, "strategy": {"rollingUpdate": {"maxSurge": 1}}}
    },
    "ReplicaSet": {"spec": {"selector": SELECTOR, "template": TEMPLATE}},
    "StatefulSet": {
        "spec": {
            "selector": SELECTOR,
            "template": TEMPLATE,
            "serviceName": "s",
            "ordinals": {"start": 1},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": CLAIM}],
        }
    },
    "DaemonSet": {
        "spec": {
            "selector": SELECTOR,
            "template": TEMPLATE,
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "50%"}},
        }
    },
    "Job": {
        "spec": {
            "completions": 3,
            "parallelism": 2,
            "completionMode": "Indexed",
            "template": {"metadata": {"labels": {"app": "x"}}, "spec": {**POD, "restartPolicy": "Never"}},
        }
    },
    "PersistentVolumeClaim": {"spec": CLAIM},
    "PersistentVolume": {
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "standard",
            "claimRef": {"namespace": "default", "name": "x"},
            "hostPath": {"path": "/data"},
            "nodeAffinity": {
                "required": {"nodeSelectorTerms": [{"matchFields": [{"key": "a", "operator": "Exists"}]}]}
            },
        }
    },
    "StorageClass": {"provisioner": "example.com/disk", "parameters": {"a": "b"}, "allowVolumeExpansion": True},
    "IngressClass": {"spec": {"controller": "example.com/ingress"}},
    "DestinationRule": {
        "spec": {
            "host": "my-app",
            "trafficPolicy": {
                "loadBalancer": {
                    "consistentHash": {"httpCookie": {"name": "user", "ttl": "0s"}, "maglev": {"tableSize": 65537}}
                }
            },
        }
    },
    "ControllerRevision": {"data": {"spec": {"template": TEMPLATE}}, "revision": 1},
    "Service": {"spec": {"selector": {"app": "x"}, "ports": [{"name": "h", "port": 80}]}},
    "Ingress": {
        "spec": {
            "rules": [
                {
                    "host": "a.b",
                    "http": {
                        "paths": [
                            {
                                "path": "/",
                                "pathType": "Prefix",
                                "backend": {"service": {"name": "s", "port": {"number": 80}}},
                            }
                        ]
                    },
                }
            ],
            "tls": [{"hosts": ["a.b"]}],
        }
    },
    "Endpoints": {"subsets": [{"addresses": [{"ip": "1.1.1.1"}], "ports": [{"port": 80}]}]},
    "EndpointSlice": {"endpoints": [{"addresses": ["1.1.1.1"]}], "ports": [{"port": 80}]},
    "Event": {"involvedObject": {"kind": "Pod", "name": "p"}, "source": {"component": "c"}, "count": 1},
    "Node": {"spec": {"taints": [{"key": "k"}]}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}},
    "Namespace": {"spec": {"finalizers": ["kubernetes"]}},
    "ConfigMap": {"data": {"a": "b"}, "binaryData": {"c": "YQ=="}},
    "Secret": {"data": {"a": "Yg=="}, "stringData": {"c": "d"}, "type": "Opaque"},
    "ServiceAccount": {"secrets": [{"name": "s"}]},
    "ResourceQuota": {"spec": {"hard": {"pods": "3"}}},
    "Lease": {"spec": {"holderIdentity": "me", "leaseDurationSeconds": 3}},
    "PodDisruptionBudget": {"spec": {"minAvailable": "50%", "selector": SELECTOR}},
    "HorizontalPodAutoscaler": {
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"},
            "maxReplicas": 3,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
                },
                {
                    "type": "Pods",
                    "pods": {
                        "metric": {"name": "requests_per_second"},
                        "target": {"type": "AverageValue", "averageValue": "10"},
                    },
                },
            ],
            "behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 15}]}},
        }
    },
    "CustomResourceDefinition": {
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"], "categories": ["all"]},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
                },
            ],
        }
    },
    "RouteRule": {
        "spec": {
            "destination": {"name": "s"},
            "match": {"request": {"headers": {"cookie": {"regex": "a"}}}},
            "route": [{"labels": {"v": "1"}, "weight": 100}],
        }
    },
}
# What is not called x, since its name follows from its spec.
NAMES = {"CustomResourceDefinition": "widgets.example.com"}
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 70000) | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "x", "X y", "80", "25%", "a/b/c", "ä", "\u0000"]),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.sampled_from(["name", "port", "x", ""]), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


def manifest(kind: Kind) -> dict[str, Any]:
    made = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": deepcopy(META), **deepcopy(SPECS[kind.kind])}
    made["metadata"]["name"] = NAMES.get(kind.kind, "x")
    return made


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += places(item, (*path, key))
    return found


@st.composite
def spoiled(draw: st.DrawFn, kind: Kind) -> dict[str, Any]:
    """A good manifest with one or two places replaced by junk."""
    obj = manifest(kind)
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(places(obj)))
        holder = obj
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = draw(JUNK)
    return obj


def fresh() -> Registry:
    clock = SystemClock()
    registry = Registry(Store(None, clock.wall(), index), clock, random.Random(1))
    registry.bootstrap([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}])
    return registry


def stored_are_good(registry: Registry, kind: Kind) -> None:
    """What was let in can be decoded, printed and selected."""
    records = registry.list(kind, Scope()).records
    for record in records:
        kind.model.model_validate_json(record.data)
    table(kind, (record.load() for record in records), "1", "Metadata", 0.0)


@pytest.mark.parametrize("kind", scheme.KINDS, ids=lambda kind: kind.kind)
def test_the_manifests_themselves_are_good(kind: Kind) -> None:
    registry = fresh()
    registry.create(kind, manifest(kind), "default" if kind.namespaced else "")
    stored_are_good(registry, kind)


@pytest.mark.parametrize("kind", scheme.KINDS, ids=lambda kind: kind.kind)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_spoiled_objects_are_refused_or_good(kind: Kind, data: st.DataObject) -> None:
    registry, namespace = fresh(), "default" if kind.namespaced else ""
    api_version = data.draw(st.sampled_from([kind.api_version, *(f"{g}/{v}" for g, v in kind.other_versions)]))
    obj = data.draw(spoiled(kind))
    if obj.get("apiVersion") == kind.api_version:
        obj["apiVersion"] = api_version
    body = orjson.loads(orjson.dumps(obj))
    try:
        fields.judge(kind, fields.findings(kind, body, api_version), api_version, "Warn")
        registry.create(kind, body, namespace, api_version)
    except ApiError as error:
        code = error.code
    else:
        code = 200
    assert code == 200 or 400 <= code < 500
    stored_are_good(registry, kind)


@pytest.mark.parametrize("kind", scheme.KINDS, ids=lambda kind: kind.kind)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_spoiled_changes_are_refused_or_good(kind: Kind, data: st.DataObject) -> None:
    registry, namespace = fresh(), "default" if kind.namespaced else ""
    good = registry.create(kind, manifest(kind), namespace)
    language = data.draw(st.sampled_from([MERGE_PATCH, STRATEGIC_PATCH, JSON_PATCH, "PUT", "status"]))
    try:
        if language == JSON_PATCH:
            path = "/" + "/".join(str(step) for step in data.draw(st.sampled_from(places(good.load()))))
            value = data.draw(JUNK)
            patch: Any = [
                {"op": data.draw(st.sampled_from(["add", "replace", "remove"])), "path": path, "value": value}
            ]
            registry.patch(kind, namespace, NAMES.get(kind.kind, "x"), apply_patch(kind, language, patch))
        elif language == "PUT":
            registry.update(kind, data.draw(spoiled(kind)), namespace, NAMES.get(kind.kind, "x"))
        elif language == "status":
            registry.update_status(
                kind, {**good.load(), "status": data.draw(JUNK)}, namespace, NAMES.get(kind.kind, "x")
            )
        else:
            registry.patch(
                kind, namespace, NAMES.get(kind.kind, "x"), apply_patch(kind, language, data.draw(spoiled(kind)))
            )
    except ApiError as error:
        code = error.code
    else:
        code = 200
    assert code == 200 or 400 <= code < 500
    stored_are_good(registry, kind)
