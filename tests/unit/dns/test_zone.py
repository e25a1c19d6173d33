from typing import Any

import pytest

from mesh.api.core import Namespace
from mesh.api.services import EndpointSlice, Service, ServiceStatus
from mesh.dns import zone
from mesh.dns.zone import View

BALANCER = [{"ip": f"127.20.{zone}.1", "hostname": "Web-default.elb.loopmesh.internal"} for zone in (0, 1)]


def cluster() -> View:
    services: dict[str, dict[str, Any]] = {
        "web": {"clusterIP": "127.96.0.5", "ports": [{"name": "http", "port": 80}, {"port": 81}]},
        "pending": {"ports": [{"name": "http", "port": 80}]},
        "kv": {"clusterIP": "None", "ports": [{"name": "http", "port": 80}]},
        "nobody": {"clusterIP": "None", "ports": [{"name": "http", "port": 80}]},
        "out": {"type": "ExternalName", "externalName": "Example.COM."},
        "inside": {"type": "ExternalName", "externalName": "web.default.svc.cluster.local"},
        "lost": {"type": "ExternalName", "externalName": "none.default.svc.cluster.local"},
        "round": {"type": "ExternalName", "externalName": "round.default.svc.cluster.local"},
        "ping": {"type": "ExternalName", "externalName": "pong.default.svc.cluster.local"},
        "pong": {"type": "ExternalName", "externalName": "ping.default.svc.cluster.local"},
        "number": {"type": "ExternalName", "externalName": "192.0.2.7"},
    }
    for i in range(9):
        target = f"hop-{i + 1}" if i < 8 else "web"
        services[f"hop-{i}"] = {"type": "ExternalName", "externalName": f"{target}.default.svc.cluster.local"}
    objects = [
        Service.model_validate({"metadata": {"name": name, "namespace": "default"}, "spec": spec})
        for name, spec in services.items()
    ]
    endpoints = [
        {"addresses": ["127.244.0.1"], "hostname": "kv-0"},
        {"addresses": ["127.244.4.1"], "hostname": "kv-1"},
        {"addresses": ["127.244.4.2"]},
        {"addresses": ["127.244.4.3"], "hostname": "kv-3", "conditions": {"ready": False}},
    ]
    labels = {"kubernetes.io/service-name": "kv"}
    slices = [
        EndpointSlice.model_validate(
            {
                "metadata": {"name": "kv-1", "namespace": "default", "labels": labels},
                "endpoints": endpoints,
                "ports": [{"name": "http", "port": 8080}],
            }
        )
    ]
    objects[0].status = ServiceStatus.model_validate({"loadBalancer": {"ingress": BALANCER}})
    empty = [Namespace.model_validate({"metadata": {"name": "empty"}})]
    return zone.view(objects, slices, empty, dns_address="127.96.0.10", serial=7)


VIEW = cluster()
D = "default.svc.cluster.local"


def ask(name: str, qtype: str = "A", **more: Any) -> zone.Answer:
    return zone.answer(VIEW, tuple(name.split(".")), qtype, **more)


