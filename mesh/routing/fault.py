"""Is this request delayed or aborted on purpose?

Delay first, then abort; each draws its own random number. A percentage that is not given counts as zero. Headers
of the filter restrict it to requests that match; `upstream_cluster` to requests for that cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mesh.routing.errors import Refused, join
from mesh.routing.match import Match, fraction
from mesh.routing.match_header import compile_header
from mesh.routing.request import Request

if TYPE_CHECKING:
    import random


@dataclass(frozen=True, slots=True)
class Chance:
    """So many of so many."""

    numerator: int = 0
    denominator: int = 100

    def hits(self, rng: random.Random) -> bool:
        if self.numerator <= 0:
            return False
        return self.numerator >= self.denominator or rng.randrange(self.denominator) < self.numerator


NEVER = Chance()


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSpec:
    delay_s: float = 0.0
    delay: Chance = NEVER
    abort: Chance = NEVER
    status: int = 0
    """HTTP status of an abort; 0: `grpc_status` says what."""
    grpc_status: int | None = None
    headers: tuple[Match, ...] = ()
    upstream_cluster: bytes = b""
    max_active: int | None = None
    """How many faults may be under way at once in this listener; None: any number."""


@dataclass(frozen=True, slots=True)
class Abort:
    status: int
    grpc_status: int | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What to do to a request: wait, then answer, either or both."""

    delay_s: float = 0.0
    abort: Abort | None = None


NO_FAULT = Fault()


def decide(spec: FaultSpec, request: Request, cluster: bytes, active: int, rng: random.Random) -> Fault:
    """The fault for a request; `cluster` is the chosen one (empty: none), `active` the faults under way."""
    if spec.upstream_cluster and spec.upstream_cluster != cluster:
        return NO_FAULT
    if spec.headers and not all(match(request) for match in spec.headers):
        return NO_FAULT
    if spec.max_active is not None and active >= spec.max_active:
        return NO_FAULT
    delay_s = spec.delay_s if spec.delay.hits(rng) else 0.0
    abort = None
    if spec.abort.hits(rng):
        abort = Abort(spec.status or 200, spec.grpc_status)
    return Fault(delay_s, abort) if delay_s or abort else NO_FAULT


def compile_fault(fault: Any, at: str) -> FaultSpec | None:
    """The spec of an HTTPFault message; None when it does nothing."""
    delay_s = 0.0
    if fault.HasField("delay"):
        delay_s = fault.delay.fixed_delay.ToNanoseconds() / 1e9
        if delay_s <= 0:
            raise Refused(join(at, "delay.fixed_delay"), "is longer than zero, for example 0.5s")
    status, grpc_status = 0, None
    if fault.HasField("abort"):
        kind = fault.abort.WhichOneof("error_type")
        if kind == "grpc_status":
            grpc_status = fault.abort.grpc_status
        elif kind == "http_status" and 200 <= fault.abort.http_status < 600:
            status = fault.abort.http_status
        else:
            raise Refused(join(at, "abort.http_status"), "is a status from 200 to 599")
    spec = FaultSpec(
        delay_s=delay_s,
        delay=_chance(fault.delay) if fault.HasField("delay") else NEVER,
        abort=_chance(fault.abort) if fault.HasField("abort") else NEVER,
        status=status,
        grpc_status=grpc_status,
        headers=tuple(compile_header(m, join(at, f"headers[{i}]"))[0] for i, m in enumerate(fault.headers)),
        upstream_cluster=fault.upstream_cluster.encode(),
        max_active=fault.max_active_faults.value if fault.HasField("max_active_faults") else None,
    )
    return spec if spec.delay.numerator or spec.abort.numerator else None


def _chance(part: Any) -> Chance:
    return Chance(*fraction(part.percentage)) if part.HasField("percentage") else NEVER
