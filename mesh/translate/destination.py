"""Which load balancing does a DestinationRule ask for, and whose rule counts?

A caller's own namespace is asked first, then the service's, then the root namespace; the first that has a rule for the
host decides. Within a namespace the most exact host wins, and of two rules for one host the older. As in Istio.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.route.v3 import route_components_pb2 as rc
from google.protobuf import duration_pb2

from mesh.api.destination import ConsistentHash, DestinationRule
from mesh.api.durations import parse_ms
from mesh.translate.hosts import service_host

ROOT = "istio-system"
"""The namespace whose rules hold for the whole mesh; the gateway belongs to it."""
HEADER, COOKIE, SOURCE, QUERY = "header", "cookie", "source", "query"
ROUND_ROBIN, LEAST_REQUEST, RANDOM, RING_HASH, MAGLEV = "ROUND_ROBIN", "LEAST_REQUEST", "RANDOM", "RING_HASH", "MAGLEV"
_SIMPLE = {
    "ROUND_ROBIN": ROUND_ROBIN,
    "LEAST_REQUEST": LEAST_REQUEST,
    "LEAST_CONN": LEAST_REQUEST,
    "RANDOM": RANDOM,
}


@dataclass(frozen=True, slots=True)
class HashKey:
    """What of a request is hashed. ttl_ms: a cookie with one is made up where it is missing."""

    kind: str
    name: str = ""
    ttl_ms: int | None = None
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationView:
    """policy: Envoy's name. size: the smallest ring, or the size of the table; None: Envoy's default."""

    namespace: str
    name: str
    created: str
    host: str
    policy: str
    hashed: HashKey | None = None
    size: int | None = None

    @property
    def order(self) -> tuple[str, str, str]:
        """Oldest first, then by name."""
        return (self.created, self.namespace, self.name)


def destination_view(rule: DestinationRule, domain: str) -> DestinationView:
    policy = rule.spec.traffic_policy
    balancer = policy.load_balancer if policy else None
    hashed = balancer.consistent_hash if balancer else None
    name, size = _layout(hashed) if hashed else (_SIMPLE.get((balancer.simple if balancer else "") or ""), None)
    host = rule.spec.host.lower()
    return DestinationView(
        namespace=rule.namespace,
        name=rule.name,
        created=rule.metadata.creation_timestamp or "",
        host=host if "." in host or host == "*" else service_host(host, rule.namespace, domain),
        policy=name or ROUND_ROBIN,
        hashed=_key(hashed) if hashed else None,
        size=size,
    )


def _layout(hashed: ConsistentHash) -> tuple[str, int | None]:
    if hashed.maglev is not None:
        return MAGLEV, _size(hashed.maglev.table_size)
    return RING_HASH, _size((hashed.ring_hash and hashed.ring_hash.minimum_ring_size) or hashed.minimum_ring_size)


def _size(value: int | str | None) -> int | None:
    return int(value) if value is not None and str(value).isdigit() and int(value) else None


def _key(hashed: ConsistentHash) -> HashKey | None:
    if hashed.http_header_name:
        return HashKey(HEADER, hashed.http_header_name)
    if hashed.http_cookie is not None:
        cookie = hashed.http_cookie
        ttl = parse_ms(cookie.ttl) if cookie.ttl is not None else None
        return HashKey(COOKIE, cookie.name or "", None if ttl is None else int(ttl), cookie.path or "")
    if hashed.use_source_ip:
        return HashKey(SOURCE)
    return HashKey(QUERY, hashed.http_query_parameter_name) if hashed.http_query_parameter_name else None


class Destinations:
    """The rules of a mesh, indexed. Never changed."""

    __slots__ = ("_exact", "_wild", "rules")

    def __init__(self, rules: Iterable[DestinationView] = ()) -> None:
        self.rules = tuple(sorted(rules, key=lambda rule: rule.order))
        self._exact: dict[tuple[str, str], DestinationView] = {}
        self._wild: dict[str, dict[str, DestinationView]] = {}
        for rule in self.rules:
            if rule.host.startswith("*"):
                self._wild.setdefault(rule.namespace, {}).setdefault(rule.host[1:], rule)
            else:
                self._exact.setdefault((rule.namespace, rule.host), rule)

    def of(self, host: str, service_namespace: str, caller_namespace: str = "") -> DestinationView | None:
        """The rule for a host, as a caller sees it. Without a caller's namespace: as most callers do."""
        if not self.rules:
            return None
        for namespace in (caller_namespace, service_namespace, ROOT):
            found = self._within(namespace, host) if namespace else None
            if found is not None:
                return found
        return None

    def _within(self, namespace: str, host: str) -> DestinationView | None:
        exact = self._exact.get((namespace, host))
        if exact is not None or namespace not in self._wild:
            return exact
        fitting = (suffix for suffix in self._wild[namespace] if host.endswith(suffix))
        longest = max(fitting, key=len, default=None)
        return None if longest is None else self._wild[namespace][longest]

    def shadowed(self) -> list[tuple[DestinationView, DestinationView]]:
        """(rule that is never used, the older rule for the same host in its namespace)."""
        first: dict[tuple[str, str], DestinationView] = {}
        pairs = [(rule, first.setdefault((rule.namespace, rule.host), rule)) for rule in self.rules]
        return [(rule, older) for rule, older in pairs if rule is not older]


def shape(cluster: Any, rule: DestinationView | None) -> None:
    """Give a Cluster message the load balancing of its rule."""
    cluster.lb_policy = cluster_pb2.Cluster.LbPolicy.Value(rule.policy if rule else ROUND_ROBIN)
    if rule is None or rule.size is None:
        return
    if rule.policy == RING_HASH:
        cluster.ring_hash_lb_config.minimum_ring_size.value = rule.size
    elif rule.policy == MAGLEV:
        cluster.maglev_lb_config.table_size.value = rule.size


def hash_policies(rules: Iterable[DestinationView | None]) -> list[Any]:
    """The hash policies of a route that leads to these rules' hosts, each once."""
    keys = dict.fromkeys(rule.hashed for rule in rules if rule is not None and rule.hashed is not None)
    return [_hash_policy(key) for key in keys]


def _hash_policy(key: HashKey) -> Any:
    policy = rc.RouteAction.HashPolicy
    if key.kind == HEADER:
        return policy(header=policy.Header(header_name=key.name))
    if key.kind == QUERY:
        return policy(query_parameter=policy.QueryParameter(name=key.name))
    if key.kind == SOURCE:
        return policy(connection_properties=policy.ConnectionProperties(source_ip=True))
    cookie = policy.Cookie(name=key.name, path=key.path)
    if key.ttl_ms is not None:
        cookie.ttl.CopyFrom(duration_pb2.Duration(seconds=key.ttl_ms // 1000, nanos=key.ttl_ms % 1000 * 1_000_000))
    return policy(cookie=cookie)