@pytest.mark.parametrize(
    ("name", "qtype", "data"),
    [
        pytest.param(f"web.{D}", "A", ["127.96.0.5"], id="cluster-ip"),
        pytest.param(f"kv.{D}", "A", ["127.244.4.2", "127.244.0.1", "127.244.4.1"], id="headless-all-ready"),
        pytest.param(f"kv-1.kv.{D}", "A", ["127.244.4.1"], id="stable-name"),
        pytest.param(f"127-244-4-2.kv.{D}", "A", ["127.244.4.2"], id="name-from-address"),
        pytest.param(f"_http._tcp.web.{D}", "SRV", [f"0 100 80 web.{D}."], id="srv-of-a-service"),
        pytest.param(f"web.{D}", "SRV", [f"0 50 80 web.{D}.", f"0 50 81 web.{D}."], id="srv-of-every-port"),
        pytest.param(f"kv-1.kv.{D}", "SRV", [f"0 100 8080 kv-1.kv.{D}."], id="srv-of-a-pod"),
        pytest.param("10-244-0-7.default.pod.cluster.local", "A", ["10.244.0.7"], id="pod-by-its-address"),
        pytest.param("web-default.elb.loopmesh.internal", "A", ["127.20.0.1", "127.20.1.1"], id="load-balancer"),
        pytest.param(
            "elb.loopmesh.internal",
            "SOA",
            ["ns.dns.cluster.local. hostmaster.cluster.local. 7 7200 1800 86400 5"],
            id="load-balancers-soa",
        ),
        pytest.param(
            "127.in-addr.arpa",
            "SOA",
            ["ns.dns.cluster.local. hostmaster.cluster.local. 7 7200 1800 86400 5"],
            id="reverse-soa",
        ),
        pytest.param(f"out.{D}", "A", ["example.com."], id="external-name"),
        pytest.param(f"out.{D}", "CNAME", ["example.com."], id="external-name-asked-as-such"),
        pytest.param(f"inside.{D}", "A", [f"web.{D}.", "127.96.0.5"], id="external-name-inside-the-zone"),
        pytest.param("dns-version.cluster.local", "TXT", ['"1.1.0"'], id="version"),
        pytest.param("ns.dns.cluster.local", "A", ["127.96.0.10"], id="name-server"),
        pytest.param("cluster.local", "NS", ["ns.dns.cluster.local."], id="apex-ns"),
        pytest.param("5.0.96.127.in-addr.arpa", "PTR", [f"web.{D}."], id="ptr-of-a-service"),
        pytest.param("1.0.244.127.in-addr.arpa", "PTR", [f"kv-0.kv.{D}."], id="ptr-of-a-pod"),
    ],
)
def test_answers(name: str, qtype: str, data: list[str]) -> None:
    found = ask(name, qtype)
    assert (found.rcode, [record.data for record in found.records]) == ("NOERROR", data)
    assert found.authority == ()


def test_srv_of_a_headless_service_names_each_pod_and_brings_its_address() -> None:
    found = ask(f"_http._tcp.kv.{D}", "SRV")
    assert {record.data for record in found.records} == {
        f"0 33 8080 127-244-4-2.kv.{D}.",
        f"0 33 8080 kv-0.kv.{D}.",
        f"0 33 8080 kv-1.kv.{D}.",
    }
    assert ("kv-1", "127.244.4.1") in {(record.name[0], record.data) for record in found.additional}
    assert len(found.additional) == 3


@pytest.mark.parametrize(
    ("name", "qtype"),
    [
        pytest.param(f"web.{D}", "AAAA", id="service-without-that-type"),
        pytest.param(f"web.{D}", "ANY", id="any-is-told-nothing"),
        pytest.param("pod.cluster.local", "A", id="pod"),
        pytest.param("default.pod.cluster.local", "A", id="namespace-of-pods"),
        pytest.param("10-244-0-7.default.pod.cluster.local", "AAAA", id="pod-address-without-that-type"),
        pytest.param("web-default.elb.loopmesh.internal", "AAAA", id="load-balancer-without-that-type"),
        pytest.param("elb.loopmesh.internal", "A", id="load-balancers"),
        pytest.param(f"pending.{D}", "A", id="no-address-yet"),
        pytest.param(f"kv.{D}", "MX", id="headless-without-that-type"),
        pytest.param(f"kv-0.kv.{D}", "AAAA", id="pod-without-that-type"),
        pytest.param(f"_http._tcp.web.{D}", "A", id="port-name-asked-for-an-address"),
        pytest.param(f"_tcp.web.{D}", "SRV", id="between-port-and-service"),
        pytest.param(f"_tcp.kv.{D}", "SRV", id="between-port-and-headless-service"),
        pytest.param(D, "A", id="namespace"),
        pytest.param("empty.svc.cluster.local", "A", id="namespace-without-services"),
        pytest.param("svc.cluster.local", "A", id="svc"),
        pytest.param("dns.cluster.local", "A", id="above-the-name-server"),
        pytest.param("cluster.local", "A", id="apex"),
        pytest.param("5.0.96.127.in-addr.arpa", "A", id="reverse-name-asked-for-an-address"),
        pytest.param("96.127.in-addr.arpa", "PTR", id="part-of-a-reverse-name"),
    ],
)
def test_no_data(name: str, qtype: str) -> None:
    found = ask(name, qtype)
    assert (found.rcode, found.records) == ("NOERROR", ())
    assert [record.type for record in found.authority] == ["SOA"]


