"""Strategic merge: the patches that kubectl really sends."""

from copy import deepcopy
from typing import Any

import pytest

from mesh.api.errors import BadRequest
from mesh.api.scheme import BY_NAME
from mesh.apiserver.merge_keys import shape_of
from mesh.apiserver.strategic import merge

DEPLOYMENT, SERVICE, POD, INGRESS = (
    shape_of(BY_NAME[name]) for name in ("deployments.apps", "services", "pods", "ingresses.networking.k8s.io")
)


def deployment(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": list(containers), **spec}}}}


def c(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, **more}


def order(*names: str) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


CASES = [
    pytest.param(
        deployment(c("httpd", image="httpd:2.4", resources={})),
        deployment(c("httpd", image="httpd:2.5"), **{"$setElementOrder/containers": order("httpd")}),
        deployment(c("httpd", image="httpd:2.5", resources={})),
        id="image",
    ),
    pytest.param(
        {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}},
        {"spec": {"strategy": {"$retainKeys": ["type"], "rollingUpdate": None, "type": "Recreate"}}},
        {"spec": {"strategy": {"type": "Recreate"}}},
        id="strategy-to-recreate",
    ),
    pytest.param(
        deployment(c("c1"), c("c2")),
        deployment({"$patch": "delete", "name": "c2"}, **{"$setElementOrder/containers": order("c1")}),
        deployment(c("c1")),
        id="drop-a-container",
    ),
    pytest.param(
        deployment(c("c1"), c("c2")),
        {"spec": {"template": {"spec": {"$setElementOrder/containers": order("c2", "c1")}}}},
        deployment(c("c2"), c("c1")),
        id="swap-containers",
    ),
    pytest.param(
        deployment(c("c1", env=[c("E1", value="1"), c("E2", value="2")])),
        deployment(c("c1", env=[{"$patch": "delete", "name": "E1"}], **{"$setElementOrder/env": order("E2")})),
        deployment(c("c1", env=[c("E2", value="2")])),
        id="drop-an-env",
    ),
    pytest.param(
        deployment(c("c1", env=[c("E1", value="1")])),
        deployment(c("c1", env=[c("E1", value=None, valueFrom={"fieldRef": {"fieldPath": "metadata.name"}})])),
        deployment(c("c1", env=[c("E1", valueFrom={"fieldRef": {"fieldPath": "metadata.name"}})])),
        id="env-value-to-value-from",
    ),
    pytest.param(
        deployment(c("c1", ports=[{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 81}])),
        deployment(
            c(
                "c1",
                ports=[{"containerPort": 8080}, {"$patch": "delete", "containerPort": 80}],
                **{"$setElementOrder/ports": [{"containerPort": 8080}, {"containerPort": 81}]},
            )
        ),
        deployment(c("c1", ports=[{"containerPort": 8080}, {"containerPort": 81}])),
        id="container-port",
    ),
    pytest.param(
        deployment(c("c1", args=["a", "b"])),
        deployment(c("c1", args=["x"])),
        deployment(c("c1", args=["x"])),
        id="args-are-replaced",
    ),
    pytest.param(
        deployment(c("c1", args=["a"])), deployment(c("c1", args=None)), deployment(c("c1")), id="args-removed"
    ),
    pytest.param(
        deployment(volumes=[{"name": "v1", "emptyDir": {}}]),
        deployment(
            volumes=[{"$retainKeys": ["hostPath", "name"], "emptyDir": None, "hostPath": {"path": "/x"}, "name": "v1"}]
        ),
        deployment(volumes=[{"name": "v1", "hostPath": {"path": "/x"}}]),
        id="volume-source",
    ),
    pytest.param(
        {"spec": {"selector": {"a": "1", "b": "2"}}},
        {"spec": {"selector": {"a": None, "c": "d"}}},
        {"spec": {"selector": {"b": "2", "c": "d"}}},
        id="selector-map",
    ),
    pytest.param({"spec": {"replicas": 3}}, {"spec": {"replicas": None}}, {"spec": {}}, id="replicas-removed"),
    pytest.param(
        {"metadata": {"finalizers": ["a/b", "c/d"]}},
        {"metadata": {"finalizers": ["e/f"], "$deleteFromPrimitiveList/finalizers": ["a/b"]}},
        {"metadata": {"finalizers": ["e/f", "c/d"]}},
        id="primitive-list",
    ),
    pytest.param(
        {"metadata": {"finalizers": ["a/b", "c/d"]}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/b"]}},
        {"metadata": {"finalizers": ["c/d"]}},
        id="primitive-list-only-removes",
    ),
    pytest.param(
        deployment(c("c1", resources={"limits": {"cpu": "1"}})),
        deployment(c("c1", resources={"$patch": "replace", "requests": {"cpu": "2"}})),
        deployment(c("c1", resources={"requests": {"cpu": "2"}})),
        id="replace-an-object",
    ),
    pytest.param(
        deployment(c("c1"), c("c2")),
        deployment({"$patch": "replace"}, c("c3", image="i")),
        deployment(c("c3", image="i")),
        id="replace-a-list",
    ),
    pytest.param(
        deployment(c("server-1"), c("mine-1"), c("server-2"), c("mine-2")),
        deployment(c("mine-2", image="i"), **{"$setElementOrder/containers": order("mine-2", "mine-1")}),
        deployment(c("server-1"), c("server-2"), c("mine-2", image="i"), c("mine-1")),
        id="what-only-the-server-has-keeps-its-place",
    ),
    pytest.param(
        deployment(c("c1")),
        deployment(c("c2", image="i", env=[{"name": "A", "value": None}])),
        deployment(c("c2", image="i", env=[{"name": "A"}]), c("c1")),
        id="a-new-element-loses-its-nulls-and-comes-first",
    ),
    pytest.param(
        deployment(c("s1"), c("a"), c("s2"), c("b"), c("s3")),
        deployment(c("b", image="i"), c("a", image="j"), c("new")),
        deployment(c("s1"), c("s2"), c("b", image="i"), c("a", image="j"), c("new"), c("s3")),
        id="the-patch-orders-what-it-names",
    ),
    pytest.param(
        deployment(c("s1"), c("a")),
        deployment(c("new"), **{"$setElementOrder/containers": order("a", "new")}),
        deployment(c("s1"), c("a"), c("new")),
        id="a-wanted-order-is-obeyed",
    ),
]


@pytest.mark.parametrize(("old", "patch", "new"), CASES)
def test_patches_as_kubectl_sends_them(old: dict[str, Any], patch: dict[str, Any], new: dict[str, Any]) -> None:
    kept, sent = deepcopy(old), deepcopy(patch)
    assert merge(old, patch, DEPLOYMENT) == new
    assert (old, patch) == (kept, sent), "neither side may be changed"


def test_service_ports_are_matched_by_port() -> None:
    old = {"spec": {"ports": [{"name": "h", "port": 80, "nodePort": 30001}, {"name": "x", "port": 81}]}}
    patch = {
        "spec": {
            "$setElementOrder/ports": [{"port": 8080}, {"port": 81}],
            "ports": [{"name": "h", "port": 8080, "targetPort": 80}, {"$patch": "delete", "port": 80}],
        }
    }
    assert merge(old, patch, SERVICE)["spec"]["ports"] == [
        {"name": "h", "port": 8080, "targetPort": 80},
        {"name": "x", "port": 81},
    ]


def test_conditions_are_matched_by_type() -> None:
    old = {"status": {"conditions": [{"type": "Ready", "status": "False"}, {"type": "Other", "status": "True"}]}}
    patch = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert merge(old, patch, POD)["status"]["conditions"] == [
        {"type": "Ready", "status": "True"},
        {"type": "Other", "status": "True"},
    ]


def test_ingress_rules_are_replaced_as_a_whole() -> None:
    old = {"spec": {"rules": [{"host": "a"}, {"host": "b"}]}}
    assert merge(old, {"spec": {"rules": [{"host": "c"}]}}, INGRESS) == {"spec": {"rules": [{"host": "c"}]}}


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param(deployment({"image": "x"}), id="element-without-its-key"),
        pytest.param({"spec": {"template": {"spec": {"containers": ["text"]}}}}, id="element-that-is-no-object"),
        pytest.param({"spec": {"$patch": "explode"}}, id="unknown-directive"),
        pytest.param({"spec": {"$retainKeys": "type"}}, id="retain-keys-that-are-no-list"),
    ],
)
def test_nonsense_is_refused(patch: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        merge(deployment(c("c1")), patch, DEPLOYMENT)
