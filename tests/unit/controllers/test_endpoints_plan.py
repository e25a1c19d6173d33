"""Which slices say what the pods say, with the fewest writes?"""

from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.api.services import Endpoint, EndpointSlice, Service
from mesh.controllers.actions import Create, Delete, Patch
from mesh.controllers.endpoints_plan import (
    SLICE_SIZE,
    Fact,
    Port,
    endpoint_json,
    fact_of,
    group,
    listed,
    plan_endpoints,
    plan_slices,
    port_json,
    resolve_ports,
    subsets,
)


def service(**spec: Any) -> Service:
    metadata = {"name": "web", "namespace": "default", "uid": "svc"}
    ports = spec.pop("ports", [{"port": 80, "targetPort": "http"}])
    return Service.model_validate({"metadata": metadata, "spec": {"selector": {"app": "web"}, "ports": ports, **spec}})


def pod(number: int = 1, *, ready: bool = True, going: bool = False, port: int = 8080, **spec: Any) -> Pod:
    metadata = {"name": f"p{number:03}", "namespace": "default", "uid": f"u{number}"}
    if going:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    containers = [{"name": "c", "ports": [{"name": "http", "containerPort": port}]}]
    status = {
        "phase": "Running",
        "podIP": f"127.244.{number >> 8}.{number & 255}",
        "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
    }
    return Pod.model_validate({"metadata": metadata, "spec": {"containers": containers, **spec}, "status": status})


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        pytest.param([{"port": 80}], (Port("", 80, "TCP"),), id="no-target"),
        pytest.param([{"port": 80, "targetPort": 9}], (Port("", 9, "TCP"),), id="number"),
        pytest.param([{"port": 80, "targetPort": "9"}], (Port("", 9, "TCP"),), id="number-as-text"),
        pytest.param([{"port": 80, "targetPort": "http"}], (Port("", 8080, "TCP"),), id="name"),
        pytest.param([{"port": 80, "targetPort": "none"}], (), id="unknown-name"),
        pytest.param([{"port": 80, "targetPort": "http", "protocol": "UDP"}], (), id="other-protocol"),
        pytest.param(
            [{"name": "a", "port": 80, "targetPort": 1, "appProtocol": "h2c"}, {"name": "b", "port": 81}],
            (Port("a", 1, "TCP", "h2c"), Port("b", 81, "TCP")),
            id="several",
        ),
    ],
)
def test_targets(ports: list[dict[str, Any]], expected: tuple[Port, ...]) -> None:
    assert resolve_ports(service(ports=ports), pod()) == expected


@pytest.mark.parametrize(
    ("which", "published", "expected"),
    [
        pytest.param(pod(), False, (True, True, False), id="ready"),
        pytest.param(pod(ready=False), False, (False, False, False), id="not-ready"),
        pytest.param(pod(going=True), False, (False, True, True), id="terminating"),
        pytest.param(pod(ready=False, going=True), False, (False, False, True), id="gone-quiet"),
        pytest.param(pod(ready=False), True, (True, False, False), id="published-not-ready"),
    ],
)
def test_conditions(which: Pod, published: bool, expected: tuple[bool, bool, bool]) -> None:
    fact = fact_of(service(publishNotReadyAddresses=published), which)
    assert fact is not None
    assert (fact.ready, fact.serving, fact.terminating) == expected


def test_pods_without_an_address_or_with_an_end_are_not_listed() -> None:
    unborn, ended = pod(), pod()
    unborn.status.pod_ip = None
    ended.status.phase = "Succeeded"
    assert (fact_of(service(), unborn), fact_of(service(), ended)) == (None, None)


def test_hostnames_count_only_below_their_own_service() -> None:
    named = fact_of(service(), pod(hostname="p-0", subdomain="web"))
    other = fact_of(service(), pod(hostname="p-0", subdomain="db"))
    assert named is not None
    assert other is not None
    assert (named.hostname, other.hostname) == ("p-0", "")


def test_a_fact_survives_being_written_and_read() -> None:
    fact = fact_of(service(), pod(hostname="p-0", subdomain="web", nodeName="n"))
    assert fact is not None
    assert listed(Endpoint.model_validate(endpoint_json(fact))) == fact


