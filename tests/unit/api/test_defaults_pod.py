"""Pods and templates get their defaults."""

from typing import Any

import pytest

from mesh.api.defaults_pod import default_pod, default_template, image_pull_policy


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("httpd", "Always"),
        ("httpd:latest", "Always"),
        ("httpd:2.4", "IfNotPresent"),
        ("registry.local:5000/httpd", "Always"),
        ("registry.local:5000/httpd:2.4", "IfNotPresent"),
        ("httpd@sha256:abc", "IfNotPresent"),
        ("", "Always"),
    ],
)
def test_image_pull_policy(image: str, policy: str) -> None:
    assert image_pull_policy(image) == policy


def test_template() -> None:
    template: dict[str, Any] = {
        "metadata": {"creationTimestamp": None, "labels": {"a": "b"}},
        "spec": {
            "containers": [
                {
                    "name": "c",
                    "image": "i:1",
                    "ports": [{"containerPort": 80}],
                    "readinessProbe": {"httpGet": {"port": 80}, "periodSeconds": 3},
                    "env": [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                }
            ],
            "volumes": [{"name": "v"}],
        },
    }
    default_template(template)
    assert template["metadata"] == {"labels": {"a": "b"}}
    assert template["spec"] == {
        "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "terminationGracePeriodSeconds": 30,
        "schedulerName": "default-scheduler", "securityContext": {}, "volumes": [{"name": "v", "emptyDir": {}}],
        "containers": [{
            "name": "c", "image": "i:1", "imagePullPolicy": "IfNotPresent", "resources": {},
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            "ports": [{"containerPort": 80, "protocol": "TCP"}],
            "readinessProbe": {"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}, "periodSeconds": 3,
                               "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3},
            "env": [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v1"}}}],
        }],
    }  # fmt: skip


def test_pod_admission_adds_tolerations_once() -> None:
    spec: dict[str, Any] = {"containers": []}
    default_pod(spec)
    keys = [toleration["key"] for toleration in spec["tolerations"]]
    assert keys == ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]
    assert (spec["serviceAccountName"], spec["enableServiceLinks"], spec["priority"]) == ("default", True, 0)
    again = {**spec, "tolerations": [*spec["tolerations"]]}
    default_pod(again)
    assert again == spec


@pytest.mark.parametrize(
    ("toleration", "added"),
    [
        pytest.param({"operator": "Exists"}, 0, id="tolerates-everything"),
        pytest.param(
            {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "tolerationSeconds": 5}, 1, id="one"
        ),
        pytest.param({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}, 2, id="another-effect"),
    ],
)
def test_own_tolerations_count(toleration: dict[str, Any], added: int) -> None:
    spec: dict[str, Any] = {"tolerations": [toleration]}
    default_pod(spec)
    assert len(spec["tolerations"]) == 1 + added
