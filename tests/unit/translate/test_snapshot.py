from collections.abc import Callable
from typing import Any

import pytest

from mesh.translate.snapshot import World

Parse = Callable[[str], list[Any]]
HOST = "a.default.svc.cluster.local"

SERVICE = "kind: Service\nmetadata: {name: a}\nspec: {selector: {app: a}, ports: [{port: 80}]}\n"
POD = "kind: Pod\nmetadata: {name: a-1, labels: {app: a}}\nspec: {containers: []}\nstatus: {podIP: 127.244.0.1}\n"
SLICE = """
kind: EndpointSlice
metadata: {name: a-x, labels: {kubernetes.io/service-name: a}}
ports: [{port: 8080}]
endpoints: [{addresses: [127.244.0.1], conditions: {ready: true}, targetRef: {kind: Pod, name: a-1}}]
"""
RULE = "kind: RouteRule\nmetadata: {name: r}\nspec: {destination: {name: a}}\n"


def filled(parse: Parse, *texts: str) -> World:
    world = World()
    for text in texts:
        for obj in parse(text):
            world.put(obj)
    return world


@pytest.mark.parametrize(
    "order",
    [
        pytest.param((SERVICE, POD, SLICE), id="service-pod-slice"),
        pytest.param((SLICE, SERVICE, POD), id="slice-service-pod"),
        pytest.param((POD, SLICE, SERVICE), id="pod-slice-service"),
    ],
)
def test_parts_may_arrive_in_any_order(parse: Parse, order: tuple[str, ...]) -> None:
    snapshot = filled(parse, *order).snapshot()
    (backend,) = snapshot.ready(HOST)
    assert (backend.address, backend.ports) == ("127.244.0.1", {"": 8080})
    assert backend.pod is snapshot.pods["127.244.0.1"]


def test_a_pod_that_changes_changes_its_service(parse: Parse) -> None:
    world = filled(parse, SERVICE, POD, SLICE)
    before = world.snapshot()
    assert world.put(parse(POD.replace("app: a", "app: a, version: v2"))[0])
    (backend,) = world.snapshot().ready(HOST)
    assert backend.pod is not None
    assert backend.pod.version == "v2"
    assert before.ready(HOST)[0].pod is not backend.pod
    assert world.snapshot().routes_like(before)


def test_what_nobody_reads_changes_nothing(parse: Parse) -> None:
    world = filled(parse, SERVICE, POD, SLICE, RULE)
    before = world.snapshot()
    assert not world.put(parse(POD.replace("{name: a-1,", "{name: a-1, annotations: {x: y},"))[0])
    assert not world.put(parse(RULE.replace("spec:", "status: {observedGeneration: 2}\nspec:"))[0])
    assert world.snapshot() is before


@pytest.mark.parametrize(
    ("text", "same"),
    [
        pytest.param(SLICE.replace("ready: true", "ready: false"), True, id="readiness"),
        pytest.param(SLICE.replace("[{addresses", "[{hostname: a-1, addresses"), True, id="a-pod-gets-a-name"),
        pytest.param(RULE, False, id="rule"),
        pytest.param("kind: Ingress\nmetadata: {name: i}\nspec: {}\n", False, id="ingress"),
        pytest.param(SERVICE.replace("name: a}", "name: b}"), False, id="service"),
    ],
)
def test_what_leaves_routes_as_they_are(parse: Parse, text: str, same: bool) -> None:
    world = filled(parse, SERVICE, POD, SLICE)
    before = world.snapshot()
    assert world.put(parse(text)[0])
    assert world.snapshot().routes_like(before) is same


@pytest.mark.parametrize("text", [SERVICE, POD, SLICE, RULE], ids=["service", "pod", "slice", "rule"])
def test_put_and_remove_is_as_if_it_never_was(parse: Parse, text: str) -> None:
    others = [other for other in (SERVICE, POD, SLICE, RULE) if other is not text]
    world, without = filled(parse, *others, text), filled(parse, *others)
    world.snapshot()
    (obj,) = parse(text)
    assert world.remove(obj)
    assert not world.remove(obj)
    one, two = world.snapshot(), without.snapshot()
    for part in ("services", "backends", "hostnames", "rules", "ingresses", "pods"):
        assert getattr(one, part) == getattr(two, part), part


def test_a_finished_pod_has_no_address_any_more(parse: Parse) -> None:
    world = filled(parse, POD)
    world.put(parse(POD.replace("{podIP", "{phase: Succeeded, podIP"))[0])
    assert world.snapshot().pods == {}


def test_an_address_belongs_to_the_pod_that_has_it_now(parse: Parse) -> None:
    world = filled(parse, POD, POD.replace("a-1", "a-2"))
    world.remove(parse(POD)[0])
    assert world.snapshot().pods["127.244.0.1"].name == "a-2"


@pytest.mark.parametrize(
    ("spec", "ready", "count"),
    [
        pytest.param("", "true", 1, id="ready"),
        pytest.param("", "false", 0, id="not-ready"),
        pytest.param("publishNotReadyAddresses: true, ", "false", 1, id="not-ready-but-published"),
    ],
)
def test_ready(parse: Parse, spec: str, ready: str, count: int) -> None:
    service = SERVICE.replace("{selector", f"{{{spec}selector")
    world = filled(parse, service, SLICE.replace("ready: true", f"ready: {ready}"))
    assert len(world.snapshot().ready(HOST)) == count


def test_addresses_of_several_slices_are_merged_and_sorted_by_number(parse: Parse) -> None:
    second = SLICE.replace("a-x", "a-y").replace("127.244.0.1", "127.244.0.9").replace("a-1", "a-2")
    third = SLICE.replace("a-x", "a-z").replace("127.244.0.1", "127.244.0.10").replace("a-1", "a-3")
    world = filled(parse, SERVICE, third, second, SLICE, SLICE.replace("a-x", "a-again"))
    assert [backend.address for backend in world.snapshot().ready(HOST)] == [
        "127.244.0.1",
        "127.244.0.9",
        "127.244.0.10",
    ]
