"""Which route takes a request?

Authority -> virtual host (exact name, longest `*.suffix`, longest `prefix.*`, `*`; case-insensitive), then the first
route in the list whose conditions all hold. A table is immutable; everything in a Route was computed when
the configuration was compiled, so that a request reads attributes and decides nothing twice.

The virtual host of an authority is remembered in a bounded memo: clients send few authorities, and one who sends
many only makes the memo start afresh.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mesh.routing.match import Condition, Match, all_of
from mesh.routing.redirect import without_port
from mesh.routing.request import Request

if TYPE_CHECKING:
    from mesh.routing.hash_policy import HashPolicies
    from mesh.routing.headers import HeaderPlan
    from mesh.routing.mirror import MirrorPolicy
    from mesh.routing.redirect import RedirectPlan
    from mesh.routing.retry_policy import RetryPolicy
    from mesh.routing.rewrite import HostRewrite, PathRewrite
    from mesh.routing.split import WeightedClusters

MEMO_ENTRIES = 1024
MEMO_AUTHORITY_BYTES = 256

CLUSTER = "cluster"
REDIRECT = "redirect"
DIRECT = "direct"


class Route:
    """One route, ready to execute. Never changed after the table is built."""

    __slots__ = (
        "append_x_forwarded_host",
        "auto_host_rewrite",
        "buffer_limit_bytes",
        "cluster",
        "cluster_header",
        "cluster_not_found_status",
        "conditions",
        "direct",
        "filters",
        "hash_policy",
        "host_rewrite",
        "host_rewriter",
        "idle_timeout_s",
        "include_attempt_count",
        "include_attempt_count_in_response",
        "kind",
        "match",
        "max_stream_duration_s",
        "metadata",
        "mirrors",
        "name",
        "per_try_timeout_s",
        "redirect",
        "request_mutation",
        "response_mutation",
        "retry",
        "rewrite",
        "subset",
        "timeout_s",
        "upgrades",
        "virtual_host",
        "weighted",
    )

    def __init__(self, kind: str, name: bytes = b"", virtual_host: bytes = b"") -> None:
        self.kind = kind
        """CLUSTER, REDIRECT or DIRECT."""
        self.name = name
        self.virtual_host = virtual_host
        self.conditions: tuple[Condition, ...] = ()
        self.match: Match | None = None
        """All conditions as one function; None: takes everything."""
        self.cluster: bytes | None = None
        self.cluster_header: bytes | None = None
        """The request header that names the cluster."""
        self.weighted: WeightedClusters | None = None
        self.subset: tuple[tuple[str, str], ...] = ()
        """metadata_match under envoy.lb, sorted."""
        self.timeout_s = 15.0
        """From the end of the request to the end of the response; 0: off."""
        self.idle_timeout_s: float | None = None
        """Overrides the listener's stream_idle_timeout_s; 0: off; None: does not."""
        self.max_stream_duration_s: float | None = None
        self.per_try_timeout_s = 0.0
        """The retry policy's; 0: off."""
        self.retry: RetryPolicy | None = None
        self.mirrors: tuple[MirrorPolicy, ...] = ()
        self.hash_policy: HashPolicies | None = None
        self.request_mutation: HeaderPlan | None = None
        self.response_mutation: HeaderPlan | None = None
        self.rewrite: PathRewrite | None = None
        self.host_rewrite: bytes | None = None
        """host_rewrite_literal."""
        self.host_rewriter: HostRewrite | None = None
        """host_rewrite_header or host_rewrite_path_regex: the new authority, or None to keep it."""
        self.auto_host_rewrite = False
        """The authority becomes the chosen endpoint's hostname."""
        self.append_x_forwarded_host = False
        self.include_attempt_count = False
        self.include_attempt_count_in_response = False
        self.cluster_not_found_status = 503
        self.buffer_limit_bytes: int | None = None
        """How much of a request is kept for a retry; None: the listener's limit."""
        self.redirect: RedirectPlan | None = None
        self.direct: tuple[int, bytes] | None = None
        """(status, body)"""
        self.upgrades: Mapping[bytes, bool] = {}
        """Upgrade types (lower case) that this route switches on or off; absent: as the listener says."""
        self.filters: Mapping[str, Any] = {}
        """What the route says to HTTP filters, by filter name (a FilterSpec's config, or None: off)."""
        self.metadata: Mapping[str, Any] = {}


