"""What kubectl makes and asks besides workloads: configuration, budgets, autoscalers, users' own kinds."""

import orjson

from tests.live.test_kubectl_basic import WEB, Kubectl, kubectl, program, pytestmark, url

__all__ = ["kubectl", "program", "pytestmark", "url"]

DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd]}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
    additionalPrinterColumns:
    - {name: Parts, type: string, jsonPath: .spec.parts}
"""
WIDGET = """
apiVersion: example.com/v1
kind: Widget
metadata: {name: w}
spec: {parts: [a, b], size: 3}
"""


def test_create_what_has_a_command_of_its_own(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "conf", "--from-literal=A=1", "--from-literal=B=2")
    kubectl("create", "secret", "generic", "hidden", "--from-literal=pw=x y")
    kubectl("create", "sa", "robot")
    said = kubectl("create", "quota", "most", "--hard=pods=3,cpu=500m", errors=True)
    assert "ResourceQuota is stored, but nothing here acts on it" in said
    kubectl("create", "pdb", "keep", "--selector=app=web", "--min-available=50%")
    assert orjson.loads(kubectl("get", "cm", "conf", "-o", "json"))["data"] == {"A": "1", "B": "2"}
    assert orjson.loads(kubectl("get", "secret", "hidden", "-o", "json"))["data"] == {"pw": "eCB5"}
    assert orjson.loads(kubectl("get", "quota", "most", "-o", "json"))["spec"]["hard"] == {"cpu": "500m", "pods": "3"}
    assert kubectl("get", "pdb").splitlines()[1].split()[:4] == ["keep", "50%", "N/A", "0"]
    assert kubectl("get", "secret").splitlines()[1].split()[:3] == ["hidden", "Opaque", "1"]
    kubectl("create", "configmap", "conf", fails=True)


def test_autoscale(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=WEB)
    kubectl("autoscale", "deployment", "web", "--min=2", "--max=5", "--cpu-percent=70")
    row = kubectl("get", "hpa").splitlines()[1]
    assert "Deployment/web" in row
    assert "cpu: <unknown>/70%" in row
    old = orjson.loads(kubectl("get", "horizontalpodautoscalers.v1.autoscaling", "web", "-o", "json"))
    assert old["spec"]["targetCPUUtilizationPercentage"] == 70
    new = orjson.loads(kubectl("get", "horizontalpodautoscalers.v2.autoscaling", "web", "-o", "json"))
    assert new["spec"]["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 70}
    assert "web" in kubectl("describe", "hpa", "web")


def test_a_kind_of_ones_own(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=WIDGET, fails=True)
    kubectl("apply", "-f", "-", stdin=DEFINITION)
    kubectl("wait", "--for=condition=established", "crd/widgets.example.com", "--timeout=10s")
    assert "nothing here acts on it" in kubectl("apply", "-f", "-", stdin=WIDGET, errors=True)
    assert kubectl("apply", "-f", "-", stdin=WIDGET) == "widget.example.com/w unchanged\n"
    assert kubectl("get", "wd").splitlines()[1].split() == ["w", '["a","b"]']
    kubectl("delete", "crd", "widgets.example.com")
    kubectl("get", "widgets", fails=True)


def test_lists_in_pieces_replacing_and_asking_for_leave(kubectl: Kubectl) -> None:
    for name in ("a", "b", "c", "d", "e"):
        kubectl("create", "configmap", name)
    names = kubectl("get", "cm", "--chunk-size=2", "-o", "name").split()
    assert names == [f"configmap/{name}" for name in "abcde"]
    kubectl("apply", "-f", "-", stdin=WEB)
    assert "deployment.apps/web replaced" in kubectl("replace", "--force", "-f", "-", stdin=WEB)
    assert kubectl("auth", "can-i", "delete", "pods") == "yes\n"
