"""Which statistics does Envoy keep of a cluster, a connection manager and a listener?

Each class is the declaration and the store at once: a field is one statistic, its default says type and help,
and the proxy adds to the attribute as to any integer. What can be derived (answers by class, completed requests)
is derived when somebody looks. Source: Envoy's pages on cluster, HTTP and listener statistics.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field, fields

from mesh.metrics.names import BOUNDARIES, Kind, Stat


def _counter(text: str, name: str = "") -> int:
    return _stat("counter", text, name)


def _gauge(text: str, name: str = "") -> int:
    return _stat("gauge", text, name)


def _stat(kind: Kind, text: str, name: str) -> int:
    # Typed as the int that the attribute will be; the dataclass decorator sees the field.
    declared: int = field(default=0, metadata={"kind": kind, "help": text, "name": name})
    return declared


class Times:
    """A histogram of milliseconds."""

    __slots__ = ("buckets", "sum_ms")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDARIES) + 1)
        self.sum_ms = 0.0

    @property
    def count(self) -> int:
        return sum(self.buckets)


@dataclass(slots=True, eq=False)
class ClusterStats:
    """`cluster.NAME.*`: what happened between the proxy and the endpoints of one cluster."""

    membership_total: int = _gauge("Endpoints of the cluster.")
    membership_healthy: int = _gauge("Endpoints that may be picked.")
    membership_degraded: int = _gauge("Endpoints that are degraded.")
    membership_change: int = _counter("Changes of the set of endpoints.")
    max_host_weight: int = _gauge("Largest weight among the endpoints.")
    upstream_cx_total: int = _counter("Connections that were opened to endpoints.")
    upstream_cx_active: int = _gauge("Connections to endpoints that are open.")
    upstream_cx_http1_total: int = _counter("HTTP/1.1 connections that were opened to endpoints.")
    upstream_cx_connect_fail: int = _counter("Connections that could not be opened.")
    upstream_cx_connect_timeout: int = _counter("Connections that were not open in time.")
    upstream_cx_idle_timeout: int = _counter("Connections closed because they idled too long.")
    upstream_cx_max_requests: int = _counter("Connections closed after their allowed number of requests.")
    upstream_cx_overflow: int = _counter("Times that the limit on connections was met.")
    upstream_cx_none_healthy: int = _counter("Requests for which there was no usable endpoint.")
    upstream_cx_protocol_error: int = _counter("Connections closed because of bytes that are not HTTP.")
    upstream_cx_destroy: int = _counter("Connections that were closed.")
    upstream_cx_destroy_local: int = _counter("Connections that the proxy closed.")
    upstream_cx_destroy_remote: int = _counter("Connections that the endpoint closed.")
    upstream_cx_destroy_with_active_rq: int = _counter("Connections closed while a request was under way.")
    upstream_cx_destroy_local_with_active_rq: int = _counter("The same, closed by the proxy.")
    upstream_cx_destroy_remote_with_active_rq: int = _counter("The same, closed by the endpoint.")
    upstream_cx_rx_bytes_total: int = _counter("Bytes received from endpoints.")
    upstream_cx_tx_bytes_total: int = _counter("Bytes sent to endpoints.")
    upstream_rq_total: int = _counter("Requests that were sent to endpoints, retries and mirrors included.")
    upstream_rq_active: int = _gauge("Requests under way to endpoints.")
    upstream_rq_pending_total: int = _counter("Requests that waited for a connection.")
    upstream_rq_pending_active: int = _gauge("Requests that wait for a connection.")
    upstream_rq_pending_overflow: int = _counter("Requests refused because a limit was met.")
    upstream_rq_pending_failure_eject: int = _counter("Waiting requests whose connection failed.")
    upstream_rq_cancelled: int = _counter("Requests given up before they had a connection.")
    upstream_rq_maintenance_mode: int = _counter("Requests refused because the cluster is in maintenance.")
    upstream_rq_timeout: int = _counter("Requests that did not end in time.")
    upstream_rq_per_try_timeout: int = _counter("Tries that did not end in time.")
    upstream_rq_rx_reset: int = _counter("Requests reset by the endpoint.")
    upstream_rq_tx_reset: int = _counter("Requests reset by the proxy.")
    upstream_rq_retry: int = _counter("Retries.")
    upstream_rq_retry_success: int = _counter("Retries that brought a good answer.")
    upstream_rq_retry_overflow: int = _counter("Retries refused because the limit on retries was met.")
    upstream_rq_retry_limit_exceeded: int = _counter("Requests that failed with no retry left.")
    upstream_rq_retry_backoff_exponential: int = _counter("Retries that waited by exponential back-off.")
    upstream_rq_max_duration_reached: int = _counter("Requests ended by the limit on their duration.")
    retry_or_shadow_abandoned: int = _counter("Retries or mirrors given up because the body was too large.")
    lb_healthy_panic: int = _counter("Picks among all endpoints because too few are healthy.")
    outlier_detection_ejections_active: int = _gauge(
        "Endpoints that are ejected.", "outlier_detection.ejections_active"
    )
    outlier_detection_ejections_enforced_total: int = _counter(
        "Ejections that took place.", "outlier_detection.ejections_enforced_total"
    )
    outlier_detection_ejections_enforced_consecutive_5xx: int = _counter(
        "Ejections for consecutive 5xx.", "outlier_detection.ejections_enforced_consecutive_5xx"
    )
    outlier_detection_ejections_overflow: int = _counter(
        "Ejections left out because too many were ejected.", "outlier_detection.ejections_overflow"
    )
    circuit_breakers_default_cx_open: int = _gauge(
        "1 while the limit on connections is met.", "circuit_breakers.default.cx_open"
    )
    circuit_breakers_default_rq_open: int = _gauge(
        "1 while the limit on requests is met.", "circuit_breakers.default.rq_open"
    )
    circuit_breakers_default_rq_pending_open: int = _gauge(
        "1 while the limit on waiting requests is met.", "circuit_breakers.default.rq_pending_open"
    )
    circuit_breakers_default_rq_retry_open: int = _gauge(
        "1 while the limit on retries is met.", "circuit_breakers.default.rq_retry_open"
    )
    codes: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Answers by status code."""
    rq_time: Times = field(default_factory=Times)

    def answered(self, code: int, duration_ms: float) -> None:
        """Count one answer; active and total are the caller's."""
        self.codes[code] += 1
        times = self.rq_time
        times.buckets[bisect_left(BOUNDARIES, duration_ms)] += 1
        times.sum_ms += duration_ms