class VirtualHost:
    """Routes under one name, in order."""

    __slots__ = ("catch_all", "domains", "entries", "filters", "name", "routes")

    def __init__(self, name: bytes, domains: Sequence[str], routes: Sequence[Route]) -> None:
        self.name = name
        self.domains = tuple(domains)
        self.routes = tuple(routes)
        entries: list[tuple[Match, Route]] = []
        self.catch_all: Route | None = None
        for route in routes:
            match = route.match = all_of(route.conditions)
            if match is None:
                # Nothing below an unconditional route can be reached.
                self.catch_all = route
                break
            entries.append((match, route))
        self.entries = tuple(entries)
        self.filters = frozenset(name for route in routes for name, said in route.filters.items() if said is not None)
        """The HTTP filters to which some route says something."""


_NOWHERE = VirtualHost(b"", (), ())


class RouteTable:
    """An immutable table of virtual hosts."""

    __slots__ = ("_any", "_exact", "_ignore_port", "_memo", "_prefixes", "_suffixes", "name", "virtual_hosts")

    def __init__(self, name: str, virtual_hosts: Sequence[VirtualHost], ignore_port: bool = False) -> None:
        self.name = name
        self.virtual_hosts = tuple(virtual_hosts)
        self._ignore_port = ignore_port
        self._exact: dict[bytes, VirtualHost] = {}
        self._suffixes: list[tuple[bytes, VirtualHost]] = []
        self._prefixes: list[tuple[bytes, VirtualHost]] = []
        self._any: VirtualHost | None = None
        self._memo: dict[bytes, VirtualHost] = {}
        for host in self.virtual_hosts:
            for domain in host.domains:
                self._add(domain.lower().encode(), host)
        self._suffixes.sort(key=lambda entry: -len(entry[0]))
        self._prefixes.sort(key=lambda entry: -len(entry[0]))

    def _add(self, domain: bytes, host: VirtualHost) -> None:
        if domain == b"*":
            self._any = host
        elif domain.startswith(b"*"):
            self._suffixes.append((domain[1:], host))
        elif domain.endswith(b"*"):
            self._prefixes.append((domain[:-1], host))
        else:
            self._exact[domain] = host

    def find(self, request: Request) -> Route | None:
        """The route of a request; None: the caller answers 404 NR."""
        host = self._memo.get(request.authority)
        if host is None:
            host = self._remember(request.authority)
        for match, route in host.entries:
            if match(request):
                return route
        return host.catch_all

    def filters(self) -> frozenset[str]:
        """The names of the HTTP filters to which some route says something: the others may be left out."""
        return frozenset[str]().union(*(host.filters for host in self.virtual_hosts))

    def virtual_host(self, authority: bytes) -> VirtualHost | None:
        """The virtual host of an authority as it was received."""
        found = self._look_up(authority)
        return None if found is None else found[1]

    def domain_of(self, authority: bytes) -> str | None:
        """The domain by which an authority finds its virtual host."""
        found = self._look_up(authority)
        return None if found is None else found[0].decode()

    def _look_up(self, authority: bytes) -> tuple[bytes, VirtualHost] | None:
        name = authority.lower()
        if self._ignore_port:
            name = without_port(name)
        exact = self._exact.get(name)
        if exact is not None:
            return name, exact
        size = len(name)
        for suffix, host in self._suffixes:
            if size > len(suffix) and name.endswith(suffix):
                return b"*" + suffix, host
        for prefix, host in self._prefixes:
            if size > len(prefix) and name.startswith(prefix):
                return prefix + b"*", host
        return None if self._any is None else (b"*", self._any)

    def _remember(self, authority: bytes) -> VirtualHost:
        host = self.virtual_host(authority) or _NOWHERE
        if len(authority) <= MEMO_AUTHORITY_BYTES:
            if len(self._memo) >= MEMO_ENTRIES:
                self._memo.clear()
            self._memo[authority] = host
        return host