@pytest.mark.parametrize(
    ("name", "qtype"),
    [
        pytest.param(f"none.{D}", "A", id="unknown-service"),
        pytest.param("web.none.svc.cluster.local", "A", id="unknown-namespace"),
        pytest.param("none.svc.cluster.local", "A", id="unknown-namespace-itself"),
        pytest.param(f"nobody.{D}", "A", id="headless-with-nobody-ready"),
        pytest.param(f"_http._tcp.nobody.{D}", "SRV", id="srv-of-nobody"),
        pytest.param(f"kv-3.kv.{D}", "A", id="pod-not-ready"),
        pytest.param(f"kv-9.kv.{D}", "A", id="unknown-pod"),
        pytest.param(f"a.kv-0.kv.{D}", "A", id="below-a-pod"),
        pytest.param(f"_ftp._tcp.web.{D}", "SRV", id="unknown-port"),
        pytest.param(f"_http._udp.web.{D}", "SRV", id="other-protocol"),
        pytest.param(f"_udp.web.{D}", "SRV", id="protocol-of-no-port"),
        pytest.param("web.default.cluster.local", "A", id="svc-left-out"),
        pytest.param("www.cluster.local", "A", id="not-ours-to-make-up"),
        pytest.param("9.9.96.127.in-addr.arpa", "PTR", id="unknown-address"),
        pytest.param("9.9.9.96.127.in-addr.arpa", "PTR", id="longer-than-an-address"),
        pytest.param("10-244-0-7.none.pod.cluster.local", "A", id="pod-of-an-unknown-namespace"),
        pytest.param("10-244-0-700.default.pod.cluster.local", "A", id="pod-with-no-address"),
        pytest.param(f"number.{D}", "A", id="external-name-that-is-an-address"),
        pytest.param(f"a.out.{D}", "A", id="below-an-external-name"),
        pytest.param(f"_._tcp.web.{D}", "SRV", id="port-without-a-name"),
        pytest.param("none.elb.loopmesh.internal", "A", id="unknown-load-balancer"),
    ],
)
def test_no_such_name(name: str, qtype: str) -> None:
    found = ask(name, qtype)
    assert (found.rcode, found.records) == ("NXDOMAIN", ())
    assert [record.type for record in found.authority] == ["SOA"]


@pytest.mark.parametrize(
    "name",
    ["example.com", "local", "web", "web.default", "8.8.8.8.in-addr.arpa", "loopmesh.internal", "in-addr.arpa", ""],
)
def test_foreign_names_are_refused(name: str) -> None:
    assert ask(name).rcode == "REFUSED"


def test_an_external_name_into_the_void_tells_the_way_and_the_absence() -> None:
    found = ask(f"lost.{D}")
    assert (found.rcode, [record.type for record in found.records]) == ("NXDOMAIN", ["CNAME"])


def test_external_names_in_a_circle_end() -> None:
    found = ask(f"round.{D}")
    assert [record.data for record in found.records] == [f"round.{D}."]
    assert found.remark == zone.CIRCLE
    found = ask(f"ping.{D}")
    assert [record.data for record in found.records] == [f"pong.{D}.", f"ping.{D}."]
    assert (found.rcode, found.remark) == ("NOERROR", zone.CIRCLE)


def test_a_chain_is_followed_so_far() -> None:
    assert [record.data for record in ask(f"hop-0.{D}").records][-1] == f"hop-{zone.CHAIN_LIMIT}.{D}."
    assert ask(f"hop-0.{D}").remark == zone.TOO_LONG
    assert [record.data for record in ask(f"hop-2.{D}").records][-1] == "127.96.0.5"


def test_a_chain_out_of_the_zone_says_where_it_went() -> None:
    assert ask(f"out.{D}").outside == ("example", "com")


def test_an_answer_names_what_it_follows_from() -> None:
    found = ask(f"web.{D}")
    assert zone.holds(VIEW, found.basis)
    assert not zone.holds(cluster(), found.basis)  # the same again, but other objects
    assert ask(f"none.{D}").basis == (("services", ("default", "none"), None),)


def test_the_name_server_brings_its_address() -> None:
    assert [(record.name[0], record.data) for record in ask("cluster.local", "NS").additional] == [
        ("ns", "127.96.0.10")
    ]


def test_soa_carries_the_serial_and_the_negative_ttl() -> None:
    (record,) = ask("cluster.local", "SOA").records
    assert record.data.split()[2:] == ["7", "7200", "1800", "86400", str(zone.TTL_S)]
