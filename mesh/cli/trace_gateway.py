"""What does the gateway make of a request: which Ingress takes it, and which service answers?

Hosts and paths are matched by the translation's own tables, so the gateway does the same.
"""

from collections.abc import Mapping, Sequence

from mesh.cli.trace_facts import Asked, Facts, is_address
from mesh.cli.trace_hops import L7, Endpoint, Hop, Path, endpoint_at, last_hops
from mesh.cli.trace_reasons import no_endpoint
from mesh.node.ways import places
from mesh.translate.ingress import HostRules, PathRule, host_rules
from mesh.translate.snapshot import Snapshot, build
from mesh.translate.views import RuleView
from mesh.translate.ways_in import ways_in


def through(asked: Asked, spelled: str, facts: Facts) -> Path:
    """The path of a request from the gateway on."""
    address, _, port = spelled.rpartition(":")
    snapshot = build([*facts.services, *facts.slices, *facts.pods, *facts.rules, *facts.ingresses, *facts.more])
    host = "" if is_address(asked.host) else asked.host
    gateway = Hop(L7, "gateway", "", spelled, (f"host {host or address}, path {asked.path}",))
    found = ways_in(snapshot, *facts.gateway, facts.https_port)
    way = next((way for way in found if (way.address, way.port) == (address, int(port))), None)
    if way is None:
        return Path(spelled, (), why=f"the gateway has no listener at {spelled}: no Ingress there has a certificate")
    known = host_rules(snapshot, way.ingresses)
    rules = _host(known, host)
    if rules is None:
        hosts = ", ".join(sorted({one.host for one in known}))
        told = f"there is {hosts}" if hosts else "there is no Ingress at all"
        return Path(spelled, (gateway,), why=f"404: no Ingress takes host {host or address}; {told}")
    rule = next((one for one in rules.ordered() if one.match.takes(asked.path)), None)
    if rule is None:
        paths = ", ".join(one.match.path for one in rules.ordered())
        return Path(spelled, (gateway,), why=f"404: no path of host {rules.host} takes {asked.path}; there is {paths}")
    return _backend(spelled, gateway, rule, snapshot, facts)


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
    rules = [one for one in snapshot.rules.get(backing.host, ()) if not one.source_host]
    told = tuple(f"RouteRule {one.name}: {_does(one)}" for one in rules) or ("no rule: every endpoint alike",)
    hop = Hop(L7, "service", f"{service.namespace}/{service.name}", f"port {backing.port.number}", told)
    known = places(facts.slices_of(service), {node.name: node.zone for node in facts.nodes})
    ready = known[backing.port.name].ready if backing.port.name in known else []
    every = tuple(endpoint_at(target, facts) for target in sorted({p.target for p in ready}))
    endpoints = _chosen(every, rules, backing.host, facts)
    hops = (gateway, matched, hop)
    if every and not endpoints:
        return Path(spelled, hops, why="503: the rules choose none of the ready endpoints")
    if not endpoints:
        port = next(p for p in service.spec.ports or () if p.port == backing.port.number)
        return Path(spelled, hops, why=f"503: {no_endpoint(service, port, facts)}")
    fails = ("none of the endpoints is ready any more (503)", f"Ingress {name} is deleted (404)")
    return Path(spelled, (*hops, *last_hops(endpoints, facts)), endpoints, fails_when=fails)


def _does(rule: RuleView) -> str:
    """What a rule says, in a few words."""
    spec = rule.spec
    when = "for some requests, " if spec.match is not None else ""
    if spec.redirect is not None:
        return f"{when}redirects"
    entries = [f"{entry.weight or 100} % {_labels(entry.labels) or 'any pod'}" for entry in spec.route or ()]
    return when + (" and ".join(entries) or "every endpoint alike")


def _labels(labels: Mapping[str, str] | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items()))


def _chosen(every: tuple[Endpoint, ...], rules: Sequence[RuleView], host: str, facts: Facts) -> tuple[Endpoint, ...]:
    """The endpoints that some request may reach: rules are tried in order, one without a condition is the last."""
    wanted: list[Mapping[str, str]] = []
    for rule in rules:
        if rule.spec.redirect is not None or any(entry != host for entry in rule.entry_hosts):
            return every  # its answers come from elsewhere; the rest is not narrowed
        wanted += [entry.labels or {} for entry in rule.spec.route or ()] or [{}]
        if rule.spec.match is None:
            break
    else:
        return every
    pods = {end: facts.pod_at(end.address) for end in every}
    labels = {end: pod.metadata.label_map if pod is not None else {} for end, pod in pods.items()}
    return tuple(end for end in every if any(one.items() <= labels[end].items() for one in wanted))


def _key(host: str) -> tuple[str, str]:
    """(namespace, name) of a service's host."""
    name, namespace = host.split(".")[:2]
    return namespace, name
