"""What does a RouteAction come to?

The part of a Route that sends a request on: clusters and their weights, timeouts, retries, rewrites, hash policies,
upgrades. Fills the Route that compile_routes has begun.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

from mesh.routing.errors import Refused, join
from mesh.routing.hash_policy import compile_hash_policies
from mesh.routing.headers import Level, compile_level, plan_of
from mesh.routing.retry_policy import compile_retry
from mesh.routing.rewrite import compile_host_rewrite, compile_path_rewrite
from mesh.routing.route_table import Route
from mesh.routing.split import ClusterChoice, WeightedClusters

if TYPE_CHECKING:
    from mesh.routing.compile_routes import Inherited

NOT_FOUND_STATUS = {0: 503, 1: 404, 2: 500}
Levels = tuple[tuple[Level | None, ...], tuple[Level | None, ...]]


def seconds(duration: Any) -> float:
    """A protobuf Duration."""
    return float(duration.ToNanoseconds()) / 1e9


def compile_action(route: Route, message: Any, at: str, inherited: Inherited, levels: Levels) -> None:
    """Fill `route` from the RouteAction of `message`; `levels` are the route's request and response levels."""
    action = message.route
    _where_to(route, action, at, inherited, levels)
    route.subset = subset_of(action)
    route.cluster_not_found_status = NOT_FOUND_STATUS[action.cluster_not_found_response_code]
    if action.HasField("timeout"):
        route.timeout_s = seconds(action.timeout)
    if action.HasField("idle_timeout"):
        route.idle_timeout_s = seconds(action.idle_timeout)
    if action.max_stream_duration.HasField("max_stream_duration"):
        route.max_stream_duration_s = seconds(action.max_stream_duration.max_stream_duration)
    if action.HasField("retry_policy"):
        route.retry = compile_retry(action.retry_policy, join(at, "retry_policy"))
    if route.retry is not None:
        route.per_try_timeout_s = route.retry.per_try_timeout_s
    route.hash_policy = compile_hash_policies(action.hash_policy, at)
    route.rewrite = compile_path_rewrite(message.match, action, at)
    route.host_rewrite, route.host_rewriter = compile_host_rewrite(action, at)
    route.auto_host_rewrite = action.auto_host_rewrite.value
    route.append_x_forwarded_host = action.append_x_forwarded_host
    route.upgrades = {
        u.upgrade_type.lower().encode(): u.enabled.value if u.HasField("enabled") else True
        for u in action.upgrade_configs
    }


def _where_to(route: Route, action: Any, at: str, inherited: Inherited, levels: Levels) -> None:
    kind = action.WhichOneof("cluster_specifier")
    if kind == "cluster" and action.cluster:
        route.cluster = action.cluster.encode()
    elif kind == "cluster_header" and action.cluster_header:
        route.cluster_header = action.cluster_header.lower().encode()
    elif kind == "weighted_clusters":
        route.weighted = _weighted(action, join(at, kind), inherited, levels)
    else:
        raise Refused(join(at, "cluster"), "is empty; use cluster, cluster_header or weighted_clusters")


def _weighted(action: Any, at: str, inherited: Inherited, levels: Levels) -> WeightedClusters:
    weighted = action.weighted_clusters
    literal = None
    if action.WhichOneof("host_rewrite_specifier") == "host_rewrite_literal":
        literal = action.host_rewrite_literal.encode()
    choices = []
    for i, entry in enumerate(weighted.clusters):
        where = join(at, f"clusters[{i}]")
        if not entry.name:
            raise Refused(join(where, "name"), "is empty; name a cluster")
        request = compile_level(entry.request_headers_to_add, entry.request_headers_to_remove, where, "request")
        response = compile_level(entry.response_headers_to_add, entry.response_headers_to_remove, where, "response")
        choices.append(
            ClusterChoice(
                cluster=entry.name.encode(),
                request_mutation=plan_of((request, *inherited.ordered(levels[0]))),
                response_mutation=plan_of((response, *inherited.ordered(levels[1]))),
                host_rewrite=literal or entry.host_rewrite_literal.encode() or None,
                weight=entry.weight.value,
                subset=tuple(sorted({**dict(subset_of(action)), **dict(subset_of(entry))}.items())),
            )
        )
    if sum(choice.weight for choice in choices) == 0:
        raise Refused(join(at, "clusters"), "have no weight; at least one weight is greater than zero")
    return WeightedClusters(choices, weighted.header_name.lower().encode(), weighted.use_hash_policy.value)


def subset_of(message: Any) -> tuple[tuple[str, str], ...]:
    """The metadata_match under envoy.lb as sorted pairs; values as text."""
    if not message.HasField("metadata_match") or "envoy.lb" not in message.metadata_match.filter_metadata:
        return ()
    values = json_format.MessageToDict(message.metadata_match.filter_metadata["envoy.lb"])
    return tuple(sorted((key, str(value)) for key, value in values.items()))
