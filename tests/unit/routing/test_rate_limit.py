import random
from typing import Any

import pytest

from mesh.routing.decision import Decision
from mesh.routing.errors import Refused
from mesh.routing.headers import apply
from mesh.routing.rate_limit import ALLOWED, LIMITED, SHADOWED, RateLimitSpec, TokenBucket, compile_rate_limit, decide
from tests.unit.routing.conftest import message

ALL = {"default_value": {"numerator": 100}}
BUCKET = {"max_tokens": 2, "tokens_per_fill": 2, "fill_interval": "0.5s"}


def _spec(**fields: Any) -> RateLimitSpec | None:
    kind = "envoy.extensions.filters.http.local_ratelimit.v3.local_rate_limit:LocalRateLimit"
    return compile_rate_limit(message(kind, {"stat_prefix": "l", **fields}), "l")


@pytest.mark.parametrize(
    ("times", "passed"),
    [
        pytest.param([0, 0, 0], [True, True, False], id="starts full"),
        pytest.param([0, 0, 0.4, 0.5, 0.5, 0.5], [True, True, False, True, True, False], id="steps, not a trickle"),
        pytest.param([0, 0, 99, 99, 99], [True, True, True, True, False], id="never more than it holds"),
        pytest.param([0.4, 0.4, 0.5], [True, True, True], id="steps count from the beginning"),
    ],
)
def test_bucket(times: list[float], passed: list[bool]) -> None:
    spec = _spec(token_bucket=BUCKET)
    assert spec is not None
    bucket = TokenBucket(spec, 0.0)
    assert [bucket.take(now) for now in times] == passed


@pytest.mark.parametrize(
    ("enabled", "enforced", "decision"),
    [
        pytest.param(ALL, ALL, LIMITED, id="on"),
        pytest.param(ALL, None, SHADOWED, id="counted only"),
        pytest.param(None, ALL, ALLOWED, id="off"),
    ],
)
def test_over_the_limit(enabled: Any, enforced: Any, decision: str) -> None:
    fields = {"filter_enabled": enabled, "filter_enforced": enforced}
    spec = _spec(token_bucket=BUCKET, **{k: v for k, v in fields.items() if v})
    assert spec is not None
    bucket, rng = TokenBucket(spec, 0.0, tokens=0), random.Random(1)
    assert decide(spec, bucket, 0.0, rng) == decision
    assert decide(spec, TokenBucket(spec, 0.0), 0.0, rng) == ALLOWED


def test_what_the_refusal_says() -> None:
    spec = _spec(
        token_bucket=BUCKET,
        status={"code": "ServiceUnavailable"},
        response_headers_to_add=[{"header": {"key": "x-l", "value": "1"}}],
        request_headers_to_add_when_not_enforced=[{"header": {"key": "x-over", "value": "1"}}],
        local_rate_limit_per_downstream_connection=True,
    )
    assert spec is not None
    assert (spec.status, spec.per_connection) == (503, True)
    assert spec.response_mutation is not None
    assert spec.request_mutation is not None
    headers: list[tuple[bytes, bytes]] = []
    apply(spec.response_mutation, headers, Decision(0.0))
    apply(spec.request_mutation, headers, Decision(0.0))
    assert headers == [(b"x-l", b"1"), (b"x-over", b"1")]


def test_defaults() -> None:
    spec = _spec(token_bucket={"max_tokens": 1, "fill_interval": "1s"})
    assert spec is not None
    assert (spec.status, spec.tokens_per_fill, spec.per_connection) == (429, 1, False)
    assert _spec() is None


@pytest.mark.parametrize(
    ("bucket", "complaint"),
    [
        ({"fill_interval": "1s"}, r"l\.token_bucket\.max_tokens: is at least 1"),
        ({"max_tokens": 1, "fill_interval": "0.01s"}, r"l\.token_bucket\.fill_interval: is at least 0.05s"),
    ],
)
def test_refused(bucket: Any, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        _spec(token_bucket=bucket)
