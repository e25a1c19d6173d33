from typing import Any

from envoy.config.route.v3 import route_components_pb2 as rc

from mesh.discovery.compiled import Compiled
from mesh.translate.clusters import cluster
from mesh.translate.targets import Target


def host(name: str) -> Any:
    route = rc.Route(match=rc.RouteMatch(prefix="/"), route=rc.RouteAction(cluster="a"))
    return rc.VirtualHost(name=name, domains=[name], routes=[route])


def test_equal_messages_share_one_result() -> None:
    compiled = Compiled()
    first = compiled.cluster(cluster(Target("a", 80), None))
    assert compiled.cluster(cluster(Target("a", 80), None)) is first
    assert compiled.cluster(cluster(Target("b", 80), None)) is not first


def test_a_table_stays_the_same_while_its_hosts_do() -> None:
    compiled = Compiled()
    table = compiled.table("t", [host("a"), host("b")])
    assert compiled.table("t", [host("a"), host("b")]) is table
    other = compiled.table("t", [host("a"), host("c")])
    assert other is not table
    assert other.virtual_hosts[0] is table.virtual_hosts[0]
    assert compiled.table("t", [host("a"), host("b")], ignore_port=True) is not table


def test_a_sweep_keeps_what_was_asked_for_since_the_last() -> None:
    compiled = Compiled()
    kept, dropped = host("kept"), host("dropped")
    table, gone = compiled.table("t", [kept]), compiled.table("t", [dropped])
    for _ in range(3):
        compiled.sweep()
        assert compiled.table("t", [kept]) is table
    assert compiled.table("t", [dropped]) is not gone
