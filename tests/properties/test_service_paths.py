"""A trace promises exactly the endpoints that kube-proxy may choose, whatever the service, its endpoints and the nodes."""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.api.core import Node, Pod
from mesh.api.services import EndpointSlice, Service
from mesh.cli.trace_facts import Facts, parse
from mesh.cli.trace_plan import trace
from mesh.node.spread import Spreader
from mesh.node.ways import Binding, Way, node_of, ways

PREFIX = "service.beta.kubernetes.io/aws-load-balancer-"
ZONES = ["a", "b", "c"]
ENTRIES = [{"ip": f"127.20.{zone}.1"} for zone in range(3)]
TOLD = ",".join(f"{zone}=127.20.{index}.1" for index, zone in enumerate(ZONES))
CLIENTS = ["127.0.0.1", "127.18.0.1", "127.18.0.2", "127.244.0.77"]


@st.composite
def nodes(draw: st.DrawFn) -> list[Node]:
    found = []
    for index in range(draw(st.integers(0, 3))):
        labels = {"topology.kubernetes.io/zone": draw(st.sampled_from(ZONES))}
        if draw(st.integers(0, 5)) == 0:
            labels["node.kubernetes.io/exclude-from-external-load-balancers"] = ""
        ready = draw(st.sampled_from(["True", "True", "False", "Unknown"]))
        found.append(Node.model_validate({
            "metadata": {"name": f"node-{index + 1}", "labels": labels},
            "spec": {"podCIDR": f"127.244.{4 * index}.0/22"},
            "status": {"addresses": [{"type": "InternalIP", "address": f"127.18.0.{index + 1}"}],
                       "conditions": [{"type": "Ready", "status": ready}]},
        }))  # fmt: skip
    return found


@st.composite
def services(draw: st.DrawFn) -> Service:
    kind = draw(st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]))
    notes = {"loopmesh.io/zones": TOLD}
    if (lb := draw(st.sampled_from(["", "nlb", "nlb-ip"]))) != "":
        notes[f"{PREFIX}type"] = lb
    if draw(st.booleans()):
        notes[f"{PREFIX}attributes"] = "load_balancing.cross_zone.enabled=true"
    spec = {
        "type": kind,
        "clusterIP": "127.96.0.9",
        "externalName": "x.example",
        "selector": {"app": "web"},
        "ports": [{"port": 80, "nodePort": 30080 if kind in ("NodePort", "LoadBalancer") else None}],
        "externalTrafficPolicy": draw(st.sampled_from(["Cluster", "Local"])),
        "internalTrafficPolicy": draw(st.sampled_from(["Cluster", "Local"])),
        "trafficDistribution": draw(st.sampled_from([None, "PreferClose"])),
        "sessionAffinity": draw(st.sampled_from(["None", "ClientIP"])),
        "loadBalancerSourceRanges": draw(st.sampled_from([None, ["127.18.0.0/16"]])),
    }
    status = {"loadBalancer": {"ingress": ENTRIES if kind == "LoadBalancer" else None}}
    meta = {"name": "web", "namespace": "default", "annotations": notes}
    return Service.model_validate({"metadata": meta, "spec": spec, "status": status})


@st.composite
def endpoints(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = []
    for index in range(draw(st.integers(0, 5))):
        node = draw(st.integers(0, 2))
        going = draw(st.booleans())
        found.append({
            "addresses": [f"127.244.{4 * node}.{index + 1}"],
            "nodeName": f"node-{node + 1}",
            "conditions": {"ready": draw(st.booleans()) and not going, "serving": draw(st.booleans()), "terminating": going},
        })  # fmt: skip
    return found


def choices(binding: Binding, way: Way, client: str, facts: Facts) -> set[tuple[str, int]]:
    """What kube-proxy chooses for many connections of one client; with affinity, for many lives of it."""
    found = set()
    for seed in range(150):
        chosen = Spreader(random.Random(seed)).choose(binding, client, way, 0.0, at=node_of(client, facts.nodes))
        if chosen is not None:
            found.add(chosen.target)
    return found


@settings(max_examples=80, deadline=None)
@given(nodes(), services(), endpoints(), st.sampled_from(CLIENTS))
def test_a_trace_promises_what_is_chosen(
    known: list[Node], service: Service, listed: list[dict[str, Any]], client: str
) -> None:
    labels = {"kubernetes.io/service-name": "web"}
    piece = EndpointSlice.model_validate({
        "metadata": {"name": "web-1", "namespace": "default", "labels": labels},
        "endpoints": listed,
        "ports": [{"name": "", "port": 8080}],
    })  # fmt: skip
    pods: list[Pod] = []
    facts = Facts(services=[service], slices=[piece], node_objects=known, pods=pods)
    found = ways(service, [piece], facts.nodes)
    assert (service.spec.type == "ExternalName") == (not found)
    for binding, way in found.items():
        (path,) = trace(parse(f"{binding.address}:{binding.port}"), facts, client)
        assert {(end.address, end.port) for end in path.endpoints} == choices(binding, way, client, facts)
        assert path.reaches == bool(path.endpoints)
        assert bool(path.why) != bool(path.endpoints)
