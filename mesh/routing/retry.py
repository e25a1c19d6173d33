"""Is a failed attempt repeated, and when?

One table of conditions over an outcome, then the number of retries, then the cluster's limit. Asked only before
anything of the answer went to the client (the caller knows), so the answer is just Again or Stop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mesh.routing.outcome import (
    CONNECT_FAILED,
    CONNECT_TIMEOUT,
    GATEWAY_STATUSES,
    NEVER_SENT,
    OVERFLOW,
    ROUTE_TIMEOUT,
    Outcome,
)
from mesh.routing.request import Request, header
from mesh.routing.retry_policy import CONDITIONS, GRPC_STATUS, RetryPolicy

if TYPE_CHECKING:
    import random

NOT_RETRIABLE = "not retriable"
LIMIT_EXCEEDED = "retry limit exceeded"
"""Retriable, but all retries are used up: flag URX."""
RETRY_OVERFLOW = "retry overflow"
"""Retriable, but too many retries are under way in this cluster: flag UO."""

_EMPTY = RetryPolicy(num_retries=1)


@dataclass(frozen=True, slots=True)
class Again:
    delay_s: float
    avoid_previous: bool
    """Choose a host that this request has not tried, as far as there is one."""
    rate_limited: bool = False
    """The delay is what a response header asked for."""


@dataclass(frozen=True, slots=True)
class Stop:
    reason: str


def applies(policy: RetryPolicy, request: Request) -> bool:
    """Whether the policy counts for this request at all (retriable_request_headers)."""
    return not policy.request_headers or any(match(request) for match in policy.request_headers)


def decide(
    policy: RetryPolicy,
    outcome: Outcome,
    retries_done: int,
    rng: random.Random,
    *,
    may_retry: bool = True,
    wall_s: float = 0.0,
) -> Again | Stop:
    """What follows `outcome`.

    retries_done: retries already made for this request (0 after the first attempt).
    may_retry: whether the cluster's limit of concurrent retries admits one more.
    wall_s: Unix seconds, for reset headers that name a moment.
    """
    if not retriable(policy, outcome):
        return Stop(NOT_RETRIABLE)
    if retries_done >= policy.num_retries:
        return Stop(LIMIT_EXCEEDED)
    if not may_retry:
        return Stop(RETRY_OVERFLOW)
    asked_s = _asked_delay(policy, outcome, wall_s)
    if asked_s is not None:
        jitter_ms = int(asked_s * 500)
        delay_s = asked_s + (rng.randrange(jitter_ms) / 1000 if jitter_ms else 0.0)
        return Again(delay_s, policy.avoid_previous_hosts, rate_limited=True)
    return Again(back_off_s(policy, retries_done + 1, rng), policy.avoid_previous_hosts)


def back_off_s(policy: RetryPolicy, number: int, rng: random.Random) -> float:
    """The pause before retry `number` (from 1): whole milliseconds below min(base * 2^(number-1), max), uniform."""
    ceiling_s = policy.max_interval_s
    if number < 32:
        ceiling_s = min(policy.base_interval_s * (1 << (number - 1)), ceiling_s)
    ceiling_ms = int(ceiling_s * 1000 + 1e-6)
    return rng.randrange(ceiling_ms) / 1000 if ceiling_ms > 0 else 0.0


def retriable(policy: RetryPolicy, outcome: Outcome) -> bool:
    """Whether the policy names this outcome."""
    on = policy.on
    if not outcome.answered:
        return _after_reset(on, outcome.reason)
    if header(list(outcome.headers), b"x-envoy-ratelimited") is not None:
        return "envoy-ratelimited" in on
    status = outcome.status
    if status >= 500 and (("5xx" in on and status < 600) or ("gateway-error" in on and status in GATEWAY_STATUSES)):
        return True
    if status == 409 and "retriable-4xx" in on:
        return True
    if "retriable-status-codes" in on and status in policy.status_codes:
        return True
    if "retriable-headers" in on and policy.response_headers:
        answer = Request(b"", b"", b"", list(outcome.headers))
        if any(match(answer) for match in policy.response_headers):
            return True
    return bool(policy.grpc_statuses) and header(list(outcome.headers), b"grpc-status") in policy.grpc_statuses


def _after_reset(on: frozenset[str], reason: str) -> bool:
    """Retriable without an answer?"""
    if reason in (OVERFLOW, ROUTE_TIMEOUT):
        return False
    if "5xx" in on or "gateway-error" in on or "reset" in on:
        return True
    if "reset-before-request" in on and reason in NEVER_SENT:
        return True
    return "connect-failure" in on and reason in (CONNECT_FAILED, CONNECT_TIMEOUT)


def _asked_delay(policy: RetryPolicy, outcome: Outcome, wall_s: float) -> float | None:
    """The delay that the first usable reset header asks for."""
    for reset in policy.reset_headers:
        value = header(list(outcome.headers), reset.name)
        if value is None or not value.isdigit():
            continue
        delay_s = float(value) - (int(wall_s) if reset.unix_time else 0)
        if 0 < delay_s <= policy.reset_max_interval_s:
            return delay_s
    return None


def with_headers(policy: RetryPolicy | None, control: Mapping[bytes, bytes]) -> RetryPolicy | None:
    """The policy of an internal request that says x-envoy-retry-on, -max-retries or -retriable-status-codes."""
    asked = control.get(b"x-envoy-retry-on", b"") + b"," + control.get(b"x-envoy-retry-grpc-on", b"")
    names = {name.strip().decode("latin-1") for name in asked.split(b",")} & CONDITIONS
    if policy is None and not names:
        return None
    base = policy or _EMPTY
    on = base.on | names
    retries = control.get(b"x-envoy-max-retries", b"")
    codes = control.get(b"x-envoy-retriable-status-codes", b"").split(b",")
    return replace(
        base,
        on=on,
        num_retries=int(retries) if retries.isdigit() else base.num_retries,
        status_codes=base.status_codes | {int(code) for code in codes if code.strip().isdigit()},
        grpc_statuses=frozenset(GRPC_STATUS[name] for name in on if name in GRPC_STATUS),
    )
