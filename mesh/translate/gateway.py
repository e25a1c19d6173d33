"""What does the gateway run?

A listener for each way in, with a virtual host for each host that its Ingresses name. Unknown hosts get 404, as do
known hosts on paths that no Ingress lists.
"""

from collections.abc import Iterable

from envoy.config.route.v3 import route_components_pb2, route_pb2

from mesh.translate import ingress, outbound
from mesh.translate.clusters import cluster, load_assignment
from mesh.translate.destination import ROOT
from mesh.translate.listeners import Listener, http_listener, with_certificates
from mesh.translate.memo import Memo
from mesh.translate.outbound import RouteConfiguration
from mesh.translate.resources import Resources
from mesh.translate.snapshot import Snapshot
from mesh.translate.targets import Target, targets
from mesh.translate.ways_in import WayIn, ways_in


def gateway(
    snapshot: Snapshot,
    address: str = "127.0.0.1",
    port: int = 8080,
    memo: Memo | None = None,
    https_port: int = 0,
) -> Resources:
    """Everything for the gateway at one address, and at the load balancers' own. https_port: 0: no TLS for people."""
    memo = Memo() if memo is None else memo
    wanted = targets(snapshot, memo)
    ways = ways_in(snapshot, address, port, https_port)
    extra = missing(snapshot, ways)
    return Resources(
        listeners=tuple(listener(way) for way in ways),
        routes=tuple(route_configuration(snapshot, way) for way in by_routes(ways)),
        clusters=(*outbound.clusters(wanted, snapshot, memo, ROOT), *(cluster(target, None) for target in extra)),
        endpoints=(
            *outbound.load_assignments(wanted, snapshot, memo),
            *(load_assignment(target) for target in extra),
        ),
    )


def by_routes(ways: Iterable[WayIn]) -> tuple[WayIn, ...]:
    """One way in for each route configuration."""
    return tuple({way.routes: way for way in reversed(tuple(ways))}.values())[::-1]


def listener(way: WayIn) -> Listener:
    made = http_listener(
        f"gateway_{way.address}_{way.port}",
        way.address,
        way.port,
        routes=way.routes,
        stat_prefix="ingress_http",
        server_name="istio-envoy",
        edge=True,
    )
    if way.certificates:
        with_certificates(made, [(each.names, each.secret.chain, each.secret.key) for each in way.certificates])
    return made


def route_configuration(snapshot: Snapshot, way: WayIn) -> RouteConfiguration:
    """The routes of one way in. The port in a Host header plays no part."""
    hosts = [
        route_components_pb2.VirtualHost(
            name=f"ingress|{rules.host}",
            domains=[rules.host],
            routes=ingress.routes(snapshot, rules, way),
            include_request_attempt_count=True,
        )
        for rules in ingress.host_rules(snapshot, way.ingresses)
    ]
    return route_pb2.RouteConfiguration(name=way.routes, virtual_hosts=hosts, ignore_port_in_host_matching=True)


def missing(snapshot: Snapshot, ways: Iterable[WayIn]) -> tuple[Target, ...]:
    """Targets of backends that do not exist, beyond those that the mesh has anyway."""
    wanted = {
        rule.backing.missing
        for way in by_routes(ways)
        for rules in ingress.host_rules(snapshot, way.ingresses)
        for rule in rules.ordered()
        if rule.backing.missing is not None
    }
    return tuple(sorted(target for target in wanted if target))
