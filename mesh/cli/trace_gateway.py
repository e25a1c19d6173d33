"""What does the gateway make of a request: which Ingress takes it, and which service answers?

Hosts and paths are matched by the translation's own tables, so the gateway does the same.
"""

from collections.abc import Sequence

from mesh.api.load_balancers import is_nlb_ingress
from mesh.api.services import Ingress
from mesh.cli.trace_facts import Asked, Facts, is_address
from mesh.cli.trace_hops import L7, Endpoint, Hop, Path, endpoint_at, last_hops
from mesh.cli.trace_reasons import no_endpoint
from mesh.node.ways import places
from mesh.translate.ingress import HostRules, PathRule, host_rules
from mesh.translate.snapshot import Snapshot, build


def through(asked: Asked, spelled: str, facts: Facts, *, own: bool) -> Path:
    """The path of a request from the gateway on. own: it came by an address of Ingresses of class nlb."""
    address = spelled.partition(":")[0]
    ingresses = facts.of_nlb(address) if own else [one for one in facts.ingresses if not is_nlb_ingress(one)]
    snapshot = build([*facts.services, *facts.slices, *facts.pods, *facts.rules, *map(_classless, ingresses)])
    host = "" if is_address(asked.host) else asked.host
    gateway = Hop(L7, "gateway", "", spelled, (f"host {host or address}, path {asked.path}",))
    rules = _host(host_rules(snapshot), host)
    if rules is None:
        hosts = sorted({one.host for one in host_rules(snapshot)})
        told = f"there is {', '.join(hosts)}" if hosts else "there is no Ingress at all"
        return Path(spelled, (gateway,), why=f"404: no Ingress takes host {host or address}; {told}")
    rule = next((one for one in rules.ordered() if one.match.takes(asked.path)), None)
    if rule is None:
        paths = ", ".join(one.match.path for one in rules.ordered())
        return Path(spelled, (gateway,), why=f"404: no path of host {rules.host} takes {asked.path}; there is {paths}")
    return _backend(spelled, gateway, rule, snapshot, facts)


def _classless(ingress: Ingress) -> Ingress:
    """The Ingress as one of the gateway's: its class has done its work when a request is here."""
    spec = ingress.spec.model_copy(update={"ingress_class_name": None})
    return ingress.model_copy(update={"spec": spec})


def _host(known: Sequence[HostRules], host: str) -> HostRules | None:
    """Exact, then the longest wildcard, then any."""
    by_host = {rules.host: rules for rules in known}
    if host in by_host:
        return by_host[host]
    for start in [i for i, letter in enumerate(host) if letter == "."]:
        if (wild := by_host.get(f"*{host[start:]}")) is not None:
            return wild
    return by_host.get("*")


def _backend(spelled: str, gateway: Hop, rule: PathRule, snapshot: Snapshot, facts: Facts) -> Path:
    backing = rule.backing
    name = f"{rule.ingress.namespace}/{rule.ingress.name}"
    matched = Hop(L7, "ingress", name, "", (f"{rule.match.kind} path {rule.match.path}",))
    service = facts.service(*_key(backing.host)) if backing.service is not None else None
    if service is None or backing.port is None:
        wanted = backing.wanted.name or backing.wanted.number
        why = f"503: {rule.field} names service {'/'.join(_key(backing.host))} port {wanted}, which does not exist"
        return Path(spelled, (gateway, matched), why=why)
    rules = [one.name for one in snapshot.rules.get(backing.host, ())]
    notes = [f"RouteRule {', '.join(rules)} applies"] if rules else ["no rule: every endpoint alike"]
    hop = Hop(L7, "service", f"{service.namespace}/{service.name}", f"port {backing.port.number}", tuple(notes))
    known = places(facts.slices_of(service), {node.name: node.zone for node in facts.nodes})
    ready = known[backing.port.name].ready if backing.port.name in known else []
    endpoints: tuple[Endpoint, ...] = tuple(endpoint_at(target, facts) for target in sorted({p.target for p in ready}))
    hops = (gateway, matched, hop)
    if not endpoints:
        port = next(p for p in service.spec.ports or () if p.port == backing.port.number)
        return Path(spelled, hops, why=f"503: {no_endpoint(service, port, facts)}")
    fails = ("none of the endpoints is ready any more (503)", f"Ingress {name} is deleted (404)")
    return Path(spelled, (*hops, *last_hops(endpoints, facts)), endpoints, fails_when=fails)


def _key(host: str) -> tuple[str, str]:
    """(namespace, name) of a service's host."""
    name, namespace = host.split(".")[:2]
    return namespace, name