def stored(number: int, facts: list[Fact], ports: tuple[Port, ...], **labels: str) -> EndpointSlice:
    metadata = {
        "name": f"web-{number}",
        "namespace": "default",
        "uid": f"slice-{number}",
        "labels": {
            "kubernetes.io/service-name": "web",
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            **labels,
        },
    }
    endpoints = [endpoint_json(fact) for fact in facts]
    return EndpointSlice.model_validate(
        {"metadata": metadata, "endpoints": endpoints, "ports": [port_json(port) for port in ports]}
    )


def facts(count: int, start: int = 1) -> tuple[tuple[Port, ...], list[Fact]]:
    groups = group(service(), [pod(n) for n in range(start, start + count)])
    ((ports, found),) = groups.items()
    return ports, found


def test_what_is_right_is_not_written() -> None:
    ports, found = facts(3)
    assert plan_slices(service(), {ports: found}, [stored(1, found, ports)]) == []


def test_a_change_rewrites_its_own_slice_only() -> None:
    ports, found = facts(120)
    slices = [stored(1, found[:100], ports), stored(2, found[100:], ports)]
    changed = [*found[:110], *found[111:]]
    (patch,) = plan_slices(service(), {ports: changed}, slices)
    assert isinstance(patch, Patch)
    assert patch.key == ("default", "web-2")
    assert len(patch.patch["endpoints"]) == 19


def test_new_endpoints_fill_the_gaps_first() -> None:
    ports, found = facts(101)
    (patch,) = plan_slices(service(), {ports: found[:100]}, [stored(1, found[:99], ports)])
    assert isinstance(patch, Patch)
    _, create = plan_slices(service(), {ports: found}, [stored(1, found[:99], ports)])
    assert isinstance(create, Create)
    assert len(create.obj.endpoints) == 1  # type: ignore[attr-defined]


def test_many_endpoints_make_many_slices_with_names_of_their_own() -> None:
    ports, found = facts(SLICE_SIZE * 2 + 1)
    actions = plan_slices(service(), {ports: found}, [])
    names = {a.obj.name for a in actions if isinstance(a, Create)}
    assert len(names) == 3
    again = {a.obj.name for a in plan_slices(service(), {ports: found}, []) if isinstance(a, Create)}
    assert names == again


def test_other_ports_make_another_slice_and_the_old_one_goes() -> None:
    ports, found = facts(2)
    other = (Port("", 9090, "TCP"),)
    actions = plan_slices(service(), {other: found}, [stored(1, found, ports)])
    assert [type(a) for a in actions] == [Create, Delete]


def test_one_empty_slice_is_kept_and_no_more() -> None:
    ports, found = facts(1)
    two = [stored(1, found, ports), stored(2, [], ports)]
    actions = plan_slices(service(), {ports: found}, two)
    assert [(type(a), a.key[1]) for a in actions if isinstance(a, Delete)] == [(Delete, "web-2")]
    (empty,) = plan_slices(service(), {}, [])
    assert isinstance(empty, Create)


def test_a_headless_service_is_labelled_so() -> None:
    ports, found = facts(1)
    (patch,) = plan_slices(service(clusterIP="None"), {ports: found}, [stored(1, found, ports)])
    assert isinstance(patch, Patch)
    assert patch.patch["metadata"]["labels"] == {"service.kubernetes.io/headless": ""}


def test_subsets_of_the_older_object() -> None:
    groups = group(service(), [pod(1), pod(2, ready=False), pod(3, going=True), pod(4, port=9)])
    first, second = subsets(groups)
    assert [a["ip"] for a in second["addresses"]] == ["127.244.0.1"]
    assert [a["ip"] for a in second["notReadyAddresses"]] == ["127.244.0.2"]
    assert first["ports"] == [{"port": 9, "protocol": "TCP"}]


def test_more_than_a_thousand_addresses_are_cut_and_marked() -> None:
    ports, found = facts(1001)
    (create,) = plan_endpoints(service(), {ports: found}, None)
    assert isinstance(create, Create)
    assert len(create.obj.subsets[0].addresses) == 1000  # type: ignore[attr-defined]
    assert create.obj.metadata.annotations == {"endpoints.kubernetes.io/over-capacity": "truncated"}
