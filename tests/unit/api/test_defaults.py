"""What is left out gets the value that a cluster would give it."""

from copy import deepcopy
from typing import Any

import pytest

from mesh.api import defaults
from mesh.api.scheme import BY_NAME

OFF = 2147483647


def applied(resource: str, spec: dict[str, Any], version: str = "") -> dict[str, Any]:
    kind = BY_NAME[resource]
    obj = {"kind": kind.kind, "metadata": {"name": "x"}, "spec": deepcopy(spec)}
    defaults.apply(kind, obj, version or kind.api_version)
    return obj


LABELS = {"app": "x"}
TEMPLATE = {"template": {"metadata": {"labels": LABELS}, "spec": {"containers": []}}}


@pytest.mark.parametrize(
    ("version", "step", "history", "deadline", "selector"),
    [
        pytest.param("apps/v1", "25%", 10, 600, None, id="apps-v1"),
        pytest.param("apps/v1beta2", "25%", 10, 600, None, id="apps-v1beta2"),
        pytest.param("apps/v1beta1", "25%", 2, 600, {"matchLabels": LABELS}, id="apps-v1beta1"),
        pytest.param("extensions/v1beta1", 1, OFF, OFF, {"matchLabels": LABELS}, id="extensions-v1beta1"),
    ],
)
def test_deployment(version: str, step: Any, history: int, deadline: int, selector: Any) -> None:
    spec = applied("deployments.apps", TEMPLATE, version)["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": step, "maxSurge": step}}
    assert (spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (history, deadline)
    assert spec.get("selector") == selector


def test_given_values_stay() -> None:
    given = {
        "replicas": 0, "strategy": {"type": "Recreate"}, "revisionHistoryLimit": 0, "progressDeadlineSeconds": 7,
        "selector": {"matchLabels": {"a": "b"}},
    }  # fmt: skip
    spec = applied("deployments.apps", given, "extensions/v1beta1")["spec"]
    assert {key: spec[key] for key in given} == given


def test_a_second_pass_changes_nothing() -> None:
    for resource in ("deployments.apps", "statefulsets.apps", "pods", "services"):
        once = applied(resource, {"containers": [{"name": "c", "image": "i", "livenessProbe": {}}], **TEMPLATE})
        twice = deepcopy(once)
        defaults.apply(BY_NAME[resource], twice, BY_NAME[resource].api_version)
        assert twice == once


@pytest.mark.parametrize(
    ("version", "strategy"),
    [
        pytest.param("apps/v1", {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}, id="apps-v1"),
        pytest.param("apps/v1beta1", {"type": "OnDelete"}, id="apps-v1beta1"),
    ],
)
def test_stateful_set(version: str, strategy: dict[str, Any]) -> None:
    spec = applied("statefulsets.apps", TEMPLATE, version)["spec"]
    assert spec["updateStrategy"] == strategy
    assert (spec["replicas"], spec["podManagementPolicy"], spec["revisionHistoryLimit"]) == (1, "OrderedReady", 10)
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {"ports": [{"port": 80}]},
            {
                "type": "ClusterIP",
                "sessionAffinity": "None",
                "ipFamilies": ["IPv4"],
                "ipFamilyPolicy": "SingleStack",
                "internalTrafficPolicy": "Cluster",
                "ports": [{"port": 80, "targetPort": 80, "protocol": "TCP"}],
            },
            id="cluster-ip",
        ),
        pytest.param({"type": "NodePort"}, {"externalTrafficPolicy": "Cluster"}, id="node-port"),
        pytest.param({"type": "LoadBalancer"}, {"allocateLoadBalancerNodePorts": True}, id="load-balancer"),
        pytest.param({"clusterIP": "None"}, {"clusterIPs": ["None"]}, id="headless"),
        pytest.param(
            {"sessionAffinity": "ClientIP"},
            {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}},
            id="affinity",
        ),
        pytest.param(
            {"ports": [{"port": 80, "targetPort": "http"}]},
            {"ports": [{"port": 80, "targetPort": "http", "protocol": "TCP"}]},
            id="target-port-stays",
        ),
    ],
)
def test_service(spec: dict[str, Any], expected: dict[str, Any]) -> None:
    found = applied("services", spec)["spec"]
    assert {key: found.get(key) for key in expected} == expected


