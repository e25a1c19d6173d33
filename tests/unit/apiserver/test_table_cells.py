"""The cells of each kind, as a cluster prints them."""

from typing import Any

import pytest

from mesh.api.scheme import KINDS
from mesh.apiserver.table_cells import CELLS, named_only

META = {"name": "x", "creationTimestamp": "2027-01-15T07:59:00Z"}
TEMPLATE = {"spec": {"containers": [{"name": "c1", "image": "i1"}, {"name": "c2", "image": "i2"}]}}
SELECTOR = {"matchLabels": {"app": "x"}}
PORTS = [{"port": 80, "protocol": "TCP"}, {"port": 81, "nodePort": 30001, "protocol": "UDP"}]

CASES = [
    pytest.param("Deployment", {"spec": {"replicas": 3, "selector": SELECTOR, "template": TEMPLATE},
                                "status": {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1}},
                 ["x", "2/3", 3, 1, "60s", "c1,c2", "i1,i2", "app=x"], id="deployment"),
    pytest.param("Deployment", {"spec": {"replicas": 0}}, ["x", "0/0", 0, 0, "60s", "", "", "<none>"],
                 id="new-deployment"),
    pytest.param("ReplicaSet", {"spec": {"replicas": 3, "selector": SELECTOR, "template": TEMPLATE},
                                "status": {"replicas": 2, "readyReplicas": 1}},
                 ["x", 3, 2, 1, "60s", "c1,c2", "i1,i2", "app=x"], id="replica-set"),
    pytest.param("StatefulSet", {"spec": {"replicas": 3, "template": TEMPLATE}, "status": {"readyReplicas": 2}},
                 ["x", "2/3", "60s", "c1,c2", "i1,i2"], id="stateful-set"),
    pytest.param("Service", {"spec": {"type": "ClusterIP", "clusterIP": "127.96.0.5", "ports": PORTS,
                                      "selector": {"b": "2", "a": "1"}}},
                 ["x", "ClusterIP", "127.96.0.5", "<none>", "80/TCP,81:30001/UDP", "60s", "a=1,b=2"], id="service"),
    pytest.param("Service", {"spec": {"type": "ClusterIP", "clusterIP": "None"}},
                 ["x", "ClusterIP", "None", "<none>", "<none>", "60s", "<none>"], id="headless"),
    pytest.param("Service", {"spec": {"type": "LoadBalancer", "clusterIP": "127.96.0.5"}},
                 ["x", "LoadBalancer", "127.96.0.5", "<pending>", "<none>", "60s", "<none>"], id="pending-balancer"),
    pytest.param("Service", {"spec": {"type": "LoadBalancer", "clusterIP": "1.2.3.4"},
                             "status": {"loadBalancer": {"ingress": [{"ip": "127.20.0.1"}, {"hostname": "lb"}]}}},
                 ["x", "LoadBalancer", "1.2.3.4", "127.20.0.1,lb", "<none>", "60s", "<none>"], id="balancer"),
    pytest.param("Service", {"spec": {"type": "ExternalName", "externalName": "db.example.com"}},
                 ["x", "ExternalName", "<none>", "db.example.com", "<none>", "60s", "<none>"], id="external-name"),
    pytest.param("Endpoints", {"subsets": [{"addresses": [{"ip": f"1.1.1.{n}"} for n in range(5)],
                                            "ports": [{"port": 80}]}]},
                 ["x", "1.1.1.0:80,1.1.1.1:80,1.1.1.2:80 + 2 more...", "60s"], id="endpoints"),
    pytest.param("Endpoints", {"subsets": [{"notReadyAddresses": [{"ip": "1.1.1.1"}], "ports": [{"port": 80}]}]},
                 ["x", "<none>", "60s"], id="endpoints-not-ready"),
    pytest.param("EndpointSlice", {"addressType": "IPv4", "ports": [{"port": 80}],
                                   "endpoints": [{"addresses": ["1.1.1.1"]}]},
                 ["x", "IPv4", "80", "1.1.1.1", "60s"], id="slice"),
    pytest.param("EndpointSlice", {"endpoints": []}, ["x", "IPv4", "<unset>", "<unset>", "60s"], id="empty-slice"),
    pytest.param("Ingress", {"spec": {"rules": [{"host": "a"}, {"host": "b"}]},
                             "status": {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}}},
                 ["x", "<none>", "a,b", "127.0.0.1", "80", "60s"], id="ingress"),
    pytest.param("Ingress", {"spec": {"ingressClassName": "m", "rules": [{}], "tls": [{}]}},
                 ["x", "m", "*", "", "80, 443", "60s"], id="ingress-for-all-hosts"),
    pytest.param("ControllerRevision", {"metadata": {**META, "ownerReferences": [
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "kv", "uid": "u", "controller": True}]}, "revision": 2},
                 ["x", "statefulset.apps/kv", 2, "60s"], id="controller-revision"),
    pytest.param("Namespace", {"status": {"phase": "Active"}}, ["x", "Active", "60s"], id="namespace"),
    pytest.param("Event", {"lastTimestamp": "2027-01-15T07:59:30Z", "firstTimestamp": "2027-01-15T07:50:00Z",
                           "type": "Normal", "reason": "Started", "message": "it runs ", "count": 3,
                           "involvedObject": {"kind": "Pod", "name": "p"}, "source": {"component": "kubelet"}},
                 ["30s", "Normal", "Started", "pod/p", "", "kubelet", "it runs", "10m", 3, "x"], id="event"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "obj", "cells"), CASES)
def test_cells(kind: str, obj: dict[str, Any], cells: list[Any]) -> None:
    columns, make = CELLS[kind]
    found = make({"metadata": META, **obj}, 1_800_000_000.0)
    assert found == cells
    assert len(columns) == len(cells)


@pytest.mark.parametrize(
    ("conditions", "unschedulable", "word"),
    [
        pytest.param([{"type": "Ready", "status": "True"}], False, "Ready", id="ready"),
        pytest.param([{"type": "Ready", "status": "Unknown"}], False, "NotReady", id="lost"),
        pytest.param([], False, "Unknown", id="never-heard"),
        pytest.param([{"type": "Ready", "status": "True"}], True, "Ready,SchedulingDisabled", id="cordoned"),
    ],
)
def test_node(conditions: list[Any], unschedulable: bool, word: str) -> None:
    columns, make = CELLS["Node"]
    node = {
        "metadata": {**META, "labels": {"node-role.kubernetes.io/worker": "", "kubernetes.io/role": "extra"}},
        "spec": {"unschedulable": unschedulable},
        "status": {
            "conditions": conditions,
            "nodeInfo": {"kubeletVersion": "v1.32.4"},
            "addresses": [{"type": "InternalIP", "address": "127.18.0.1"}],
        },
    }
    cells = make(node, 1_800_000_000.0)
    assert cells[:6] == ["x", word, "worker,extra", "60s", "v1.32.4", "127.18.0.1"]
    assert len(cells) == len(columns)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_an_almost_empty_object_of_each_kind_prints(kind: Any) -> None:
    columns, make = CELLS.get(kind.kind, named_only())
    assert len(make({"metadata": {"name": "x"}}, 0.0)) == len(columns)
