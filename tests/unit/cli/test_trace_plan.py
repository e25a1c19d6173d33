"""Does a trace name the hops that a connection takes, and the reason when it takes none?"""

from typing import Any

import pytest

from mesh.api.core import Node, Pod
from mesh.api.services import EndpointSlice, Ingress, Service
from mesh.api.traffic import RouteRule
from mesh.cli.errors import UserError
from mesh.cli.trace_facts import Facts, parse
from mesh.cli.trace_hops import Path
from mesh.cli.trace_plan import trace

LB = "service.beta.kubernetes.io/aws-load-balancer-"
ZONES = {"loopmesh.io/zones": "a=127.20.0.2,b=127.20.1.2,c=127.20.2.2"}
CROSS = {f"{LB}attributes": "load_balancing.cross_zone.enabled=true"}


def node(name: str, address: str, zone: str, cidr: str, ready: str = "True") -> Node:
    status = {"addresses": [{"type": "InternalIP", "address": address}],
              "conditions": [{"type": "Ready", "status": ready}]}  # fmt: skip
    meta = {"name": name, "labels": {"topology.kubernetes.io/zone": zone}}
    return Node.model_validate({"metadata": meta, "spec": {"podCIDR": cidr}, "status": status})


def pod(name: str, ip: str, on: str, *, ready: bool = True, app: str = "web", sidecar: str = "true") -> Pod:
    meta = {"name": name, "namespace": "default", "labels": {"app": app, "sidecar.istio.io/inject": sidecar}}
    container = {"name": "c", "ports": [{"name": "http", "containerPort": 8080}]}
    status = {"podIP": ip, "phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
    return Pod.model_validate({"metadata": meta, "spec": {"nodeName": on, "containers": [container]}, "status": status})


def service(name: str = "web", ip: str = "127.96.0.9", notes: dict[str, str] | None = None, ips: tuple[str, ...] = (),
            host: str | None = None, **spec: Any) -> Service:  # fmt: skip
    ports = [{"port": 80, "targetPort": "http", "nodePort": 30080 if spec.get("type") else None}]
    entries = [{"ip": one, "hostname": host} for one in ips]
    return Service.model_validate({
        "metadata": {"name": name, "namespace": "default", "annotations": notes or {}},
        "spec": {"clusterIP": ip, "selector": {"app": "web"}, "ports": ports, **spec},
        "status": {"loadBalancer": {"ingress": entries}},
    })  # fmt: skip


def slices(name: str, *pods: Pod) -> EndpointSlice:
    endpoints = [
        {"addresses": [p.status.pod_ip], "nodeName": p.spec.node_name, "hostname": p.name,
         "conditions": {"ready": p.ready}}
        for p in pods
    ]  # fmt: skip
    meta = {"name": f"{name}-1", "namespace": "default", "labels": {"kubernetes.io/service-name": name}}
    return EndpointSlice.model_validate(
        {"metadata": meta, "endpoints": endpoints, "ports": [{"name": "", "port": 8080}]}
    )


NODES = [node("node-1", "127.18.0.1", "a", "127.244.0.0/22"), node("node-2", "127.18.0.2", "b", "127.244.4.0/22")]
ONE, TWO = pod("web-1", "127.244.0.1", "node-1"), pod("web-2", "127.244.4.1", "node-2")


def facts(*services: Service, pods: tuple[Pod, ...] = (ONE, TWO), **more: Any) -> Facts:
    listed = [slices(s.name, *pods) for s in services if s.spec.selector == {"app": "web"}]
    return Facts(services=list(services), slices=more.pop("slices", listed), pods=list(pods),
                 node_objects=more.pop("nodes", NODES), **more)  # fmt: skip


def kinds(path: Path) -> list[str]:
    return [f"{hop.layer or '-'} {hop.what}" for hop in path.hops]


TO_APP = ["4 pod", "7 sidecar", "7 application"]
OUTSIDE = ["4 load balancer", "4 node port", "4 cluster IP", *TO_APP]


@pytest.mark.parametrize(
    ("target", "asked", "hops", "ends"),
    [
        pytest.param("127.96.0.9", service(), ["4 cluster IP", *TO_APP], {"default/web-1", "default/web-2"}, id="ClusterIP"),
        pytest.param("web", service(), ["- name", "4 cluster IP", *TO_APP], {"default/web-1", "default/web-2"}, id="a name"),
        pytest.param("http://web.default.svc.cluster.local/x", service(), ["- name", "4 cluster IP", *TO_APP],
                     {"default/web-1", "default/web-2"}, id="a URL"),
        pytest.param("127.18.0.1:30080", service(type="NodePort"), ["4 node port", "4 cluster IP", *TO_APP],
                     {"default/web-1", "default/web-2"}, id="NodePort"),
        pytest.param("127.18.0.2:30080", service(type="NodePort", externalTrafficPolicy="Local"),
                     ["4 node port", "4 cluster IP", *TO_APP], {"default/web-2"}, id="NodePort, Local"),
        pytest.param("127.20.0.2", service(type="LoadBalancer", ips=("127.20.0.2",)), OUTSIDE,
                     {"default/web-1", "default/web-2"}, id="LoadBalancer"),
        pytest.param("127.20.0.2", service(type="LoadBalancer", ips=("127.20.0.2",), ports=[{"port": 80}]),
                     ["4 load balancer", "4 node", "4 cluster IP", *TO_APP], {"default/web-1", "default/web-2"},
                     id="without node ports"),
        pytest.param("127.20.1.2", service(type="LoadBalancer", externalTrafficPolicy="Local", ips=("127.20.1.2",),
                                           notes={f"{LB}type": "nlb", **ZONES}), OUTSIDE, {"default/web-2"}, id="NLB, own zone"),
        pytest.param("127.20.2.2", service(type="LoadBalancer", ips=("127.20.2.2",),
                                           notes={f"{LB}type": "nlb", **ZONES, **CROSS}), OUTSIDE,
                     {"default/web-1", "default/web-2"}, id="NLB, across zones"),
        pytest.param("127.20.0.2", service(type="LoadBalancer", ips=("127.20.0.2",), notes={f"{LB}type": "nlb-ip", **ZONES}),
                     ["4 load balancer", *TO_APP], {"default/web-1"}, id="NLB to pods"),
        pytest.param("kv", service("kv", ip="None"), ["- name", *TO_APP], {"default/web-1"}, id="headless"),
        pytest.param("web-2.kv.default.svc.cluster.local:8080", service("kv", ip="None"), ["- name", *TO_APP],
                     {"default/web-2"}, id="one pod by name"),
        pytest.param("127.244.0.1:8080", service(), TO_APP, {"default/web-1"}, id="a pod"),
        pytest.param("127.244.0.1:15001", service(), ["4 pod", "7 sidecar"], {"default/web-1"}, id="a sidecar"),
        pytest.param("127.245.0.1:8080", service(), ["7 application"], {"default/web-1"}, id="behind a sidecar"),
    ],
)  # fmt: skip
def test_ways_that_lead_somewhere(target: str, asked: Service, hops: list[str], ends: set[str]) -> None:
    path = trace(parse(target), facts(asked))[0]
    assert (path.why, kinds(path)) == ("", hops)
    assert {end.pod for end in path.endpoints} == ends


def test_a_name_of_three_addresses_is_three_paths() -> None:
    ips = ("127.20.0.2", "127.20.1.2", "127.20.2.2")
    three = service(
        type="LoadBalancer", ips=ips, host="web-default.elb.loopmesh.internal", notes={f"{LB}type": "nlb", **ZONES}
    )
    paths = trace(parse("http://web-default.elb.loopmesh.internal"), facts(three))
    assert [path.address for path in paths] == [f"{ip}:80" for ip in ips]
    assert [path.reaches for path in paths] == [True, True, False]
    assert paths[2].why == "zone c has no node, and cross-zone load balancing is off"


@pytest.mark.parametrize(
    ("target", "known", "why"),
    [
        pytest.param("web", facts(service(selector={"app": "wbe"})), "selector app=wbe fits no pod in namespace default",
                     id="selector"),
        pytest.param("web", facts(service(), pods=(pod("web-1", "127.244.0.1", "node-1", ready=False),)),
                     "none of the 1 pods that app=web selects is ready: web-1", id="not ready"),
        pytest.param("web", facts(service(), slices=[]), "targetPort http is no port of the pods that app=web selects", id="port"),
        pytest.param("web", facts(service(selector=None)), "the service has no selector, and nobody wrote endpoints for it",
                     id="no selector"),
        pytest.param("web", facts(service(selector=None), slices=[slices("web", pod("x", "10.0.0.1", "node-1"))]),
                     "its endpoints, such as 10.0.0.1, are outside 127.0.0.0/8, which is all that the mesh reaches",
                     id="out of reach"),
        pytest.param("web:81", facts(service()), "no service has port 81 at 127.96.0.9; there is 80", id="port of a service"),
        pytest.param("127.18.0.1:31000", facts(service()), "no service has node port 31000: node-1 has none open", id="node port"),
        pytest.param("127.18.0.1:30080", facts(service(type="NodePort", externalTrafficPolicy="Local"), pods=(TWO,)),
                     "externalTrafficPolicy Local: node-1 has no endpoint of its own; they are on node-2", id="Local"),
        pytest.param("127.18.0.1:30080",
                     facts(service(type="NodePort"), nodes=[node("node-1", "127.18.0.1", "a", "", "Unknown")]),
                     "node-1 is lost", id="a lost node"),
        pytest.param("127.20.0.2", facts(service(type="LoadBalancer", ips=("127.20.0.2",), loadBalancerSourceRanges=["127.7.0.0/16"])),
                     "loadBalancerSourceRanges 127.7.0.0/16 do not admit 127.0.0.1", id="ranges"),
        pytest.param("127.20.2.2", facts(service(type="LoadBalancer", ips=("127.20.2.2",), notes={f"{LB}type": "nlb-ip", **ZONES})),
                     "no endpoint is in zone c, and cross-zone load balancing is off", id="pods of a zone"),
        pytest.param("127.20.0.2", facts(service(type="LoadBalancer", ips=("127.20.0.2",), externalTrafficPolicy="Local",
                                                 notes={f"{LB}type": "nlb", **ZONES}), pods=(TWO,)),
                     "externalTrafficPolicy Local: no node in question has an endpoint of its own; they are on node-2",
                     id="Local in a zone"),
        pytest.param("127.20.0.2", facts(service(type="LoadBalancer", ips=("127.20.0.2",)), nodes=[]),
                     "every node is lost or kept out of load balancers", id="no node"),
        pytest.param("web", facts(service(internalTrafficPolicy="Local")),
                     "internalTrafficPolicy Local: 127.0.0.1 is on no node; endpoints are on node-1, node-2", id="nobody's node"),
        pytest.param("web", facts(service(), refused={("127.96.0.9", 80): "cannot listen on it"}), "cannot listen on it", id="bind"),
        pytest.param("kv", facts(service("kv", ip="None"), pods=()), "headless, and no pod of it is ready: the name does not exist",
                     id="headless without pods"),
        pytest.param("db", facts(service("db", ip="", type="ExternalName", externalName="db.example.org")),
                     "db.example.org is outside the mesh", id="external name"),
        pytest.param("one", facts(service("one", ip="", type="ExternalName", externalName="two.default.svc.cluster.local"),
                                  service("two", ip="", type="ExternalName", externalName="one.default.svc.cluster.local")),
                     "the aliases (CNAME) go round in a circle", id="a circle"),
        pytest.param("new", facts(service("new", ip="")), "the service has no cluster IP yet", id="too early"),
        pytest.param("nosuch", facts(), "no service, pod, load balancer or Ingress has this name", id="no name"),
        pytest.param("127.9.9.9", facts(), "nothing in the mesh has this address", id="no address"),
        pytest.param("127.0.0.1:99", facts(), "nothing of the mesh listens at port 99; the gateway is at 8080", id="people"),
        pytest.param("127.244.0.1:99", facts(), "the pod declares no port 99; there is 8080", id="a pod's port"),
    ],
)  # fmt: skip
def test_ways_that_lead_nowhere(target: str, known: Facts, why: str) -> None:
    path = trace(parse(target), known)[-1]
    assert (path.why, path.reaches, path.endpoints) == (why, False, ())


def notes(path: Path, what: str) -> str:
    return "; ".join(next(hop for hop in path.hops if hop.what == what).notes)


def test_what_narrows_the_choice_is_said() -> None:
    sticky = service(type="NodePort", sessionAffinity="ClientIP", internalTrafficPolicy="Local")
    rule = RouteRule.model_validate({"metadata": {"name": "canary", "namespace": "default"},
                                     "spec": {"destination": {"name": "web"}}})  # fmt: skip
    known = facts(sticky, rules=[rule])
    (path,) = trace(parse("127.96.0.9"), known, source="127.244.0.7")
    assert {end.pod for end in path.endpoints} == {"default/web-1"}
    said = notes(path, "cluster IP")
    assert "a client keeps one of 1 endpoints for 10800 s (ClientIP)" in said
    assert "internalTrafficPolicy Local" in said
    assert "layer 4: RouteRule canary does not apply" in said
    (path,) = trace(parse("127.18.0.1:30080"), known)
    assert notes(path, "node port") == "externalTrafficPolicy Cluster: any endpoint; they see 127.18.0.1"
    assert path.fails_when == ("none of these 2 endpoints is ready any more", "node-1 is lost")


def test_a_pod_without_a_sidecar_has_none_in_its_path() -> None:
    bare = pod("web-1", "127.244.0.1", "node-1", sidecar="false")
    assert kinds(trace(parse("web"), facts(service(), pods=(bare,)))[0])[-2:] == ["4 pod", "7 application"]
    mixed = trace(parse("web"), facts(service(), pods=(bare, TWO)))[0]
    assert notes(mixed, "application") == "some behind a sidecar, some without"


def ingress(
    name: str = "front", cls: str | None = None, entries: tuple[dict[str, Any], ...] = (), **spec: Any
) -> Ingress:
    return Ingress.model_validate({
        "metadata": {"name": name, "namespace": "default", "annotations": ZONES if cls else {}},
        "spec": {"ingressClassName": cls, **spec},
        "status": {"loadBalancer": {"ingress": list(entries)}},
    })  # fmt: skip


def rule(host: str, path: str = "/", name: str = "web", port: int = 80) -> dict[str, Any]:
    backend = {"service": {"name": name, "port": {"number": port}}}
    return {"host": host, "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend}]}}


FRONT = ingress(
    rules=[rule("shop.test"), rule("*.wild.test"), rule("gone.test", name="gone"), rule("deep.test", "/deep")]
)
L7 = ["7 gateway", "7 ingress", "7 service", *TO_APP]


@pytest.mark.parametrize(
    ("target", "hops", "why"),
    [
        ("http://shop.test/cart", ["- name", *L7], ""),
        ("http://a.wild.test", ["- name", *L7], ""),
        ("http://deep.test/deep/er", ["- name", *L7], ""),
        ("http://deep.test/", ["- name", "7 gateway"], "404: no path of host deep.test takes /; there is /deep"),
        ("http://gone.test/", ["- name", "7 gateway", "7 ingress"],
         "503: spec.rules[2].http.paths[0].backend names service default/gone port 80, which does not exist"),
        ("127.0.0.1:8080", ["7 gateway"],
         "404: no Ingress takes host 127.0.0.1; there is *.wild.test, deep.test, gone.test, shop.test"),
        ("127.0.0.1", ["7 gateway"],
         "404: no Ingress takes host 127.0.0.1; there is *.wild.test, deep.test, gone.test, shop.test"),
    ],
)  # fmt: skip
def test_through_the_gateway(target: str, hops: list[str], why: str) -> None:
    (path,) = trace(parse(target), facts(service(), ingresses=[FRONT]))
    assert (kinds(path), path.why) == (hops, why)


def route_rule(name: str, precedence: int = 0, **spec: Any) -> RouteRule:
    meta = {"name": name, "namespace": "default"}
    spec = {"destination": {"name": "web"}, "precedence": precedence, **spec}
    return RouteRule.model_validate(
        {"apiVersion": "config.istio.io/v1alpha2", "kind": "RouteRule", "metadata": meta, "spec": spec}
    )


ONLY_1 = route_rule("one", route=[{"labels": {"app": "web", "n": "1"}}])
SOME_2 = route_rule(
    "some", 1, match={"request": {"headers": {"x": {"exact": "y"}}}}, route=[{"labels": {"n": "2"}, "weight": 100}]
)


@pytest.mark.parametrize(
    ("rules", "ends", "said"),
    [
        ([], {"web-1", "web-2"}, "no rule: every endpoint alike"),
        ([ONLY_1], {"web-1"}, "RouteRule one: 100 % app=web,n=1"),
        ([ONLY_1, SOME_2], {"web-1", "web-2"}, "RouteRule some: for some requests, 100 % n=2; RouteRule one: 100 % app=web,n=1"),
        ([SOME_2], {"web-1", "web-2"}, "RouteRule some: for some requests, 100 % n=2"),
        ([route_rule("r", redirect={"uri": "/x"})], {"web-1", "web-2"}, "RouteRule r: redirects"),
        ([route_rule("n", route=[{"labels": {"n": "9"}}])], set(), "RouteRule n: 100 % n=9"),
    ],
)  # fmt: skip
def test_rules_narrow_what_the_gateway_chooses_from(rules: list[RouteRule], ends: set[str], said: str) -> None:
    pods = tuple(p.model_copy(deep=True) for p in (ONE, TWO))
    for number, one in enumerate(pods, 1):
        one.metadata.labels = {**one.metadata.label_map, "n": str(number)}
    (path,) = trace(parse("http://shop.test/"), facts(service(), pods=pods, ingresses=[FRONT], rules=rules))
    assert {end.pod.partition("/")[2] for end in path.endpoints} == ends
    assert notes(path, "service") == said
    assert path.why == ("" if ends else "503: the rules choose none of the ready endpoints")


def test_an_ingress_of_class_nlb_is_met_at_its_own_addresses() -> None:
    told = [{"port": 80, "protocol": "TCP"}]
    entries = (
        {"ip": "127.20.0.2", "hostname": "h.test", "ports": told},
        {"ip": "127.20.2.2", "hostname": "h.test", "ports": [{**told[0], "error": "NoTargets"}]},
    )
    wide = ingress("wide", "nlb", entries, defaultBackend={"service": {"name": "web", "port": {"number": 80}}})
    known = facts(service(), ingresses=[wide])
    lit, dim = trace(parse("http://h.test"), known)
    assert kinds(lit) == ["- name", "4 load balancer", *L7]
    assert notes(lit, "load balancer") == "Ingress of class nlb; zone a"
    assert dim.why == "its zone has no node, and cross-zone load balancing is off"
    assert trace(parse("127.20.0.2:443"), known)[0].why == "no listener at port 443; there is 80"
    assert "404" in trace(parse("127.0.0.1:8080"), known)[0].why


@pytest.mark.parametrize(
    ("text", "host", "port", "path"),
    [
        ("127.0.0.1", "127.0.0.1", None, "/"),
        ("web:8080", "web", 8080, "/"),
        ("https://shop.test/a?b=c", "shop.test", 443, "/a"),
        ("http://shop.test:81", "shop.test", 81, "/"),
    ],
)
def test_what_people_write(text: str, host: str, port: int | None, path: str) -> None:
    asked = parse(text)
    assert (asked.host, asked.port, asked.path) == (host, port, path)


@pytest.mark.parametrize("text", ["", "http://", "web:port", "ftp://x", "web:99999", "[::1"])
def test_what_nobody_can_follow(text: str) -> None:
    with pytest.raises(UserError):
        parse(text)