def test_external_names_have_no_addresses() -> None:
    assert set(applied("services", {"type": "ExternalName"})["spec"]) == {"type", "sessionAffinity"}


def test_namespace() -> None:
    obj = applied("namespaces", {})
    assert obj["metadata"]["labels"] == {"kubernetes.io/metadata.name": "x"}
    assert obj["spec"] == {"finalizers": ["kubernetes"]}


ALLOCATED = {
    "type": "NodePort",
    "clusterIP": "127.96.0.9",
    "clusterIPs": ["127.96.0.9"],
    "externalTrafficPolicy": "Cluster",
    "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30001}],
}


@pytest.mark.parametrize(
    ("spec", "address", "node_port"),
    [
        pytest.param({"type": "NodePort", "ports": [{"port": 80}]}, "127.96.0.9", 30001, id="kept"),
        pytest.param({"type": "NodePort", "ports": [{"port": 81}]}, "127.96.0.9", None, id="another-port"),
        pytest.param(
            {"type": "ClusterIP", "ports": [{"port": 80, "nodePort": 30001}]}, "127.96.0.9", None, id="type-changed"
        ),
        pytest.param({"type": "ExternalName", "ports": [{"port": 80}]}, None, None, id="to-external-name"),
        pytest.param(
            {"type": "NodePort", "clusterIP": "127.96.0.1", "ports": [{"port": 80, "nodePort": 30002}]},
            "127.96.0.1",
            30002,
            id="what-is-written-is-judged-later",
        ),
    ],
)
def test_allocations_survive_an_update(spec: dict[str, Any], address: str | None, node_port: int | None) -> None:
    obj = {"spec": deepcopy(spec)}
    defaults.carry_over(BY_NAME["services"], obj, {"spec": ALLOCATED})
    assert obj["spec"].get("clusterIP") == address
    assert obj["spec"]["ports"][0].get("nodePort") == node_port


def test_a_stale_traffic_policy_goes_with_the_type() -> None:
    obj: dict[str, Any] = {"spec": {"type": "ClusterIP", "externalTrafficPolicy": "Cluster"}}
    defaults.carry_over(BY_NAME["services"], obj, {"spec": ALLOCATED})
    assert "externalTrafficPolicy" not in obj["spec"]


@pytest.mark.parametrize("resource", ["deployments.apps", "pods", "services", "statefulsets.apps", "endpoints"])
@pytest.mark.parametrize("spec", ["text", [], {"template": 5, "ports": 7, "strategy": "x", "containers": "y"}], ids=str)
def test_wrong_shapes_do_not_stop_it(resource: str, spec: Any) -> None:
    kind = BY_NAME[resource]
    obj = {"kind": kind.kind, "metadata": {"name": "x"}, "spec": spec, "subsets": spec}
    defaults.apply(kind, obj, kind.api_version)
    assert obj["metadata"] == {"name": "x"}


BALANCED = {
    "type": "LoadBalancer",
    "externalTrafficPolicy": "Local",
    "allocateLoadBalancerNodePorts": True,
    "healthCheckNodePort": 30009,
    "loadBalancerClass": "nlb",
    "ports": [{"port": 80, "nodePort": 30001}],
}


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        ("LoadBalancer", {"externalTrafficPolicy", "allocateLoadBalancerNodePorts", "healthCheckNodePort", "loadBalancerClass"}),
        ("NodePort", {"externalTrafficPolicy"}),
        ("ClusterIP", set()),
    ],
)  # fmt: skip
def test_what_belongs_to_a_load_balancer_goes_with_its_type(kind: str, left: set[str]) -> None:
    obj = {"spec": {**BALANCED, "type": kind}}
    defaults.carry_over(BY_NAME["services"], obj, {"spec": BALANCED})
    assert obj["spec"].keys() - {"type", "ports"} == left


def test_a_port_for_health_checks_is_kept() -> None:
    obj = {"spec": {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": [{"port": 80}]}}
    defaults.carry_over(BY_NAME["services"], obj, {"spec": BALANCED})
    assert obj["spec"]["healthCheckNodePort"] == 30009
