"""Old spellings read as home objects, and back."""

from copy import deepcopy
from typing import Any

import pytest

from mesh.api import conversion
from mesh.api.errors import BadRequest
from mesh.api.scheme import BY_NAME

INGRESS, DEPLOYMENT = BY_NAME["ingresses.networking.k8s.io"], BY_NAME["deployments.apps"]
BETA = {
    "apiVersion": "extensions/v1beta1",
    "kind": "Ingress",
    "metadata": {"name": "i"},
    "spec": {
        "backend": {"serviceName": "fallback", "servicePort": "http"},
        "rules": [
            {"host": "a.local", "http": {"paths": [{"path": "/x", "backend": {"serviceName": "s", "servicePort": 80}}]}}
        ],
    },
}
HOME = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "i"},
    "spec": {
        "defaultBackend": {"service": {"name": "fallback", "port": {"name": "http"}}},
        "rules": [
            {
                "host": "a.local",
                "http": {
                    "paths": [
                        {
                            "path": "/x",
                            "pathType": "ImplementationSpecific",
                            "backend": {"service": {"name": "s", "port": {"number": 80}}},
                        }
                    ]
                },
            }
        ],
    },
}


@pytest.mark.parametrize("version", ["extensions/v1beta1", "networking.k8s.io/v1beta1"])
def test_ingress_there_and_back(version: str) -> None:
    beta = {**deepcopy(BETA), "apiVersion": version}
    home = conversion.to_home(INGRESS, deepcopy(beta), version)
    assert home == HOME
    beta["spec"]["rules"][0]["http"]["paths"][0]["pathType"] = "ImplementationSpecific"
    assert conversion.converted(INGRESS, HOME, version) == beta
    assert conversion.to_home(INGRESS, deepcopy(HOME), INGRESS.api_version) == HOME


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        pytest.param(80, {"number": 80}, id="number"),
        pytest.param("http", {"name": "http"}, id="name"),
        pytest.param("8080", {"number": 8080}, id="number-in-quotes"),
        pytest.param(None, {}, id="missing"),
    ],
)
def test_service_port(port: Any, expected: dict[str, Any]) -> None:
    obj = {"apiVersion": "extensions/v1beta1", "spec": {"backend": {"serviceName": "s", "servicePort": port}}}
    home = conversion.to_home(INGRESS, obj, "extensions/v1beta1")
    assert home["spec"]["defaultBackend"] == {"service": {"name": "s", "port": expected}}


def test_the_class_annotation_becomes_the_class() -> None:
    obj = deepcopy(BETA)
    obj["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "mesh"}
    home = conversion.to_home(INGRESS, obj, "extensions/v1beta1")
    assert home["spec"]["ingressClassName"] == "mesh"
    assert home["metadata"]["annotations"] == {"kubernetes.io/ingress.class": "mesh"}


@pytest.mark.parametrize("version", ["extensions/v1beta1", "apps/v1beta1", "apps/v1beta2"])
def test_a_deployment_changes_only_its_version(version: str) -> None:
    obj = {"apiVersion": version, "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"replicas": 2}}
    home = conversion.to_home(DEPLOYMENT, deepcopy(obj), version)
    assert home == {**obj, "apiVersion": "apps/v1"}
    assert conversion.from_home(DEPLOYMENT, home, version) == obj


def test_rollback_to_is_dropped() -> None:
    obj = {"apiVersion": "extensions/v1beta1", "kind": "Deployment", "spec": {"rollbackTo": {"revision": 1}}}
    assert conversion.to_home(DEPLOYMENT, obj, "extensions/v1beta1")["spec"] == {}


@pytest.mark.parametrize(
    ("obj", "says"),
    [
        pytest.param({"kind": "Pod"}, 'the object provided is a "Pod"', id="other-kind"),
        pytest.param({"apiVersion": "apps/v9"}, "does not match the expected API version", id="other-version"),
    ],
)
def test_an_object_that_says_otherwise_is_refused(obj: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        conversion.to_home(DEPLOYMENT, obj, "apps/v1")


def test_a_body_without_its_type_takes_that_of_the_url() -> None:
    assert conversion.to_home(DEPLOYMENT, {}, "apps/v1") == {"apiVersion": "apps/v1", "kind": "Deployment"}


@pytest.mark.parametrize("spec", [None, "text", {"rules": "text"}, {"rules": [1, {"http": []}]}], ids=str)
def test_wrong_shapes_pass_through_to_be_judged(spec: Any) -> None:
    obj = {"apiVersion": "extensions/v1beta1", "kind": "Ingress", "metadata": {}, "spec": spec}
    assert conversion.to_home(INGRESS, obj, "extensions/v1beta1")["spec"] == spec


@pytest.mark.parametrize(
    ("version", "served"), [("apps/v1", True), ("extensions/v1beta1", True), ("v1", False), ("apps/v2", False)]
)
def test_serves(version: str, served: bool) -> None:
    assert conversion.serves(DEPLOYMENT, version) is served
