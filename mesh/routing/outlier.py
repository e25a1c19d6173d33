"""Which endpoint has failed so often that it is left out for a while?

Two counters per endpoint (5xx or no answer; 502, 503, 504 or no answer), and a third for failed connections where
origins and our own errors are told apart. A counter that reaches its threshold ejects and starts anew; any other
answer clears it. An ejected endpoint returns on a tick after base * k seconds, where k counts ejections and shrinks
on every tick that finds the endpoint in service. The caller keeps time, marks hosts and rebuilds its balancer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesh.routing.outcome import GATEWAY_STATUSES, NEVER_SENT, OVERFLOW, TRY_TIMEOUT, Outcome
from mesh.routing.spec import OutlierSpec

if TYPE_CHECKING:
    import random

CONSECUTIVE_5XX = "consecutive_5xx"
CONSECUTIVE_GATEWAY_FAILURE = "consecutive_gateway_failure"
CONSECUTIVE_LOCAL_ORIGIN_FAILURE = "consecutive_local_origin_failure"


@dataclass(slots=True)
class Monitor:
    """What is remembered of one endpoint."""

    consecutive_5xx: int = 0
    consecutive_gateway: int = 0
    consecutive_local: int = 0
    ejected_s: float | None = None
    """When it was ejected (monotonic); None: in service."""
    times: int = 0
    """The k of the ejection time."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A counter has reached its threshold. `ejected`: and the endpoint goes out of service."""

    cause: str
    ejected: bool
    overflow: bool = False
    """It would have been ejected, but too many are out already."""


def record(
    spec: OutlierSpec, monitor: Monitor, outcome: Outcome, now: float, out: int, hosts: int, rng: random.Random
) -> Verdict | None:
    """Count an outcome; `out` of `hosts` endpoints are ejected now. None: nothing reached its threshold."""
    verdict = None
    for cause in _count(spec, monitor, outcome):
        verdict = _judge(spec, monitor, cause, now, out, hosts, rng)
        if verdict.ejected:
            break
    return verdict


def _judge(
    spec: OutlierSpec, monitor: Monitor, cause: str, now: float, out: int, hosts: int, rng: random.Random
) -> Verdict:
    if monitor.ejected_s is not None:
        return Verdict(cause, ejected=False)
    enforced = getattr(spec, f"enforcing_{cause}")
    if enforced < 100 and rng.randrange(100) >= enforced:
        return Verdict(cause, ejected=False)
    if not may_eject(spec, out, hosts):
        return Verdict(cause, ejected=False, overflow=True)
    monitor.ejected_s = now
    monitor.times += 1
    return Verdict(cause, ejected=True)


def may_eject(spec: OutlierSpec, out: int, hosts: int) -> bool:
    """Whether one more may go when `out` of `hosts` are out: with 10 % fewer than ten hosts never lose one."""
    if out == 0 and spec.always_eject_one_host:
        return True
    return hosts > 0 and (out + 1) * 100 <= spec.max_ejection_percent * hosts


def tick(spec: OutlierSpec, monitors: Iterable[Monitor], now: float) -> list[Monitor]:
    """Every `interval_s`: the monitors whose endpoints are in service again from now on."""
    back = []
    for monitor in monitors:
        if monitor.ejected_s is None:
            if monitor.times:
                monitor.times -= 1
            continue
        wait_s = min(spec.base_ejection_time_s * monitor.times, spec.max_ejection_time_s)
        if now - monitor.ejected_s >= wait_s:
            monitor.ejected_s = None
            back.append(monitor)
    return back


def _count(spec: OutlierSpec, monitor: Monitor, outcome: Outcome) -> list[str]:
    """The counters that reached their thresholds, reset already."""
    reason = outcome.reason
    if reason == OVERFLOW:
        return []
    if spec.split_external_local_origin_errors and not outcome.answered:
        return _count_local(spec, monitor, reason)
    monitor.consecutive_local = 0
    status = outcome.status_or_stand_in
    if not 500 <= status < 600:
        monitor.consecutive_5xx = monitor.consecutive_gateway = 0
        return []
    causes = []
    if status in GATEWAY_STATUSES:
        monitor.consecutive_gateway += 1
        if monitor.consecutive_gateway == spec.consecutive_gateway_failure:
            monitor.consecutive_gateway = 0
            causes.append(CONSECUTIVE_GATEWAY_FAILURE)
    else:
        monitor.consecutive_gateway = 0
    monitor.consecutive_5xx += 1
    if monitor.consecutive_5xx == spec.consecutive_5xx:
        monitor.consecutive_5xx = 0
        causes.append(CONSECUTIVE_5XX)
    return causes


def _count_local(spec: OutlierSpec, monitor: Monitor, reason: str) -> list[str]:
    """Errors of our own side: only connections that were never made, and timeouts, count."""
    if reason not in NEVER_SENT and reason != TRY_TIMEOUT:
        return []
    monitor.consecutive_local += 1
    if monitor.consecutive_local == spec.consecutive_local_origin_failure:
        monitor.consecutive_local = 0
        return [CONSECUTIVE_LOCAL_ORIGIN_FAILURE]
    return []
