from collections.abc import Callable
from typing import Any

from mesh.discovery.slim import slim_pod
from mesh.translate.views import pod_view

POD = """
kind: Pod
metadata:
  name: shop-6f-x
  uid: "1"
  resourceVersion: "7"
  labels: {app: shop, pod-template-hash: 6f}
  annotations: {note: long}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: shop-6f, uid: "2", controller: true}]
spec:
  nodeName: n
  containers: [{name: c, image: x, env: [{name: A, value: b}], ports: [{name: web, containerPort: 80}]}]
status: {phase: Running, podIP: 127.244.0.9}
"""


def test_a_slim_pod_translates_as_the_whole_one(parse: Callable[[str], list[Any]]) -> None:
    (pod,) = parse(POD)
    slim = slim_pod(pod)
    assert pod_view(slim) == pod_view(pod)
    assert pod_view(slim).workload == "shop"
    assert (slim.key, slim.metadata.uid, slim.metadata.resource_version) == (pod.key, "1", "7")
    assert slim.metadata.annotations is None
    assert slim.spec.containers[0].env is None
