"""Which series exist, with their type, unit, labels and help?

Istio's standard series (`istio_*`) are declared here, one each, labels as Istio's own sidecars write them;
Envoy's statistics are declared in `scopes` beside the integers that hold them, and get their Prometheus names
here. Units are milliseconds and bytes because the names say so. Source: Istio's page of standard metrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
ExposedKind = Literal["counter", "gauge", "histogram", "unknown"]

BOUNDARIES: tuple[float, ...] = (
    0.5, 1.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0, 30000.0, 60000.0,
    300000.0, 600000.0, 1800000.0, 3600000.0,
)  # fmt: skip
"""Upper bounds of every histogram, in its own unit (ms or bytes); +Inf follows. Source: Istio and Envoy."""


@dataclass(frozen=True, slots=True)
class Series:
    """One Prometheus series: what a scrape shows of it."""

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    help: str


@dataclass(frozen=True, slots=True)
class Stat:
    """One Envoy statistic inside a scope (cluster, http, listener, server)."""

    name: str
    """Envoy's name after the scope, dots as Envoy has them."""
    kind: Kind
    help: str


REQUEST_LABELS: tuple[str, ...] = (
    "reporter",
    "source_workload",
    "source_workload_namespace",
    "source_principal",
    "source_app",
    "source_version",
    "source_canonical_service",
    "source_canonical_revision",
    "source_cluster",
    "destination_workload",
    "destination_workload_namespace",
    "destination_principal",
    "destination_app",
    "destination_version",
    "destination_canonical_service",
    "destination_canonical_revision",
    "destination_cluster",
    "destination_service",
    "destination_service_name",
    "destination_service_namespace",
    "request_protocol",
    "response_code",
    "grpc_response_status",
    "response_flags",
    "connection_security_policy",
)
TCP_LABELS: tuple[str, ...] = tuple(
    label for label in REQUEST_LABELS if label not in ("response_code", "grpc_response_status")
)

REQUESTS_TOTAL = Series(
    "istio_requests_total", "counter", "", REQUEST_LABELS, "Requests that ended, one each, whatever their outcome."
)
REQUEST_DURATION = Series(
    "istio_request_duration_milliseconds", "histogram", "ms", REQUEST_LABELS,
    "Milliseconds from the first byte of a request to the last byte of its response.",
)  # fmt: skip
REQUEST_BYTES = Series(
    "istio_request_bytes", "histogram", "bytes", REQUEST_LABELS, "Size of requests on the wire, headers included."
)
RESPONSE_BYTES = Series(
    "istio_response_bytes", "histogram", "bytes", REQUEST_LABELS, "Size of responses on the wire, headers included."
)
TCP_SENT_BYTES = Series(
    "istio_tcp_sent_bytes_total", "counter", "bytes", TCP_LABELS, "Bytes sent to the client of a TCP connection."
)
TCP_RECEIVED_BYTES = Series(
    "istio_tcp_received_bytes_total", "counter", "bytes", TCP_LABELS, "Bytes received from the client over TCP."
)
TCP_OPENED = Series(
    "istio_tcp_connections_opened_total", "counter", "", TCP_LABELS, "TCP connections that were opened."
)
TCP_CLOSED = Series(
    "istio_tcp_connections_closed_total", "counter", "", TCP_LABELS, "TCP connections that were closed."
)
BUILD = Series("istio_build", "gauge", "", ("component", "tag"), "Always 1; the labels name the proxy's version.")

ISTIO: tuple[Series, ...] = (
    REQUESTS_TOTAL,
    REQUEST_DURATION,
    REQUEST_BYTES,
    RESPONSE_BYTES,
    TCP_SENT_BYTES,
    TCP_RECEIVED_BYTES,
    TCP_OPENED,
    TCP_CLOSED,
    BUILD,
)

SERVER: tuple[Stat, ...] = (
    Stat("live", "gauge", "1 while the proxy serves, 0 while it drains."),
    Stat("uptime", "gauge", "Seconds since the proxy started."),
)

RESPONSES_HELP = "Answers by status code and by class of status code."
COMPLETED_HELP = "Requests that got an answer."
TIME_HELP = "Milliseconds that requests took."


def exposed_kind(name: str, kind: Kind) -> ExposedKind:
    """The type that a scrape declares for a series.

    Envoy names some counters without `_total` and some gauges with it, which `promtool check metrics` holds
    against them. Its names are the contract, so the declared type gives way: such a series is untyped, which
    means the same to every query.
    """
    if kind != "histogram" and (kind == "counter") != name.endswith("_total"):
        return "unknown"
    return kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """How the tags that Envoy lifts out of a name are called."""

    cluster: str
    http: str
    listener: str
    code: str
    code_class: str
    class_family: str
    """Suffix of the family that holds answers by class."""
    class_value: str
    """Form of a class, from its first digit."""


ISTIO_SPELLING = Spelling(
    cluster="cluster_name",
    http="http_conn_manager_prefix",
    listener="listener_address",
    code="response_code",
    code_class="response_code_class",
    class_family="rq",
    class_value="{}xx",
)
"""Under the tag rules of Istio's bootstrap: what sidecars and gateways of the mesh show."""

ENVOY_SPELLING = Spelling(
    cluster="envoy_cluster_name",
    http="envoy_http_conn_manager_prefix",
    listener="envoy_listener_address",
    code="envoy_response_code",
    code_class="envoy_response_code_class",
    class_family="rq_xx",
    class_value="{}",
)
"""Envoy's own defaults: what a proxy on a bare bootstrap shows."""
