from typing import Any

from mesh.api.core import Namespace
from mesh.api.services import EndpointSlice, Service
from mesh.dns.view import Port, view


def service(name: str, **spec: Any) -> Service:
    return Service.model_validate({"metadata": {"name": name, "namespace": "default"}, "spec": spec})


def endpoint_slice(name: str, service_name: str, endpoints: list[dict[str, Any]], **more: Any) -> EndpointSlice:
    labels = {"kubernetes.io/service-name": service_name}
    return EndpointSlice.model_validate(
        {"metadata": {"name": name, "namespace": "default", "labels": labels}, "endpoints": endpoints, **more}
    )


def test_only_ready_endpoints_are_told() -> None:
    endpoints = [
        {"addresses": ["127.244.0.1"], "conditions": {"ready": True}},
        {"addresses": ["127.244.0.2"], "conditions": {"ready": False}},
        {"addresses": ["127.244.0.3"]},  # no condition: ready
    ]
    built = view([service("a", clusterIP="None")], [endpoint_slice("a-1", "a", endpoints)])
    names = [each.name for each in built.services["default", "a"].endpoints]
    assert names == ["127-244-0-1", "127-244-0-3"]


def test_a_service_may_publish_what_is_not_ready() -> None:
    endpoints = [{"addresses": ["127.244.0.2"], "hostname": "A-0", "conditions": {"ready": False}}]
    publishing = service("a", clusterIP="None", publishNotReadyAddresses=True)
    built = view([publishing], [endpoint_slice("a-1", "a", endpoints)])
    assert [each.name for each in built.services["default", "a"].endpoints] == ["a-0"]


def test_an_endpoint_in_two_slices_is_one_with_the_ports_of_both() -> None:
    one = [{"addresses": ["127.244.0.1"]}]
    slices = [
        endpoint_slice("a-1", "a", one, ports=[{"name": "http", "port": 80}]),
        endpoint_slice(
            "a-2", "a", one, ports=[{"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}]
        ),
    ]
    (endpoint,) = view([service("a", clusterIP="None")], slices).services["default", "a"].endpoints
    assert endpoint.ports == (Port("http", "tcp", 80), Port("dns", "udp", 53))


def test_slices_of_other_families_and_services_are_left_out() -> None:
    slices = [
        endpoint_slice("a-6", "a", [{"addresses": ["::1"]}], addressType="IPv6"),
        endpoint_slice("b-1", "b", [{"addresses": ["127.244.0.9"]}]),
    ]
    assert view([service("a", clusterIP="None")], slices).services["default", "a"].endpoints == ()


def test_pointers_lead_to_services_and_to_pods_of_headless_ones() -> None:
    built = view(
        [service("web", clusterIP="127.96.0.5"), service("kv", clusterIP="None"), service("kw", clusterIP="None")],
        [
            endpoint_slice(f"{name}-1", name, [{"addresses": ["127.244.0.1"], "hostname": "kv-0"}])
            for name in ("kv", "kw")
        ],
    )
    assert built.pointers == {
        "127.96.0.5": (("web", "default"),),
        "127.244.0.1": (("kv-0", "kv", "default"), ("kv-0", "kw", "default")),
    }


def test_namespaces_are_known_by_themselves_and_from_services() -> None:
    built = view([service("web")], [], [Namespace.model_validate({"metadata": {"name": "empty"}})])
    assert built.namespaces == {"default": True, "empty": True}
    assert built.services["default", "web"].address == ""
