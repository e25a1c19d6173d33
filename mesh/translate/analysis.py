"""What looks wrong with rules that are valid, one by one and together?

Rules for services that do not exist, labels that no pod has, rules that no request can reach, Ingress fields that
nothing here executes. None of it stops a configuration from being used.
"""

from collections.abc import Iterator, Mapping

from mesh.api.ingress_classes import CLASSES
from mesh.translate import findings as code
from mesh.translate import session
from mesh.translate.destination import DestinationView
from mesh.translate.findings import Finding
from mesh.translate.ingress import host_rules
from mesh.translate.routerule import route_match
from mesh.translate.snapshot import Snapshot
from mesh.translate.views import REDIRECTS, TLS_TYPE, IngressView, RuleView, ServiceView
from mesh.translate.ways_in import served


def analyze(snapshot: Snapshot) -> tuple[Finding, ...]:
    """Everything worth a remark, sorted by object."""
    found = set(_ingresses(snapshot))
    for host, rules in snapshot.rules.items():
        service = snapshot.services.get(host)
        found.update(_hidden(rules))
        for rule in rules:
            found.update(_rule(snapshot, rule, service))
    found.update(_destinations(snapshot))
    return tuple(sorted(found))


def _of_rule(rule: RuleView, kind: tuple[str, str], field: str, message: str) -> Finding:
    return Finding("RouteRule", rule.namespace, rule.name, field, *kind, message)


def _rule(snapshot: Snapshot, rule: RuleView, service: ServiceView | None) -> Iterator[Finding]:
    spec = rule.spec
    if service is None:
        yield _of_rule(
            rule,
            code.NOT_FOUND,
            "spec.destination",
            f"no service is called {rule.host}, so the rule never applies; services named alike: "
            f"{', '.join(_alike(snapshot, rule.host)) or 'none'}",
        )
        return
    if not any(port.http for port in service.ports):
        shown = ", ".join(port.name for port in service.ports) or "none"
        message = f"no port of {rule.host} speaks HTTP; name it http, http2 or grpc (ports now: {shown})"
        yield _of_rule(rule, code.NOT_EXECUTED, "spec.destination", message)
    if rule.source_host and rule.source_host not in snapshot.services:
        message = f"no service is called {rule.source_host}, so no caller fits"
        yield _of_rule(rule, code.NOT_FOUND, "spec.match.source", message)
    for index, (entry, host) in enumerate(zip(spec.route or (), rule.entry_hosts, strict=True)):
        labels = {**((entry.destination.labels if entry.destination else None) or {}), **(entry.labels or {})}
        yield from _target(snapshot, rule, service, host, labels, f"spec.route[{index}]")
    if spec.mirror is not None:
        yield from _target(snapshot, rule, service, rule.mirror_host, spec.mirror.labels or {}, "spec.mirror")
    simple = spec.http_req_timeout.simple_timeout if spec.http_req_timeout else None
    retries = spec.http_req_retries.simple_retry if spec.http_req_retries else None
    delay, abort = (spec.http_fault.delay, spec.http_fault.abort) if spec.http_fault else (None, None)
    for part, place in (
        (simple, "httpReqTimeout.simpleTimeout"),
        (retries, "httpReqRetries.simpleRetry"),
        (delay, "httpFault.delay"),
        (abort, "httpFault.abort"),
    ):
        if part is not None and part.override_header_name:
            field = f"spec.{place}.overrideHeaderName"
            yield _of_rule(rule, code.NOT_EXECUTED, field, "was never executed by Istio, and is not here; remove it")
    if spec.redirect is not None:
        for field, value in (
            ("mirror", spec.mirror),
            ("appendHeaders", spec.append_headers),
            ("httpReqTimeout", simple),
            ("httpReqRetries", spec.http_req_retries),
            ("websocketUpgrade", spec.websocket_upgrade),
        ):
            if value:
                message = "does nothing beside redirect, which sends no request on; remove it"
                yield _of_rule(rule, code.NOT_EXECUTED, f"spec.{field}", message)
    if spec.rewrite is not None and spec.rewrite.uri and not spec.rewrite.uri.startswith("/"):
        message = f'"{spec.rewrite.uri}" replaces the matched prefix as it is; start it with "/"'
        yield _of_rule(rule, code.NOT_EXECUTED, "spec.rewrite.uri", message)


def _target(
    snapshot: Snapshot, rule: RuleView, service: ServiceView, host: str, labels: Mapping[str, str], field: str
) -> Iterator[Finding]:
    """A destination that takes its share of traffic and answers 503."""
    target = snapshot.services.get(host)
    if target is None:
        yield _of_rule(rule, code.NOT_FOUND, f"{field}.destination", f"no service is called {host}; its share gets 503")
        return
    if not any(target.port_named(port.name) or target.port(port.number) for port in service.ports):
        message = f"{host} has no port of the same name or number as {service.host}; its share gets 503"
        yield _of_rule(rule, code.PORT_MISMATCH, f"{field}.destination", message)
    pods = [backend.pod.labels for backend in snapshot.backends.get(host, ()) if backend.pod]
    if labels and not any(labels.items() <= pod.items() for pod in pods):
        shown = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        yield _of_rule(rule, code.NO_PODS, f"{field}.labels", f"no pod of {host} has {shown}; its share gets 503")


