import json
import random
from typing import Any

import pytest

from mesh.routing.outcome import (
    CONNECT_FAILED,
    CONNECT_TIMEOUT,
    OVERFLOW,
    PROTOCOL_ERROR,
    ROUTE_TIMEOUT,
    TERMINATED,
    TRY_TIMEOUT,
    Outcome,
    answer,
)
from mesh.routing.retry import (
    LIMIT_EXCEEDED,
    NOT_RETRIABLE,
    RETRY_OVERFLOW,
    Again,
    Stop,
    applies,
    back_off_s,
    decide,
    retriable,
    with_headers,
)
from mesh.routing.retry_policy import RetryPolicy, compile_retry
from tests.unit.routing.conftest import DATA, message, request

OUTCOMES = {
    "fin-before-response": Outcome(TERMINATED),
    "rst-before-response": Outcome(TERMINATED),
    "garbage": Outcome(PROTOCOL_ERROR),
    "timeout": Outcome(TRY_TIMEOUT),
    "refused": Outcome(CONNECT_FAILED),
    "connect-timeout": Outcome(CONNECT_TIMEOUT),
}


def _policy(**fields: Any) -> RetryPolicy:
    return compile_retry(message("envoy.config.route.v3.route_components:RetryPolicy", fields), "r")


def _decide(policy: RetryPolicy, outcome: Outcome, done: int = 0, **more: Any) -> Again | Stop:
    return decide(policy, outcome, done, random.Random(1), **more)


def test_the_recorded_matrix() -> None:
    rows = json.loads((DATA / "routing_cases.json").read_text())["retry_matrix"]
    for row in rows:
        kind = row["case"].removeprefix("retry-matrix-")
        outcome = OUTCOMES[kind] if kind in OUTCOMES else answer(int(kind))
        policy = _policy(**row["policy"])
        first = _decide(policy, outcome)
        assert isinstance(first, Again) == (row["attempts"] == 2), row
        last = _decide(policy, outcome, done=row["attempts"] - 1)
        assert isinstance(last, Stop)
        assert (last.reason == LIMIT_EXCEEDED) == row["flags"].startswith("URX"), row
    assert len(rows) == 132


@pytest.mark.parametrize(
    ("on", "headers", "status", "wanted"),
    [
        pytest.param("5xx", [], 599, True, id="599"),
        pytest.param("5xx", [], 600, False, id="600"),
        pytest.param("gateway-error", [], 501, False, id="501 is no gateway error"),
        pytest.param("5xx", [(b"x-envoy-ratelimited", b"true")], 503, False, id="rate limited"),
        pytest.param("envoy-ratelimited", [(b"x-envoy-ratelimited", b"true")], 429, True, id="rate limited, asked for"),
        pytest.param("envoy-ratelimited", [], 429, False, id="429 alone"),
        pytest.param("5xx", [(b"x-envoy-overloaded", b"true")], 503, True, id="overloaded does not stop it"),
        pytest.param("unavailable", [(b"grpc-status", b"14")], 200, True, id="grpc unavailable"),
        pytest.param("unavailable", [(b"grpc-status", b"13")], 200, False, id="another grpc status"),
        pytest.param("unavailable", [], 503, False, id="no grpc status"),
        pytest.param("retriable-headers", [(b"x-retry", b"yes")], 200, True, id="header"),
        pytest.param("retriable-headers", [(b"x-retry", b"no")], 500, False, id="header with another value"),
        pytest.param("retriable-status-codes", [], 418, True, id="code"),
        pytest.param("retriable-status-codes", [], 419, False, id="another code"),
        pytest.param("5xx", [], 200, False, id="success"),
    ],
)
def test_answers(on: str, headers: list[tuple[bytes, bytes]], status: int, wanted: bool) -> None:
    policy = _policy(
        retry_on=on,
        retriable_status_codes=[418],
        retriable_headers=[{"name": "x-retry", "string_match": {"exact": "yes"}}],
    )
    assert retriable(policy, answer(status, headers)) is wanted


@pytest.mark.parametrize("reason", [OVERFLOW, ROUTE_TIMEOUT])
@pytest.mark.parametrize("on", ["5xx", "gateway-error", "reset", "connect-failure", "reset-before-request"])
def test_never_retried(reason: str, on: str) -> None:
    assert _decide(_policy(retry_on=on), Outcome(reason)) == Stop(NOT_RETRIABLE)


def test_retries_are_counted() -> None:
    policy = _policy(retry_on="5xx", num_retries=2)
    assert isinstance(_decide(policy, answer(503), 1), Again)
    assert _decide(policy, answer(503), 2) == Stop(LIMIT_EXCEEDED)
    assert _decide(policy, answer(200), 2) == Stop(NOT_RETRIABLE)
    assert _decide(_policy(retry_on="5xx", num_retries=0), answer(503)) == Stop(LIMIT_EXCEEDED)


def test_the_clusters_limit_stops_a_retry() -> None:
    assert _decide(_policy(retry_on="5xx"), answer(503), may_retry=False) == Stop(RETRY_OVERFLOW)


