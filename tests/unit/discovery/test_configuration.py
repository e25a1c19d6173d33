from collections.abc import Callable
from typing import Any

import pytest

from mesh.discovery.configuration import Configuration
from mesh.routing.errors import Refused
from mesh.translate.ways_in import ways_in

Parse = Callable[[str], list[Any]]
ALL = b"outbound|80||a.default.svc.cluster.local"
SERVICE = "kind: Service\nmetadata: {name: a}\nspec: {selector: {app: a}, ports: [{port: 80}]}\n"
SLICE = """
kind: EndpointSlice
metadata: {name: a-x, labels: {kubernetes.io/service-name: a}}
ports: [{port: 8080}]
endpoints: [{addresses: [127.244.0.1], conditions: {ready: true}}]
"""
RULE = "kind: RouteRule\nmetadata: {name: r}\nspec: {destination: {name: a}, redirect: {uri: /one}}\n"
POD = "kind: Pod\nmetadata: {name: a-1, labels: {app: a}}\nspec: {containers: []}\nstatus: {podIP: 127.244.0.1}\n"


def filled(parse: Parse, *texts: str) -> Configuration:
    configuration = Configuration()
    for text in texts:
        for obj in parse(text):
            assert configuration.put(obj) is None
    configuration.refresh()
    configuration.sweep()
    return configuration


def test_a_refresh_without_a_change_changes_nothing(parse: Parse) -> None:
    configuration = filled(parse, SERVICE, SLICE)
    clusters = configuration.clusters
    assert not configuration.refresh()
    assert configuration.clusters is clusters


def test_endpoints_change_alone(parse: Parse) -> None:
    configuration = filled(parse, SERVICE, SLICE, POD)
    clusters, pod = configuration.clusters, configuration.pod(parse(POD)[0])
    (way,) = ways_in(configuration.snapshot, "127.0.0.1", 8080)
    table, gateway = configuration.outbound_table(configuration.caller(pod)), configuration.gateway_table(way)
    configuration.put(parse(SLICE.replace("ready: true", "ready: false"))[0])
    assert configuration.refresh()
    assert configuration.endpoints[ALL] == ()
    assert configuration.clusters is clusters
    assert configuration.outbound_table(configuration.caller(pod)) is table
    assert configuration.gateway_table(way) is gateway


def test_a_refused_object_leaves_its_good_version_in_force(parse: Parse) -> None:
    configuration = filled(parse, SERVICE, RULE)
    problem = configuration.put(parse(RULE.replace("{uri: /one}", "{}"))[0])
    assert problem is not None
    assert problem.causes[0].field == "spec.redirect"
    assert not configuration.refresh()
    (rule,) = configuration.snapshot.rules["a.default.svc.cluster.local"]
    assert rule.spec.redirect is not None
    assert rule.spec.redirect.uri == "/one"
    configuration.remove(parse(RULE)[0])
    configuration.refresh()
    assert configuration.snapshot.rules == {}


def test_a_refresh_that_can_not_be_executed_changes_nothing(parse: Parse, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = filled(parse, SERVICE, SLICE)
    before = (configuration.snapshot, configuration.clusters, configuration.endpoints)

    def refuse(message: Any) -> Any:
        raise Refused("name", "no")

    monkeypatch.setattr(configuration.compiled, "cluster", refuse)
    configuration.put(parse(SERVICE.replace("name: a}", "name: b}"))[0])
    with pytest.raises(Refused):
        configuration.refresh()
    assert (configuration.snapshot, configuration.clusters, configuration.endpoints) == before
    monkeypatch.undo()
    assert configuration.refresh()
    assert len(configuration.clusters) == 2


def test_a_pod_is_the_known_one_while_it_has_its_address(parse: Parse) -> None:
    configuration = filled(parse, POD)
    (mine,) = parse(POD.replace("app: a", "app: old"))
    assert configuration.pod(mine).app == "a"
    (other,) = parse(POD.replace("a-1", "b-1").replace("app: a", "app: b"))
    assert configuration.pod(other).app == "b"


def test_changes_do_not_pile_up(parse: Parse) -> None:
    configuration = filled(parse, SERVICE, SLICE, POD)
    pod = configuration.pod(parse(POD)[0])
    sizes = set()
    for number in range(6):
        configuration.put(parse(RULE.replace("/one", f"/{number}"))[0])
        configuration.refresh()
        configuration.outbound_table(configuration.caller(pod))
        configuration.sweep()
        sizes.add(len(configuration.compiled._hosts._by_data._old))
    assert sizes <= {2, 3}
