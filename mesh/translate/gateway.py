"""What does the gateway run?

One listener for people, with a virtual host for each host that an Ingress names. Every Ingress is served, whatever
its class says. Unknown hosts get 404, as do known hosts on paths that no Ingress lists.
"""

from envoy.config.route.v3 import route_components_pb2, route_pb2

from mesh.translate import ingress, outbound
from mesh.translate.clusters import cluster, load_assignment
from mesh.translate.destination import ROOT
from mesh.translate.listeners import Listener, http_listener
from mesh.translate.memo import Memo
from mesh.translate.outbound import RouteConfiguration
from mesh.translate.resources import Resources
from mesh.translate.snapshot import Snapshot
from mesh.translate.targets import Target, targets

ROUTES = "ingress"


def gateway(snapshot: Snapshot, address: str = "127.0.0.1", port: int = 8080, memo: Memo | None = None) -> Resources:
    """Everything for the gateway at one address."""
    memo = Memo() if memo is None else memo
    wanted = targets(snapshot, memo)
    extra = missing(snapshot)
    return Resources(
        listeners=(listener(address, port),),
        routes=(route_configuration(snapshot),),
        clusters=(*outbound.clusters(wanted, snapshot, memo, ROOT), *(cluster(target, None) for target in extra)),
        endpoints=(
            *outbound.load_assignments(wanted, snapshot, memo),
            *(load_assignment(target) for target in extra),
        ),
    )


def listener(address: str, port: int) -> Listener:
    return http_listener(
        f"gateway_{address}_{port}",
        address,
        port,
        routes=ROUTES,
        stat_prefix="ingress_http",
        server_name="istio-envoy",
        edge=True,
    )


def route_configuration(snapshot: Snapshot) -> RouteConfiguration:
    """The routes of all Ingresses. The port in a Host header plays no part."""
    hosts = [
        route_components_pb2.VirtualHost(
            name=f"ingress|{rules.host}",
            domains=[rules.host],
            routes=ingress.routes(snapshot, rules),
            include_request_attempt_count=True,
        )
        for rules in ingress.host_rules(snapshot)
    ]
    return route_pb2.RouteConfiguration(name=ROUTES, virtual_hosts=hosts, ignore_port_in_host_matching=True)


def missing(snapshot: Snapshot) -> tuple[Target, ...]:
    """Targets of backends that do not exist, beyond those that the mesh has anyway."""
    wanted = {
        rule.backing.missing
        for rules in ingress.host_rules(snapshot)
        for rule in rules.ordered()
        if rule.backing.missing is not None
    }
    return tuple(sorted(target for target in wanted if target))
