"""Which Envoy routes is a RouteRule?

One route a rule and service port, in the order of precedence; the first route that takes everything ends the list,
and where none does a default route to the whole service follows. `match.source` is decided here, for the proxy that
will hold the routes; nothing of it is left in them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2 as rc
from envoy.type.matcher.v3 import regex_pb2, string_pb2
from google.protobuf import duration_pb2, wrappers_pb2

from mesh.api.traffic import RouteRuleSpec, StringMatch
from mesh.translate import rule_filters
from mesh.translate.destination import ROOT, DestinationView, hash_policies
from mesh.translate.snapshot import Snapshot
from mesh.translate.targets import Target, mirror_target, rule_targets
from mesh.translate.views import PodView, PortView, RuleView, ServiceView

DEFAULT_ROUTE = "default-route"
Route = Any
RouteMatch = Any
HeaderMatcher = Any

_PSEUDO = {"scheme": ":scheme", "method": ":method", "authority": ":authority"}


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose proxy asks: what `match.source` looks at. hosts: the services that the pod belongs to."""

    namespace: str
    hosts: frozenset[str]
    labels: Mapping[str, str]


def caller_of(snapshot: Snapshot, pod: PodView) -> Caller:
    return Caller(pod.namespace, frozenset(service.host for service in snapshot.instances(pod)), pod.labels)


def applies(rule: RuleView, caller: Caller | None) -> bool:
    """Whether a rule is for this caller. None is the gateway, which belongs to no service."""
    if not rule.source_host:
        return True
    if caller is None or rule.source_host not in caller.hosts:
        return False
    source = rule.spec.match.source if rule.spec.match else None
    return ((source.labels if source else None) or {}).items() <= caller.labels.items()


def service_routes(
    snapshot: Snapshot, service: ServiceView, port: PortView, caller: Caller | None, *, rules: Iterable[RuleView]
) -> list[Route]:
    """The routes of one service port for one caller, in order; the last one takes whatever is left."""
    routes = []
    for rule in rules:
        if not applies(rule, caller):
            continue
        routes.append(rule_route(snapshot, rule, port, namespace_of(caller)))
        if is_catch_all(routes[-1]):
            return routes
    spread = snapshot.balancing(service.host, namespace_of(caller))
    routes.append(default_route(Target(service.host, port.number), spread=(spread,)))
    return routes


def namespace_of(caller: Caller | None) -> str:
    return ROOT if caller is None else caller.namespace


def default_route(target: Target, name: str = DEFAULT_ROUTE, spread: Iterable[DestinationView | None] = ()) -> Route:
    """The route that takes everything. spread: what says how requests are spread there."""
    return rc.Route(
        name=name,
        match=rc.RouteMatch(prefix="/"),
        route=rc.RouteAction(cluster=target.name, timeout=duration_pb2.Duration(), hash_policy=hash_policies(spread)),
    )


def is_catch_all(route: Route) -> bool:
    match = route.match
    return match.prefix == "/" and not match.headers and not match.query_parameters


def rule_route(snapshot: Snapshot, rule: RuleView, port: PortView, namespace: str = ROOT) -> Route:
    """The one route of a rule on one port of its service, for callers of a namespace."""
    spec = rule.spec
    route = rc.Route(name=rule.route_name, match=route_match(spec))
    if spec.redirect is not None:
        route.redirect.CopyFrom(_redirect(spec))
    else:
        route.route.CopyFrom(_action(snapshot, rule, port, namespace))
    rule_filters.speak(route, spec)
    # `%` starts a command in Envoy; a rule's value is meant literally.
    route.request_headers_to_add.extend(
        base_pb2.HeaderValueOption(
            header=base_pb2.HeaderValue(key=name, value=value.replace("%", "%%")),
            append_action=base_pb2.HeaderValueOption.APPEND_IF_EXISTS_OR_ADD,
        )
        for name, value in sorted((spec.append_headers or {}).items())
    )
    return route


def route_match(spec: RouteRuleSpec) -> RouteMatch:
    """The conditions of a rule; without any, prefix `/`."""
    headers = (spec.match.request.headers if spec.match and spec.match.request else None) or {}
    match = rc.RouteMatch()
    uri = headers.get("uri")
    if uri is None:
        match.prefix = "/"
    elif uri.exact is not None:
        match.path = uri.exact
    elif uri.prefix is not None:
        match.prefix = uri.prefix
    else:
        match.safe_regex.CopyFrom(regex(uri.regex or ""))
    match.headers.extend(_header(name, matcher) for name, matcher in sorted(headers.items()) if name != "uri")
    return match


def regex(pattern: str) -> Any:
    return regex_pb2.RegexMatcher(regex=pattern)


def _header(name: str, matcher: StringMatch) -> HeaderMatcher:
    name = _PSEUDO.get(name, name)
    if matcher.regex:
        return rc.HeaderMatcher(name=name, string_match=string_pb2.StringMatcher(safe_regex=regex(matcher.regex)))
    if matcher.regex is not None:
        return rc.HeaderMatcher(name=name, string_match=string_pb2.StringMatcher(exact=""))
    if matcher.exact:
        return rc.HeaderMatcher(name=name, string_match=string_pb2.StringMatcher(exact=matcher.exact))
    if matcher.prefix:
        return rc.HeaderMatcher(name=name, string_match=string_pb2.StringMatcher(prefix=matcher.prefix))
    # An empty exact or prefix asks only that the header is there.
    return rc.HeaderMatcher(name=name, present_match=True)


def _redirect(spec: RouteRuleSpec) -> Any:
    redirect = rc.RedirectAction()
    uri, authority = (spec.redirect.uri, spec.redirect.authority) if spec.redirect else (None, None)
    if uri:
        redirect.path_redirect = uri if uri.startswith("/") else f"/{uri}"
        # The rule's uri replaces path and query; Envoy alone would keep the query.
        redirect.strip_query = True
    if authority:
        redirect.host_redirect = authority
    return redirect


def _action(snapshot: Snapshot, rule: RuleView, port: PortView, namespace: str) -> Any:
    spec = rule.spec
    action = rc.RouteAction(timeout=_timeout(spec))
    entries = rule_targets(snapshot, rule, port)
    if len(entries) > 1:
        entries = [(weight, target) for weight, target in entries if weight] or entries[:1]
    if len(entries) == 1:
        action.cluster = entries[0][1].name
    else:
        action.weighted_clusters.clusters.extend(
            rc.WeightedCluster.ClusterWeight(name=target.name, weight=wrappers_pb2.UInt32Value(value=weight))
            for weight, target in entries
        )
    action.hash_policy.extend(hash_policies(snapshot.balancing(target.host, namespace) for _, target in entries))
    retries = rule_filters.retry_policy(spec.http_req_retries)
    if retries is not None:
        action.retry_policy.CopyFrom(retries)
    if spec.websocket_upgrade:
        action.upgrade_configs.add(upgrade_type="websocket")
    if spec.rewrite is not None:
        if spec.rewrite.uri:
            action.prefix_rewrite = spec.rewrite.uri
        if spec.rewrite.authority:
            action.host_rewrite_literal = spec.rewrite.authority
    mirror = mirror_target(snapshot, rule, port)
    if mirror is not None:
        action.request_mirror_policies.append(rc.RouteAction.RequestMirrorPolicy(cluster=mirror.name))
    return action


def _timeout(spec: RouteRuleSpec) -> Any:
    """Zero, which is off, unless the rule says otherwise."""
    simple = spec.http_req_timeout.simple_timeout if spec.http_req_timeout else None
    return rule_filters.duration(simple.timeout if simple else None)
