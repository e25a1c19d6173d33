"""Which virtual hosts do the Ingresses make, and where do RouteRules come in?

All Ingresses of the mesh are merged by host: exact paths first, then the longest prefix; equal paths go to the oldest
Ingress. Below each path stand the routes of its backend service, each narrowed to requests that fit both the path and
the rule; the service's default route, narrowed in the same way, ends them.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from envoy.config.route.v3 import route_components_pb2

from mesh.api.services import HttpIngressPath, IngressBackend, ServiceBackendPort
from mesh.translate.aliases import stands_for
from mesh.translate.hosts import service_host
from mesh.translate.routerule import HeaderMatcher, Route, default_route, regex, service_routes
from mesh.translate.session import keep
from mesh.translate.snapshot import Snapshot
from mesh.translate.targets import Target
from mesh.translate.views import IngressView, PortView, ServiceView
from mesh.translate.ways_in import HTTPS_PORT, WayIn, certificates_of, for_people, secured

EXACT, ELEMENTS, PREFIX = "exact", "elements", "prefix"


@dataclass(frozen=True, slots=True)
class PathMatch:
    """The path of an Ingress rule. kind: EXACT, ELEMENTS (whole path elements) or PREFIX (plain text)."""

    kind: str
    path: str

    @property
    def order(self) -> tuple[int, int, int, str]:
        """Exact first, then longest, whole elements before plain text."""
        return (self.kind != EXACT, -len(self.path), self.kind == PREFIX, self.path)

    def takes(self, path: str) -> bool:
        """Whether a path (without query) fits."""
        if self.kind == EXACT:
            return path == self.path
        rest = path.removeprefix(self.path)
        return path.startswith(self.path) and (self.kind == PREFIX or rest == "" or rest.startswith("/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Backing:
    """A backend as an Ingress names it. service and port are None where there is no such thing."""

    host: str
    service: ServiceView | None
    port: PortView | None
    wanted: ServiceBackendPort

    @property
    def missing(self) -> Target | None:
        """The target without endpoints that stands for a backend which does not exist."""
        return None if self.service and self.port else Target(self.host, self.wanted.number or 0)


@dataclass(frozen=True, slots=True)
class PathRule:
    """One path of one Ingress. field: where in the object its backend stands."""

    ingress: IngressView
    field: str
    match: PathMatch
    backing: Backing


@dataclass(slots=True)
class HostRules:
    """What all Ingresses say about one host, in the order in which it is tried."""

    host: str
    paths: list[PathRule] = field(default_factory=list)
    defaults: list[PathRule] = field(default_factory=list)

    def ordered(self) -> list[PathRule]:
        """Each path once, and one default backend at most."""
        chosen: dict[PathMatch, PathRule] = {}
        for rule in sorted(self.paths, key=lambda rule: rule.match.order):
            chosen.setdefault(rule.match, rule)
        rules = list(chosen.values())
        if self.defaults and PathMatch(PREFIX, "/") not in chosen:
            rules.append(self.defaults[0])
        return rules


def path_match(path: HttpIngressPath) -> PathMatch:
    """How an Ingress path matches. Without a type it is a plain prefix; a trailing `*` or `.*` says so as well."""
    text = path.path or "/"
    if path.path_type == "Exact":
        return PathMatch(EXACT, text)
    if path.path_type == "Prefix":
        text = text.rstrip("/")
        return PathMatch(ELEMENTS, text) if text else PathMatch(PREFIX, "/")
    for ending in (".*", "*"):
        if text.endswith(ending):
            text = text.removesuffix(ending)
            break
    return PathMatch(PREFIX, text or "/")


def host_rules(snapshot: Snapshot, ingresses: Iterable[IngressView] | None = None) -> list[HostRules]:
    """Everything some Ingresses say (oldest first; None: those for people), by host; `*` for rules without one.

    Hosts ascending, `*` last.
    """
    found: dict[str, HostRules] = {}
    for ingress in for_people(snapshot) if ingresses is None else ingresses:
        default = ingress.spec.default_backend
        mentioned = {"*"}
        for index, rule in enumerate(ingress.spec.rules or ()):
            host = (rule.host or "*").lower()
            mentioned.add(host)
            rules = found.setdefault(host, HostRules(host))
            for place, path in enumerate(rule.http.paths if rule.http else ()):
                backing = backing_of(snapshot, ingress.namespace, path.backend)
                if backing is not None:
                    at = f"spec.rules[{index}].http.paths[{place}].backend"
                    rules.paths.append(PathRule(ingress, at, path_match(path), backing))
        backing = backing_of(snapshot, ingress.namespace, default) if default else None
        if backing is not None:
            for host in mentioned:
                rules = found.setdefault(host, HostRules(host))
                rules.defaults.append(PathRule(ingress, "spec.defaultBackend", PathMatch(PREFIX, "/"), backing))
    return sorted(found.values(), key=lambda rules: (rules.host == "*", rules.host))


def backing_of(snapshot: Snapshot, namespace: str, backend: IngressBackend) -> Backing | None:
    """The service and port that a backend names; None for a resource backend, which nothing here can serve."""
    if backend.service is None:
        return None
    host = service_host(backend.service.name, namespace, snapshot.domain)
    service = stands_for(snapshot.services, host)
    wanted = backend.service.port
    return Backing(host=service.host if service else host, service=service, port=_port(service, wanted), wanted=wanted)


def _port(service: ServiceView | None, wanted: ServiceBackendPort) -> PortView | None:
    if service is None:
        return None
    if wanted.name:
        return service.port_named(wanted.name)
    return service.port(wanted.number or 0)


def routes(snapshot: Snapshot, rules: HostRules, way: WayIn | None = None) -> Iterator[Route]:
    """The routes of one host. A backend that does not exist answers 503. way: where they stand; None: for people."""
    known = certificates_of(snapshot, way.ingresses) if way is not None and way.https_port else ()
    for rule in rules.ordered():
        backing = rule.backing
        if known and way is not None and rule.ingress.redirects and secured(rule.ingress, rules.host, known):
            yield _to_tls(rule, way.https_port or HTTPS_PORT)
            continue
        if backing.service is None or backing.port is None:
            below = [default_route(Target(backing.host, backing.wanted.number or 0))]
        else:
            own = snapshot.rules.get(backing.host, ())
            below = service_routes(snapshot, backing.service, backing.port, None, rules=own)
        cookie = rule.ingress.session or (backing.service.session if backing.service else None)
        yield from keep(filter(None, (combine(route, rule.match) for route in below)), cookie, rule.match.path)


def _to_tls(rule: PathRule, port: int) -> Route:
    """Sends plain requests to the same URL by TLS; 308, so that a POST stays one."""
    route = route_components_pb2.Route(name=f"{rule.ingress.key_text} to TLS")
    _set_path(route.match, rule.match)
    route.redirect.https_redirect = True
    if port != HTTPS_PORT:
        route.redirect.port_redirect = port
    route.redirect.response_code = route_components_pb2.RedirectAction.PERMANENT_REDIRECT
    return route


def combine(route: Route, path: PathMatch) -> Route | None:
    """The route for requests that fit both the route's own condition on the path and the Ingress path.

    None when no request can fit both. Two prefixes give the longer one, as in Istio 0.7, so a rewrite replaces that.
    """
    match = route.match
    narrowed = type(route)()
    narrowed.CopyFrom(route)
    match = narrowed.match
    kind = match.WhichOneof("path_specifier")
    if kind == "path":
        return narrowed if path.takes(match.path) else None
    if kind == "safe_regex":
        condition = _path_condition(path)
        if condition is not None:
            match.headers.append(condition)
        return narrowed
    if path.path.startswith(match.prefix):
        _set_path(match, path)
        return narrowed
    if path.kind == EXACT or not path.takes(match.prefix):
        return None
    return narrowed


def _set_path(match: Any, path: PathMatch) -> None:
    if path.kind == EXACT:
        match.path = path.path
    elif path.kind == ELEMENTS:
        match.path_separated_prefix = path.path
    else:
        match.prefix = path.path


def _path_condition(path: PathMatch) -> HeaderMatcher | None:
    """The Ingress path as a condition on `:path` (which holds the query), beside a rule's own regex."""
    if path == PathMatch(PREFIX, "/"):
        return None
    matcher = route_components_pb2.HeaderMatcher(name=":path")
    if path.kind == PREFIX:
        matcher.string_match.prefix = path.path
        return matcher
    ending = r"(?:\?.*)?" if path.kind == EXACT else r"(?:[/?].*)?"
    matcher.string_match.safe_regex.CopyFrom(regex(re.escape(path.path) + ending))
    return matcher
