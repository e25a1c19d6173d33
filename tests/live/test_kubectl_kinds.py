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


STATE = """
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: disk, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: example.com/disk
allowVolumeExpansion: true
---
apiVersion: storage.k8s.io/v1beta1
kind: StorageClass
metadata: {name: old}
provisioner: example.com/disk
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: by-hand}
spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], storageClassName: "", hostPath: {path: /data}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: front}
spec: {controller: example.com/front}
---
apiVersion: extensions/v1beta1
kind: DaemonSet
metadata: {name: agent}
spec:
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: c, image: nginx}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: count}
spec:
  completions: 3
  template:
    spec: {restartPolicy: Never, containers: [{name: c, image: busybox, command: [echo, hi]}]}
---
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata: {name: sticky}
spec: {host: web, trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x-user}}}}
"""


def test_volumes_jobs_daemons_and_classes(kubectl: Kubectl) -> None:
    made = kubectl("apply", "-f", "-", stdin=STATE).splitlines()
    assert all(line.endswith(" created") for line in made), made
    again = kubectl("apply", "-f", "-", stdin=STATE).splitlines()
    assert all(line.endswith(" unchanged") for line in again), again
    assert kubectl("get", "sc", "--no-headers").splitlines()[0].split()[:3] == ["disk", "(default)", "example.com/disk"]
    assert kubectl("get", "pvc", "--no-headers").split()[:3] == ["data", "Pending", "disk"]
    assert kubectl("get", "pv", "--no-headers").split()[:4] == ["by-hand", "1Gi", "RWO", "Retain"]
    assert kubectl("get", "ds,job,ingressclass,dr", "-o", "name").split() == [
        "daemonset.apps/agent", "job.batch/count", "ingressclass.networking.k8s.io/front",
        "destinationrule.networking.istio.io/sticky",
    ]  # fmt: skip
    assert kubectl("get", "job", "--no-headers").split()[:3] == ["count", "Running", "0/3"]
    assert "daemonset.apps/agent" in kubectl("get", "all", "-o", "name")
    for kind, name, words in (
        ("pvc", "data", "Finalizers:    [kubernetes.io/pvc-protection]"),
        ("pv", "by-hand", "Path:          /data"),
        ("sc", "disk", "AllowVolumeExpansion:  True"),
        ("ds", "agent", "app=agent"),
        ("job", "count", "Completions:"),
        ("ingressclass", "front", "example.com/front"),
        ("dr", "sticky", "x-user"),
    ):
        assert words in kubectl("describe", kind, name), kind
    kubectl("create", "job", "once", "--image=busybox", "--", "date")
    assert kubectl("get", "job", "once", "-o", "jsonpath={.spec.template.spec.containers[0].command}") == '["date"]'
    refused = kubectl("patch", "pvc", "data", "-p", '{"spec":{"accessModes":["ReadWriteMany"]}}', fails=True)
    assert "spec is immutable after creation" in refused
    refused = kubectl("patch", "job", "count", "--type=merge", "-p", '{"spec":{"completions":4}}', fails=True)
    assert "field is immutable" in refused
    assert "deleted" in kubectl("delete", "job,ds,dr,ingressclass,sc", "--all")
