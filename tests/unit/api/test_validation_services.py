"""What a Service may not say."""

from typing import Any

import pytest

from mesh.api.validation_services import service_causes, service_update_causes


def spec(**more: Any) -> dict[str, Any]:
    return {"type": "ClusterIP", "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}], **more}


def port(number: int, **more: Any) -> dict[str, Any]:
    return {"port": number, "protocol": "TCP", **more}


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        pytest.param(spec(), [], id="good"),
        pytest.param(spec(type="Wrong"), ["spec.type"], id="type"),
        pytest.param(spec(ports=[]), ["spec.ports"], id="no-ports"),
        pytest.param(spec(ports=[], clusterIP="None"), [], id="headless-needs-none"),
        pytest.param(spec(ports=[port(80), port(81, name="b")]), ["spec.ports[0].name"], id="several-need-names"),
        pytest.param(spec(ports=[port(80, name="a"), port(81, name="a")]), ["spec.ports[1].name"], id="name-twice"),
        pytest.param(spec(ports=[port(80, name="a"), port(80, name="b")]), ["spec.ports[1]"], id="port-twice"),
        pytest.param(
            spec(ports=[port(80, name="a"), port(80, name="b", protocol="UDP")]),
            ["spec.ports[1].protocol"],
            id="udp-beside-tcp",
        ),
        pytest.param(spec(ports=[port(0)]), ["spec.ports[0].port"], id="port-zero"),
        pytest.param(spec(ports=[port(80, name="Web")]), ["spec.ports[0].name"], id="port-name"),
        pytest.param(spec(ports=[port(80, targetPort=70000)]), ["spec.ports[0].targetPort"], id="target-port"),
        pytest.param(spec(ports=[port(80, targetPort="a b")]), ["spec.ports[0].targetPort"], id="target-port-name"),
        pytest.param(spec(ports=[port(80, protocol="HTTP")]), ["spec.ports[0].protocol"], id="protocol"),
        pytest.param(spec(ports=[port(80, nodePort=30080)]), ["spec.ports[0].nodePort"], id="node-port-without-type"),
        pytest.param(spec(type="NodePort", ports=[port(80, nodePort=30080)]), [], id="node-port"),
        pytest.param(
            spec(type="NodePort", ports=[port(80, nodePort=80)]), ["spec.ports[0].nodePort"], id="node-port-range"
        ),
        pytest.param(spec(selector={"a": "b c"}), ["spec.selector.a"], id="selector"),
        pytest.param(spec(clusterIP="1.2.3"), ["spec.clusterIP"], id="cluster-ip"),
        pytest.param(spec(clusterIP="None", type="NodePort"), ["spec.clusterIP"], id="headless-node-port"),
        pytest.param(spec(sessionAffinity="Cookie"), ["spec.sessionAffinity"], id="affinity"),
        pytest.param(
            spec(sessionAffinityConfig={"clientIP": {"timeoutSeconds": 0}}),
            ["spec.sessionAffinityConfig.clientIP.timeoutSeconds"],
            id="affinity-time",
        ),
        pytest.param(spec(externalIPs=["1.2.3.4", "x"]), ["spec.externalIPs[1]"], id="external-ips"),
        pytest.param({"type": "ExternalName"}, ["spec.externalName"], id="external-name-missing"),
        pytest.param({"type": "ExternalName", "externalName": "db.example.com."}, [], id="external-name"),
        pytest.param({"type": "ExternalName", "externalName": "a b"}, ["spec.externalName"], id="external-name-wrong"),
        pytest.param(
            {"type": "ExternalName", "externalName": "a", "clusterIP": "127.96.0.1"},
            ["spec.clusterIP"],
            id="external-name-with-ip",
        ),
        pytest.param("text", [], id="wrong-shape"),
    ],
)
def test_service(given: Any, fields: list[str]) -> None:
    assert [cause.field for cause in service_causes({"spec": given})] == fields


def test_only_the_dns_server_is_reached_over_udp() -> None:
    given = {"spec": spec(ports=[port(53, protocol="UDP")])}
    (cause,) = service_causes(given)
    assert str(cause) == 'spec.ports[0].protocol: Invalid value: "UDP": is not served here; only TCP is'
    assert service_causes({**given, "metadata": {"namespace": "kube-system", "name": "kube-dns"}}) == []


@pytest.mark.parametrize(
    ("before", "after", "allowed"),
    [
        pytest.param({}, {"clusterIP": "127.96.0.5"}, True, id="first-allocation"),
        pytest.param({"clusterIP": "127.96.0.5"}, {"clusterIP": "127.96.0.5"}, True, id="same"),
        pytest.param({"clusterIP": "127.96.0.5"}, {"clusterIP": "127.96.0.6"}, False, id="another"),
        pytest.param({"clusterIP": "127.96.0.5"}, {"clusterIP": "None"}, False, id="to-headless"),
        pytest.param({"clusterIP": "127.96.0.5"}, {"type": "ExternalName"}, True, id="to-external-name"),
    ],
)
def test_addresses_stay(before: dict[str, Any], after: dict[str, Any], allowed: bool) -> None:
    fields = [cause.field for cause in service_update_causes({"spec": after}, {"spec": before})]
    assert fields == ([] if allowed else ["spec.clusterIP"])