def test_previous_hosts_are_avoided_when_asked() -> None:
    predicate = [{"name": "envoy.retry_host_predicates.previous_hosts"}]
    again = _decide(_policy(retry_on="5xx", retry_host_predicate=predicate), answer(503))
    assert isinstance(again, Again)
    assert again.avoid_previous


@pytest.mark.parametrize(
    ("number", "ceiling_ms"), [(1, 25), (2, 50), (3, 100), (4, 200), (5, 250), (6, 250), (40, 250)]
)
def test_back_off_is_uniform_below_its_ceiling(number: int, ceiling_ms: int) -> None:
    rng = random.Random(number)
    delays = [round(back_off_s(RetryPolicy(), number, rng) * 1000) for _ in range(3000)]
    assert 0 <= min(delays) <= 2
    assert ceiling_ms - 3 <= max(delays) < ceiling_ms
    assert sum(delays) / len(delays) == pytest.approx(ceiling_ms / 2, rel=0.06)


def test_back_off_below_two_milliseconds_is_none() -> None:
    policy = _policy(retry_back_off={"base_interval": "0.001s", "max_interval": "0.002s"})
    assert {back_off_s(policy, 1, random.Random(1)) for _ in range(20)} == {0.0}
    assert {back_off_s(policy, 2, random.Random(n)) for n in range(20)} == {0.0, 0.001}


def test_recorded_pauses_stay_below_our_ceilings() -> None:
    recorded = json.loads((DATA / "lb_other.json").read_text())["retry_backoff_ms"]
    policies = {
        "default": RetryPolicy(),
        "base10max40": _policy(retry_back_off={"base_interval": "0.01s", "max_interval": "0.04s"}),
        "base100": _policy(retry_back_off={"base_interval": "0.1s"}),
    }
    for name, rows in recorded.items():
        policy = policies[name]
        for row in rows:
            rng = random.Random(row["retry"])
            ours = [back_off_s(policy, row["retry"], rng) * 1000 for _ in range(2000)]
            # A gap on the wire is the pause and a few milliseconds of work.
            assert row["max"] <= max(ours) + 5, (name, row)
            assert row["mean"] == pytest.approx(sum(ours) / len(ours), rel=0.25, abs=2), (name, row)


@pytest.mark.parametrize(
    ("header", "asked_s"),
    [
        pytest.param((b"retry-after", b"2"), 2.0, id="seconds"),
        pytest.param((b"retry-after", b"9"), None, id="too long: ignored"),
        pytest.param((b"retry-after", b"soon"), None, id="no number"),
        pytest.param((b"x-reset", b"1000002"), 2.0, id="a moment"),
        pytest.param((b"x-reset", b"999999"), None, id="a moment gone by"),
    ],
)
def test_reset_headers(header: tuple[bytes, bytes], asked_s: float | None) -> None:
    policy = _policy(
        retry_on="5xx",
        rate_limited_retry_back_off={
            "reset_headers": [{"name": "retry-after"}, {"name": "x-reset", "format": "UNIX_TIMESTAMP"}],
            "max_interval": "3s",
        },
    )
    again = _decide(policy, answer(503, [header]), wall_s=1_000_000.4)
    assert isinstance(again, Again)
    if asked_s is None:
        assert again.delay_s < 0.025
        assert not again.rate_limited
    else:
        assert asked_s <= again.delay_s <= asked_s * 1.5
        assert again.rate_limited


def test_without_reset_headers_retry_after_is_ignored() -> None:
    again = _decide(_policy(retry_on="5xx"), answer(503, [(b"retry-after", b"5")]))
    assert isinstance(again, Again)
    assert again.delay_s < 0.025


def test_requests_that_may_be_retried() -> None:
    policy = _policy(retry_on="5xx", retriable_request_headers=[{"name": ":method", "string_match": {"exact": "GET"}}])
    assert applies(policy, request())
    assert not applies(policy, request(method="POST"))
    assert applies(_policy(retry_on="5xx"), request(method="POST"))


def test_an_internal_request_brings_its_own_policy() -> None:
    control = {
        b"x-envoy-retry-on": b"5xx, nonsense",
        b"x-envoy-max-retries": b"3",
        b"x-envoy-retriable-status-codes": b"418,x",
    }
    policy = with_headers(None, control)
    assert policy is not None
    assert (policy.on, policy.num_retries, policy.status_codes) == ({"5xx"}, 3, {418})
    both = with_headers(_policy(retry_on="reset", num_retries=2), {b"x-envoy-retry-grpc-on": b"unavailable"})
    assert both is not None
    assert (both.on, both.num_retries, both.grpc_statuses) == ({"reset", "unavailable"}, 2, {b"14"})


def test_without_conditions_there_is_no_policy() -> None:
    assert with_headers(None, {b"x-envoy-max-retries": b"3"}) is None
    alone = with_headers(None, {b"x-envoy-retry-on": b"5xx"})
    assert alone is not None
    assert alone.num_retries == 1
