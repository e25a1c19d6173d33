"""What does a proxy execute, once a configuration has been compiled?

Plain frozen values made by the compile modules: listeners, clusters, endpoints. Equal configuration gives equal
values (route tables compare by identity, so callers that want to keep one compare the serialized messages).
Durations are seconds; None or 0 as each field says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

from mesh.routing.path import PathSpec
from mesh.routing.route_table import RouteTable
from mesh.routing.split import WeightedClusters
from mesh.routing.substitution import Format

UNLIMITED = 2**32 - 1
PATH_UNTOUCHED = PathSpec()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessLogSpec:
    path: str
    """A file, or /dev/stdout, /dev/stderr."""
    line: Format
    """Writes one line of a finished request, its end of line included."""
    text: str = field(default="", compare=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterSpec:
    """One HTTP filter before the router. A route may replace `config` (Route.filters by this name)."""

    kind: str
    """fault, cors, local_ratelimit or session."""
    name: str
    config: Any
    """FaultSpec, CorsSpec, RateLimitSpec or SessionSpec; None: does nothing unless a route says so."""
    disabled: bool = False
    """Off, unless a route says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSpec:
    """An HTTP connection manager. Defaults are Envoy's."""

    stat_prefix: str = ""
    routes: RouteTable | None = None
    validate_clusters: bool = True
    """Whether a bootstrap is refused when `routes` name a cluster that it has not."""
    rds: str | None = None
    """Name of the route configuration that somebody else delivers."""
    filters: tuple[FilterSpec, ...] = ()
    access_logs: tuple[AccessLogSpec, ...] = ()
    server_name: bytes = b"envoy"
    server_header: str = "OVERWRITE"
    """OVERWRITE, APPEND_IF_ABSENT or PASS_THROUGH."""
    use_remote_address: bool = False
    xff_num_trusted_hops: int = 0
    skip_xff_append: bool = False
    append_x_forwarded_port: bool = False
    internal_ranges: tuple[IPv4Network | IPv6Network, ...] = ()
    path: PathSpec = PATH_UNTOUCHED
    strip_any_host_port: bool = False
    strip_matching_host_port: bool = False
    strip_trailing_host_dot: bool = False
    upgrades: Mapping[bytes, bool] = field(default_factory=dict)
    """Upgrade types in lower case, and whether they are on where a route says nothing."""
    stream_idle_timeout_s: float = 300.0
    request_timeout_s: float = 0.0
    request_headers_timeout_s: float = 0.0
    drain_timeout_s: float = 5.0
    delayed_close_timeout_s: float = 1.0
    idle_timeout_s: float = 3600.0
    max_connection_duration_s: float = 0.0
    max_stream_duration_s: float = 0.0
    max_requests_per_connection: int = 0
    max_headers_count: int = 100
    max_request_headers_kb: int = 60
    underscores: str = "ALLOW"
    """ALLOW, REJECT_REQUEST or DROP_HEADER, for names with an underscore."""
    proxy_100_continue: bool = False
    generate_request_id: bool = True
    preserve_external_request_id: bool = False
    always_set_request_id_in_response: bool = False
    via: bytes = b""
    accept_http_10: bool = False
    default_host_for_http_10: bytes = b""
    allow_absolute_url: bool = True
    allow_chunked_length: bool = False
    allow_custom_methods: bool = False
    enable_trailers: bool = False
    preserve_case: bool = False
    suppress_envoy_headers: bool = False
    forward_client_cert: str = "SANITIZE"
    """SANITIZE or ALWAYS_FORWARD_ONLY: what happens to x-forwarded-client-cert."""

    def is_internal(self, address: str) -> bool:
        """Whether the configuration trusts this address."""
        if not self.internal_ranges:
            return False
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self.internal_ranges)


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSpec:
    """A TCP proxy: each connection goes to one endpoint of one cluster."""

    stat_prefix: str = ""
    cluster: bytes | None = None
    weighted: WeightedClusters | None = None
    idle_timeout_s: float = 3600.0
    """0: off."""
    max_connect_attempts: int = 1
    max_connection_duration_s: float = 0.0
    hash_source_ip: bool = False
    access_logs: tuple[AccessLogSpec, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSpec:
    """A chain and its key (PEM). names: exact server names and `*.suffixes`; none: for everybody else."""

    names: tuple[str, ...]
    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSpec:
    certificates: tuple[CertificateSpec, ...]
    alpn: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSpec:
    name: str
    address: str
    port: int
    http: HttpSpec | None = None
    tcp: TcpSpec | None = None
    tls: TlsSpec | None = None
    """None: plain text."""
    buffer_limit_bytes: int = 1 << 20
    stat_prefix: str = ""
    direction: str = "UNSPECIFIED"
    """UNSPECIFIED, INBOUND or OUTBOUND: on whose side of a call the proxy stands here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlierSpec:
    """Outlier detection: when an endpoint is taken out, and for how long."""

    consecutive_5xx: int = 5
    enforcing_consecutive_5xx: int = 100
    consecutive_gateway_failure: int = 5
    enforcing_consecutive_gateway_failure: int = 0
    consecutive_local_origin_failure: int = 5
    enforcing_consecutive_local_origin_failure: int = 100
    split_external_local_origin_errors: bool = False
    interval_s: float = 10.0
    base_ejection_time_s: float = 30.0
    max_ejection_time_s: float = 300.0
    max_ejection_percent: int = 10
    always_eject_one_host: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LbOptions:
    """What a load balancer needs to know besides its hosts. Defaults are Envoy's."""

    hash_function: str = "XX_HASH"
    minimum_ring_size: int = 1024
    maximum_ring_size: int = 8_388_608
    table_size: int = 65_537
    choice_count: int = 2
    active_request_bias: float = 1.0
    healthy_panic_threshold: float = 50.0
    overprovisioning_factor: int = 140
    locality_weighted: bool = False
    update_merge_window_s: float = 1.0
    subset_keys: tuple[tuple[str, ...], ...] = ()
    subset_fallback: str = "NO_FALLBACK"
    """NO_FALLBACK, ANY_ENDPOINT or DEFAULT_SUBSET, where no endpoint fits a route's subset."""
    default_subset: tuple[tuple[str, str], ...] = ()


LB_DEFAULTS = LbOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    name: bytes
    lb_policy: str = "ROUND_ROBIN"
    """ROUND_ROBIN, LEAST_REQUEST, RANDOM, RING_HASH or MAGLEV."""
    lb: LbOptions = LB_DEFAULTS
    connect_timeout_s: float = 5.0
    max_connections: int = 1024
    max_pending_requests: int = 1024
    max_requests: int = 1024
    max_retries: int = 3
    outlier: OutlierSpec | None = None
    enable_trailers: bool = False
    preserve_case: bool = False
    max_requests_per_connection: int = 0
    """0: no limit."""
    idle_timeout_s: float = 3600.0
    """Of a pooled connection; 0: off."""
    max_headers_count: int = 100
    stat_name: str = ""
    eds: str | None = None
    """Name under which somebody else delivers the endpoints."""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSpec:
    address: str
    port: int
    weight: int = 1
    priority: int = 0
    locality: tuple[str, str, str] = ("", "", "")
    """(region, zone, sub-zone)"""
    locality_weight: int | None = None
    health: str = "HEALTHY"
    """HEALTHY, UNHEALTHY, DRAINING or DEGRADED."""
    hostname: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """filter_metadata as plain dictionaries."""

    @property
    def key(self) -> bytes:
        """`ip:port`, by which connections and counters know the endpoint."""
        return f"{self.address}:{self.port}".encode()

    @property
    def hash_key(self) -> bytes | None:
        """What consistent hashing calls the endpoint, where its metadata says so (envoy.lb, hash_key)."""
        key = self.metadata.get("envoy.lb", {}).get("hash_key")
        return key.encode() if isinstance(key, str) and key else None

    @property
    def labels(self) -> Mapping[str, str]:
        """What subsets look at: the metadata under envoy.lb, as text."""
        return {name: str(value) for name, value in self.metadata.get("envoy.lb", {}).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticConfig:
    """A whole bootstrap."""

    admin: tuple[str, int] | None
    listeners: tuple[ListenerSpec, ...]
    clusters: Mapping[bytes, ClusterSpec]
    endpoints: Mapping[bytes, tuple[EndpointSpec, ...]]
