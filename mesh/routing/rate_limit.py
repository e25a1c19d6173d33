"""May this request pass the local rate limit?

A token bucket that starts full and is refilled in whole steps: `tokens_per_fill` tokens each `fill_interval_s`, never
more than `max_tokens`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mesh.routing.errors import Refused, join
from mesh.routing.fault import NEVER, Chance
from mesh.routing.headers import HeaderPlan, compile_level, plan_of
from mesh.routing.match import fraction

if TYPE_CHECKING:
    import random


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitSpec:
    max_tokens: int = 1
    tokens_per_fill: int = 1
    fill_interval_s: float = 1.0
    enabled: Chance = NEVER
    enforced: Chance = NEVER
    status: int = 429
    response_mutation: HeaderPlan | None = None
    """Headers of the refusal."""
    request_mutation: HeaderPlan | None = None
    """Headers of a request that went over a limit that is not enforced."""
    per_connection: bool = False
    """Each downstream connection has a bucket of its own."""
    as_resource_exhausted: bool = False
    stat_prefix: str = ""


@dataclass(slots=True)
class TokenBucket:
    """A bucket at work; `now` is monotonic seconds."""

    spec: RateLimitSpec
    filled_s: float
    tokens: int = field(default=-1)

    def __post_init__(self) -> None:
        if self.tokens < 0:
            self.tokens = self.spec.max_tokens

    def take(self, now: float) -> bool:
        spec = self.spec
        steps = int((now - self.filled_s) / spec.fill_interval_s)
        if steps > 0:
            self.tokens = min(spec.max_tokens, self.tokens + steps * spec.tokens_per_fill)
            self.filled_s += steps * spec.fill_interval_s
        if self.tokens <= 0:
            return False
        self.tokens -= 1
        return True


ALLOWED = "allowed"
SHADOWED = "shadowed"
"""Over the limit, but the limit is not enforced: go on, with request_mutation."""
LIMITED = "limited"


def decide(spec: RateLimitSpec, bucket: TokenBucket, now: float, rng: random.Random) -> str:
    """ALLOWED, SHADOWED or LIMITED."""
    if not spec.enabled.hits(rng) or bucket.take(now):
        return ALLOWED
    return LIMITED if spec.enforced.hits(rng) else SHADOWED


def compile_rate_limit(config: Any, at: str) -> RateLimitSpec | None:
    """The spec of a LocalRateLimit message; None when it has no bucket (routes may bring one)."""
    if not config.HasField("token_bucket"):
        return None
    bucket = config.token_bucket
    interval_s = bucket.fill_interval.ToNanoseconds() / 1e9
    if bucket.max_tokens == 0:
        raise Refused(join(at, "token_bucket.max_tokens"), "is at least 1")
    if interval_s < 0.05:
        raise Refused(join(at, "token_bucket.fill_interval"), "is at least 0.05s")
    return RateLimitSpec(
        max_tokens=bucket.max_tokens,
        tokens_per_fill=bucket.tokens_per_fill.value if bucket.HasField("tokens_per_fill") else 1,
        fill_interval_s=interval_s,
        enabled=_chance(config, "filter_enabled"),
        enforced=_chance(config, "filter_enforced"),
        status=max(config.status.code, 400) if config.HasField("status") else 429,
        response_mutation=plan_of([compile_level(config.response_headers_to_add, (), at, "response")]),
        request_mutation=plan_of([compile_level(config.request_headers_to_add_when_not_enforced, (), at, "request")]),
        per_connection=config.local_rate_limit_per_downstream_connection,
        as_resource_exhausted=config.rate_limited_as_resource_exhausted,
        stat_prefix=config.stat_prefix,
    )


def _chance(config: Any, name: str) -> Chance:
    return Chance(*fraction(getattr(config, name).default_value)) if config.HasField(name) else NEVER