def _hidden(rules: tuple[RuleView, ...]) -> Iterator[Finding]:
    """Rules behind one that takes everything, from every caller."""
    catch_all: RuleView | None = None
    for rule in rules:
        if catch_all is not None:
            message = (
                f"never reached: {catch_all.route_name} (precedence {catch_all.spec.precedence}) takes every request "
                "before it; raise this precedence or give that rule a match"
            )
            yield _of_rule(rule, code.UNREACHABLE, "spec.precedence", message)
        elif not rule.source_host and _takes_all(rule):
            catch_all = rule


def _takes_all(rule: RuleView) -> bool:
    match = route_match(rule.spec)
    return bool(match.prefix == "/" and not match.headers)


def _destinations(snapshot: Snapshot) -> Iterator[Finding]:
    """DestinationRules that spread nothing."""

    def finding(rule: DestinationView, kind: tuple[str, str], message: str) -> Finding:
        return Finding("DestinationRule", rule.namespace, rule.name, "spec.host", *kind, message)

    for rule, older in snapshot.destinations.shadowed():
        message = f"never used: {older.namespace}/{older.name} is older and for the same host; remove one of them"
        yield finding(rule, code.UNREACHABLE, message)
    for rule in snapshot.destinations.rules:
        if rule.host.startswith("*"):
            continue
        service = snapshot.services.get(rule.host)
        if service is None:
            alike = ", ".join(_alike(snapshot, rule.host)) or "none"
            yield finding(rule, code.NOT_FOUND, f"no service is called {rule.host}; services named alike: {alike}")
        elif rule.hashed is not None and not any(port.http for port in service.ports):
            yield finding(rule, code.NOT_EXECUTED, f"no port of {rule.host} speaks HTTP, so there is nothing to hash")


def _ingresses(snapshot: Snapshot) -> Iterator[Finding]:
    ours = served(snapshot)
    known = {ingress.key_text for ingress in ours}
    for ingress in ours:
        yield from _ingress(snapshot, ingress)
    for ingress in snapshot.ingresses:
        if ingress.key_text not in known:
            message = f"nobody here serves the class {ingress.class_name}; use one of {', '.join(sorted(CLASSES))}"
            yield Finding(
                "Ingress", ingress.namespace, ingress.name, "spec.ingressClassName", *code.NOT_EXECUTED, message
            )
    for rules in host_rules(snapshot, ours):
        for rule in (*rules.paths, *rules.defaults):
            backing = rule.backing
            at = f"{rule.field}.service"
            if backing.service is None:
                message = f"no service is called {backing.host}; requests get 503"
                yield Finding("Ingress", rule.ingress.namespace, rule.ingress.name, at, *code.NOT_FOUND, message)
            elif backing.port is None:
                ports = ", ".join(f"{port.name or '(unnamed)'} {port.number}" for port in backing.service.ports)
                wanted = backing.wanted.name or backing.wanted.number
                message = f"{backing.host} has no port {wanted}, only {ports or 'none'}; requests get 503"
                yield Finding(
                    "Ingress", rule.ingress.namespace, rule.ingress.name, f"{at}.port", *code.NOT_FOUND, message
                )


def _tls(snapshot: Snapshot, ingress: IngressView) -> Iterator[Finding]:
    """Certificates that are not there, or shown to nobody."""

    def finding(place: int, kind: tuple[str, str], message: str) -> Finding:
        return Finding("Ingress", ingress.namespace, ingress.name, f"spec.tls[{place}].secretName", *kind, message)

    for place, entry in enumerate(ingress.spec.tls or ()):
        hosts = ", ".join(entry.hosts or ("any host",))
        if not entry.secret_name:
            yield finding(place, code.NOT_FOUND, f"names no secret, so {hosts} has no TLS; plain HTTP goes on")
        elif (ingress.namespace, entry.secret_name) not in snapshot.secrets:
            message = (
                f"no secret {ingress.namespace}/{entry.secret_name} of type {TLS_TYPE} with a usable certificate, so "
                f"TLS for {hosts} is refused; plain HTTP and other certificates go on"
            )
            yield finding(place, code.NOT_FOUND, message)
    if ingress.redirects and not ingress.spec.tls:
        field, message = "metadata.annotations[ssl-redirect]", "there is no spec.tls to send requests to"
        yield Finding("Ingress", ingress.namespace, ingress.name, field, *code.NOT_EXECUTED, message)


def _ingress(snapshot: Snapshot, ingress: IngressView) -> Iterator[Finding]:
    def finding(field: str, message: str) -> Finding:
        return Finding("Ingress", ingress.namespace, ingress.name, field, *code.NOT_EXECUTED, message)

    yield from _tls(snapshot, ingress)
    for key, wrong in session.complaints(ingress.annotations):
        yield finding(f"metadata.annotations[{key}]", wrong)
    for key in ingress.annotations:
        if not session.known(key) and key not in REDIRECTS:
            yield finding(
                f"metadata.annotations[{key}]",
                "does nothing here: only nginx annotations about sessions and ssl-redirect are executed",
            )
    backends = [("spec.defaultBackend", ingress.spec.default_backend)]
    for index, rule in enumerate(ingress.spec.rules or ()):
        paths = rule.http.paths if rule.http else ()
        backends += [(f"spec.rules[{index}].http.paths[{place}].backend", p.backend) for place, p in enumerate(paths)]
    for field, backend in backends:
        if backend is not None and backend.resource is not None:
            yield finding(f"{field}.resource", "resource backends are not served; name a service")


def _alike(snapshot: Snapshot, host: str) -> list[str]:
    """Services of the same short name elsewhere."""
    name = host.split(".", 1)[0]
    return [service.host for service in snapshot.services.values() if service.name == name]
