"""Can this object be executed at all?

Asked of every rule and Ingress before it may replace the version in force: first what the API would have said (the
object may have been stored by another version), then whether the proxy's own compiler takes what it translates to.
"""

from dataclasses import dataclass

from mesh.api.config import Secret
from mesh.api.destination import DestinationRule
from mesh.api.errors import Cause
from mesh.api.meta import Object
from mesh.api.scheme import encode
from mesh.api.services import Ingress
from mesh.api.traffic import RouteRule
from mesh.api.validation_destination import destination_causes
from mesh.api.validation_routerule import causes
from mesh.discovery.compiled import Compiled
from mesh.routing.errors import Refused
from mesh.runtime.tls import BadCertificate, server_context
from mesh.translate import gateway, outbound
from mesh.translate.clusters import cluster
from mesh.translate.destination import destination_view
from mesh.translate.routerule import default_route, rule_route
from mesh.translate.snapshot import Snapshot, build
from mesh.translate.targets import Target
from mesh.translate.views import TLS_TYPE, PortView, rule_view, secret_view
from mesh.translate.ways_in import WayIn

_ANY_PORT = PortView(name="http", number=80, http=True, target=80)
_NOTHING = build(())
_ANYWHERE = Target("anywhere", 80)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an object is not in force. causes: by field, in the object's own words."""

    obj: Object
    causes: tuple[Cause, ...]

    def __str__(self) -> str:
        return "; ".join(f"{cause.field}: {cause.message}" for cause in self.causes)


def problem_of(obj: Object, compiled: Compiled) -> Problem | None:
    """None when the object may be put in force."""
    found: list[Cause] = []
    if isinstance(obj, RouteRule):
        found = _rule(obj, compiled)
    elif isinstance(obj, Ingress):
        found = _ingress(obj, compiled)
    elif isinstance(obj, Secret):
        found = _secret(obj)
    elif isinstance(obj, DestinationRule):
        found = destination_causes(encode(obj)) or _destination(obj, compiled)
    return Problem(obj, tuple(found)) if found else None


def _rule(rule: RouteRule, compiled: Compiled) -> list[Cause]:
    found = causes(encode(rule), rule.namespace)
    if found:
        return found
    view = rule_view(rule, _NOTHING.domain)
    host = outbound.virtual_host(view.route_name, ["*"], [rule_route(_NOTHING, view, _ANY_PORT)])
    return _compiles(compiled, [host])


def _ingress(ingress: Ingress, compiled: Compiled) -> list[Cause]:
    alone: Snapshot = build([ingress])
    way = WayIn(address="", port=0, routes="check", ingresses=alone.ingresses)
    return _compiles(compiled, gateway.route_configuration(alone, way).virtual_hosts)


def _secret(secret: Secret) -> list[Cause]:
    """Only certificates are asked for: is this one?"""
    view = secret_view(secret)
    if view is None:
        return [] if secret.type != TLS_TYPE else [Cause("data", "lacks tls.crt or tls.key, or they are no base64")]
    try:
        server_context(view.chain, view.key)
    except BadCertificate as bad:
        return [Cause("data", f"TLS with secret {secret.namespace}/{secret.name} is not possible: {bad}")]
    return []


def _destination(rule: DestinationRule, compiled: Compiled) -> list[Cause]:
    view = destination_view(rule, _NOTHING.domain)
    host = outbound.virtual_host("check", ["*"], [default_route(_ANYWHERE, spread=(view,))])
    try:
        compiled.cluster(cluster(_ANYWHERE, None, view))
    except Refused as refused:
        return [Cause("spec", f"the proxy can not execute what it means ({refused})")]
    return _compiles(compiled, [host])


def _compiles(compiled: Compiled, hosts: list[object]) -> list[Cause]:
    try:
        compiled.table("check", hosts)
    except Refused as refused:
        return [Cause("spec", f"the proxy can not execute what it means ({refused})")]
    return []
