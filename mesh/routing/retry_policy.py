"""What does a route's retry policy say?

The compiled form of an envoy.config.route.v3.RetryPolicy; `retry` decides with it. Conditions that only exist on
HTTP/2 or for gRPC answers (refused-stream, unavailable, cancelled, ...) are accepted: the first never happens on
HTTP/1, the others look at the grpc-status of an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mesh.routing.errors import Refused, join
from mesh.routing.match import Match
from mesh.routing.match_header import compile_header

GRPC_STATUS = {
    "cancelled": b"1",
    "deadline-exceeded": b"4",
    "resource-exhausted": b"8",
    "internal": b"13",
    "unavailable": b"14",
}
CONDITIONS = frozenset(
    {
        "5xx",
        "gateway-error",
        "reset",
        "reset-before-request",
        "connect-failure",
        "envoy-ratelimited",
        "retriable-4xx",
        "refused-stream",
        "retriable-status-codes",
        "retriable-headers",
        "http3-post-connect-failure",
        *GRPC_STATUS,
    }
)
DEFAULT_BASE_S = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetHeader:
    """A response header that says how long to wait."""

    name: bytes
    unix_time: bool = False
    """Its value is a moment in Unix seconds, not a number of seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    on: frozenset[str] = frozenset()
    num_retries: int = 1
    per_try_timeout_s: float = 0.0
    per_try_idle_timeout_s: float = 0.0
    status_codes: frozenset[int] = frozenset()
    grpc_statuses: frozenset[bytes] = frozenset()
    base_interval_s: float = DEFAULT_BASE_S
    max_interval_s: float = DEFAULT_BASE_S * 10
    reset_headers: tuple[ResetHeader, ...] = ()
    reset_max_interval_s: float = 300.0
    response_headers: tuple[Match, ...] = ()
    request_headers: tuple[Match, ...] = ()
    avoid_previous_hosts: bool = False
    host_selection_attempts: int = 1
    """How often a host that was tried already is drawn again (1 + this many candidates)."""


def parse_retry_on(text: str, at: str) -> frozenset[str]:
    """The conditions of a comma-separated list."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in CONDITIONS:
            raise Refused(at, f"{name!r} is not a retry condition; use {', '.join(sorted(CONDITIONS))}")
    return frozenset(names)


def compile_retry(policy: Any, at: str) -> RetryPolicy:
    on = parse_retry_on(policy.retry_on, join(at, "retry_on"))
    base_s, max_s = DEFAULT_BASE_S, DEFAULT_BASE_S * 10
    if policy.HasField("retry_back_off"):
        base_s = policy.retry_back_off.base_interval.ToNanoseconds() / 1e9
        if base_s <= 0:
            raise Refused(join(at, "retry_back_off.base_interval"), "is longer than zero, for example 0.025s")
        max_s = base_s * 10
        if policy.retry_back_off.HasField("max_interval"):
            max_s = policy.retry_back_off.max_interval.ToNanoseconds() / 1e9
            if max_s < base_s:
                raise Refused(join(at, "retry_back_off.max_interval"), "is at least base_interval")
    limited = policy.rate_limited_retry_back_off
    reset_max_s = limited.max_interval.ToNanoseconds() / 1e9 if limited.HasField("max_interval") else 300.0
    for i, predicate in enumerate(policy.retry_host_predicate):
        if not predicate.typed_config.type_url.endswith("PreviousHostsPredicate") and "previous_hosts" not in (
            predicate.name
        ):
            raise Refused(join(at, f"retry_host_predicate[{i}]"), "is not executed; use previous_hosts")
    return RetryPolicy(
        on=on,
        num_retries=policy.num_retries.value if policy.HasField("num_retries") else 1,
        per_try_timeout_s=policy.per_try_timeout.ToNanoseconds() / 1e9,
        per_try_idle_timeout_s=policy.per_try_idle_timeout.ToNanoseconds() / 1e9,
        status_codes=frozenset(policy.retriable_status_codes),
        grpc_statuses=frozenset(GRPC_STATUS[name] for name in on if name in GRPC_STATUS),
        base_interval_s=base_s,
        max_interval_s=max_s,
        reset_headers=tuple(
            ResetHeader(name=h.name.lower().encode(), unix_time=h.format == 1) for h in limited.reset_headers
        ),
        reset_max_interval_s=reset_max_s,
        response_headers=tuple(
            compile_header(m, join(at, f"retriable_headers[{i}]"))[0] for i, m in enumerate(policy.retriable_headers)
        ),
        request_headers=tuple(
            compile_header(m, join(at, f"retriable_request_headers[{i}]"))[0]
            for i, m in enumerate(policy.retriable_request_headers)
        ),
        avoid_previous_hosts=bool(policy.retry_host_predicate),
        host_selection_attempts=policy.host_selection_retry_max_attempts or 1,
    )