@dataclass(slots=True, eq=False)
class HttpStats:
    """`http.PREFIX.*`: what clients did at one HTTP connection manager."""

    downstream_cx_total: int = _counter("Connections that clients opened.")
    downstream_cx_active: int = _gauge("Connections of clients that are open.")
    downstream_cx_http1_total: int = _counter("HTTP/1.1 connections that clients opened.")
    downstream_cx_destroy: int = _counter("Connections of clients that were closed.")
    downstream_cx_destroy_remote_active_rq: int = _counter("Clients that left while a request was under way.")
    downstream_cx_idle_timeout: int = _counter("Connections closed because they idled too long.")
    downstream_cx_drain_close: int = _counter("Connections closed because the proxy was draining.")
    downstream_cx_protocol_error: int = _counter("Connections closed because of bytes that are not HTTP.")
    downstream_cx_overload_disable_keepalive: int = _counter("Connections closed because of overload.")
    downstream_cx_rx_bytes_total: int = _counter("Bytes received from clients.")
    downstream_cx_tx_bytes_total: int = _counter("Bytes sent to clients.")
    downstream_cx_upgrades_total: int = _counter("Connections that were upgraded.")
    downstream_cx_upgrades_active: int = _gauge("Upgraded connections that are open.")
    downstream_rq_total: int = _counter("Requests that clients began.")
    downstream_rq_active: int = _gauge("Requests of clients that are under way.")
    downstream_rq_http1_total: int = _counter("HTTP/1.1 requests that clients began.")
    downstream_rq_rx_reset: int = _counter("Requests that the client gave up.")
    downstream_rq_tx_reset: int = _counter("Requests that the proxy reset.")
    downstream_rq_too_large: int = _counter("Requests refused because their body was too large.")
    downstream_rq_idle_timeout: int = _counter("Requests ended because nothing moved for too long.")
    downstream_rq_header_timeout: int = _counter("Requests whose headers did not end in time.")
    downstream_rq_timeout: int = _counter("Requests that did not arrive in time.")
    downstream_rq_non_relative_path: int = _counter("Requests refused because of an absolute path.")
    downstream_rq_failed_path_normalization: int = _counter("Requests refused because of their path.")
    downstream_rq_ws_on_non_ws_route: int = _counter("Upgrades refused because the route allows none.")
    no_route: int = _counter("Requests for which no route was found.")
    no_cluster: int = _counter("Requests whose route names an unknown cluster.")
    rq_direct_response: int = _counter("Requests that the route itself answered.")
    rq_redirect: int = _counter("Requests that the route redirected.")
    rq_reset_after_downstream_response_started: int = _counter("Answers that broke off after their start.")
    rq_total: int = _counter("Requests that reached the router.")
    fault_aborts_injected: int = _counter("Requests answered by an injected fault.", "fault.aborts_injected")
    fault_delays_injected: int = _counter("Requests delayed by an injected fault.", "fault.delays_injected")
    fault_active_faults: int = _gauge("Injected faults under way.", "fault.active_faults")
    cors_origin_valid: int = _counter("Requests from an allowed origin.", "cors.origin_valid")
    cors_origin_invalid: int = _counter("Requests from an origin that is not allowed.", "cors.origin_invalid")
    codes: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Answers by status code."""
    rq_time: Times = field(default_factory=Times)

    def answered(self, code: int, duration_ms: float) -> None:
        """Count one answer; active and total are the caller's."""
        self.codes[code] += 1
        times = self.rq_time
        times.buckets[bisect_left(BOUNDARIES, duration_ms)] += 1
        times.sum_ms += duration_ms


@dataclass(slots=True, eq=False)
class ListenerStats:
    """`listener.ADDRESS.*`: connections at one listener."""

    downstream_cx_total: int = _counter("Connections that the listener accepted.")
    downstream_cx_active: int = _gauge("Connections of the listener that are open.")
    downstream_cx_destroy: int = _counter("Connections of the listener that were closed.")
    downstream_cx_overflow: int = _counter("Connections refused because a limit was met.")
    no_filter_chain_match: int = _counter("Connections for which no filter chain matched.")


def stats_of(scope: type[ClusterStats] | type[HttpStats] | type[ListenerStats]) -> tuple[tuple[str, Stat], ...]:
    """Attribute and declaration of every plain statistic of a scope, in order."""
    return tuple(
        (each.name, Stat(each.metadata["name"] or each.name, each.metadata["kind"], each.metadata["help"]))
        for each in fields(scope)
        if "kind" in each.metadata
    )
