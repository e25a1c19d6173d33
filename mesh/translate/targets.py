"""Which clusters are there?

One a service port, one more for each label set that a rule names, one for each named pod of a headless service. A
cluster whose service, port or pods do not exist is made all the same, without endpoints: its share of the traffic
answers 503, as in Istio, instead of spilling over.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from mesh.api.traffic import IstioService
from mesh.translate.hosts import outbound_name, subset_text
from mesh.translate.memo import Memo
from mesh.translate.snapshot import Snapshot
from mesh.translate.views import PortView, RuleView, ServiceView


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """What a route can send to. pod: the one endpoint of that hostname, of a headless service."""

    host: str
    port: int
    labels: tuple[tuple[str, str], ...] = ()
    pod: str = ""

    @property
    def name(self) -> str:
        """The cluster's name."""
        host = f"{self.pod}.{self.host}" if self.pod else self.host
        return outbound_name(self.port, subset_text(dict(self.labels)), host)


def service_target(snapshot: Snapshot, host: str, port: PortView, labels: Mapping[str, str]) -> Target:
    """The cluster of `host` for `port` of the called service: its port of that name, else of that number."""
    service = snapshot.services.get(host)
    found = (service.port_named(port.name) or service.port(port.number)) if service else None
    return Target(host, found.number if found else port.number, tuple(sorted(labels.items())))


def rule_targets(snapshot: Snapshot, rule: RuleView, port: PortView) -> list[tuple[int, Target]]:
    """(weight, target) of every entry of a rule's route; without a route, everything goes to the service itself."""
    entries = rule.spec.route or []
    if not entries:
        return [(100, service_target(snapshot, rule.host, port, {}))]
    return [
        (entry.weight, service_target(snapshot, host, port, _labels(entry.destination, entry.labels)))
        for entry, host in zip(entries, rule.entry_hosts, strict=True)
    ]


def mirror_target(snapshot: Snapshot, rule: RuleView, port: PortView) -> Target | None:
    if rule.spec.mirror is None:
        return None
    return service_target(snapshot, rule.mirror_host, port, _labels(rule.spec.mirror, None))


def targets(snapshot: Snapshot, memo: Memo | None = None) -> tuple[Target, ...]:
    """Everything that any route of the mesh can name, each once, in a stable order."""
    memo = Memo() if memo is None else memo
    found: dict[Target, None] = {}
    for service in snapshot.services.values():
        rules = snapshot.rules.get(service.host, ())
        names = snapshot.hostnames.get(service.host, ()) if service.headless else ()
        others = [snapshot.services.get(host) for rule in rules for host in rule.hosts]
        make = partial(_service_targets, snapshot, service, rules, names)
        found.update(memo.get(("targets", service.host), (service, *names, *rules, *others), make))
    return tuple(found)


def _service_targets(
    snapshot: Snapshot, service: ServiceView, rules: Iterable[RuleView], names: Iterable[str]
) -> dict[Target, None]:
    found: dict[Target, None] = {}
    for port in service.ports:
        found[Target(service.host, port.number)] = None
        for name in names:
            found[Target(service.host, port.number, pod=name)] = None
        for rule in rules:
            for _, target in rule_targets(snapshot, rule, port):
                found[target] = None
            mirror = mirror_target(snapshot, rule, port)
            if mirror:
                found[mirror] = None
    return found


def _labels(service: IstioService | None, labels: Mapping[str, str] | None) -> dict[str, str]:
    """Labels may stand at the entry or in its destination; both count, the entry's win."""
    return {**((service.labels if service else None) or {}), **(labels or {})}
