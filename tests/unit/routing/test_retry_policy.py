from typing import Any

import pytest

from mesh.routing.errors import Refused
from mesh.routing.retry_policy import RetryPolicy, compile_retry, parse_retry_on
from tests.unit.routing.conftest import message, request


def _policy(**fields: Any) -> RetryPolicy:
    return compile_retry(message("envoy.config.route.v3.route_components:RetryPolicy", fields), "r")


def test_defaults() -> None:
    policy = _policy(retry_on="5xx")
    assert (policy.on, policy.num_retries, policy.per_try_timeout_s) == (frozenset({"5xx"}), 1, 0.0)
    assert (policy.base_interval_s, policy.max_interval_s) == (0.025, 0.25)
    assert not policy.avoid_previous_hosts


@pytest.mark.parametrize(
    ("back_off", "base_s", "max_s"),
    [
        ({"base_interval": "0.1s"}, 0.1, 1.0),
        ({"base_interval": "0.01s", "max_interval": "0.04s"}, 0.01, 0.04),
    ],
)
def test_back_off(back_off: Any, base_s: float, max_s: float) -> None:
    policy = _policy(retry_on="5xx", retry_back_off=back_off)
    assert (policy.base_interval_s, policy.max_interval_s) == (pytest.approx(base_s), pytest.approx(max_s))


def test_every_field() -> None:
    policy = _policy(
        retry_on="connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
        num_retries=2,
        per_try_timeout="1.5s",
        per_try_idle_timeout="0.3s",
        retriable_status_codes=[503, 418],
        retry_host_predicate=[{"name": "envoy.retry_host_predicates.previous_hosts"}],
        host_selection_retry_max_attempts="5",
        rate_limited_retry_back_off={
            "reset_headers": [{"name": "Retry-After"}, {"name": "x-reset", "format": "UNIX_TIMESTAMP"}],
            "max_interval": "3s",
        },
        retriable_headers=[{"name": "x-retry", "present_match": True}],
        retriable_request_headers=[{"name": ":method", "string_match": {"exact": "GET"}}],
    )
    assert policy.num_retries == 2
    assert (policy.per_try_timeout_s, policy.per_try_idle_timeout_s) == (1.5, 0.3)
    assert policy.status_codes == {503, 418}
    assert policy.grpc_statuses == {b"14", b"1"}
    assert policy.avoid_previous_hosts
    assert policy.host_selection_attempts == 5
    assert [(h.name, h.unix_time) for h in policy.reset_headers] == [(b"retry-after", False), (b"x-reset", True)]
    assert policy.reset_max_interval_s == 3.0
    assert policy.response_headers[0](request(x_retry="1"))
    assert policy.request_headers[0](request())


def test_no_retries_may_be_asked_for() -> None:
    assert _policy(retry_on="5xx", num_retries=0).num_retries == 0


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        pytest.param({"retry_on": "5xx,often"}, "r.retry_on: 'often' is not a retry condition; use 5xx", id="unknown"),
        pytest.param(
            {"retry_back_off": {"base_interval": "0s"}}, "r.retry_back_off.base_interval: is longer", id="zero"
        ),
        pytest.param(
            {"retry_back_off": {"base_interval": "1s", "max_interval": "0.5s"}},
            "r.retry_back_off.max_interval: is at least",
            id="max below base",
        ),
        pytest.param(
            {"retry_host_predicate": [{"name": "envoy.retry_host_predicates.omit_canary_hosts"}]},
            r"r.retry_host_predicate\[0\]: is not executed; use previous_hosts",
            id="predicate",
        ),
    ],
)
def test_refused(fields: Any, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        _policy(**fields)


def test_blanks_between_conditions_are_allowed() -> None:
    assert parse_retry_on(" 5xx , reset,", "r") == {"5xx", "reset"}
