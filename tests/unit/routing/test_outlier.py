import random
from typing import Any

import pytest

from mesh.routing.outcome import CONNECT_FAILED, OVERFLOW, TERMINATED, TRY_TIMEOUT, Outcome, answer
from mesh.routing.outlier import (
    CONSECUTIVE_5XX,
    CONSECUTIVE_GATEWAY_FAILURE,
    CONSECUTIVE_LOCAL_ORIGIN_FAILURE,
    Monitor,
    Verdict,
    may_eject,
    record,
    tick,
)
from mesh.routing.spec import OutlierSpec

REFUSED, RESET, LATE = Outcome(CONNECT_FAILED), Outcome(TERMINATED), Outcome(TRY_TIMEOUT)


def _run(spec: OutlierSpec, outcomes: list[Any]) -> list[str | None]:
    """The cause of an ejection after each outcome (numbers are statuses); the endpoint returns at once."""
    monitor, rng = Monitor(), random.Random(1)
    causes = []
    for outcome in outcomes:
        made = answer(outcome) if isinstance(outcome, int) else outcome
        verdict = record(spec, monitor, made, 0.0, 0, 1, rng)
        causes.append(verdict.cause if verdict is not None and verdict.ejected else None)
        monitor.ejected_s = None
    return causes


FIVE = OutlierSpec(consecutive_5xx=3, max_ejection_percent=100)
GATEWAY = OutlierSpec(
    consecutive_5xx=0,
    consecutive_gateway_failure=2,
    enforcing_consecutive_gateway_failure=100,
    max_ejection_percent=100,
)
SPLIT = OutlierSpec(
    consecutive_5xx=2,
    consecutive_local_origin_failure=2,
    split_external_local_origin_errors=True,
    max_ejection_percent=100,
)


@pytest.mark.parametrize(
    ("spec", "outcomes", "last"),
    [
        pytest.param(FIVE, [500, 500, 500], CONSECUTIVE_5XX, id="three 500"),
        pytest.param(FIVE, [500, 503, REFUSED], CONSECUTIVE_5XX, id="any mixture"),
        pytest.param(FIVE, [RESET, LATE, 599], CONSECUTIVE_5XX, id="no answer counts"),
        pytest.param(FIVE, [500, 500, 200, 500], None, id="200 resets"),
        pytest.param(FIVE, [500, 500, 404, 500], None, id="404 resets"),
        pytest.param(FIVE, [500, 500, Outcome(OVERFLOW), 500], CONSECUTIVE_5XX, id="overflow says nothing of the host"),
        pytest.param(FIVE, [500] * 5, None, id="counts anew after an ejection"),
        pytest.param(FIVE, [500] * 6, CONSECUTIVE_5XX, id="and reaches it again"),
        pytest.param(FIVE, [600, 600, 600], None, id="600 is no 5xx"),
        pytest.param(GATEWAY, [503, 504], CONSECUTIVE_GATEWAY_FAILURE, id="gateway failures"),
        pytest.param(GATEWAY, [REFUSED, LATE], CONSECUTIVE_GATEWAY_FAILURE, id="gateway: no answer counts"),
        pytest.param(GATEWAY, [503, 500, 503], None, id="500 resets the gateway counter"),
        pytest.param(GATEWAY, [500, 500, 500], None, id="500 is no gateway failure"),
        pytest.param(OutlierSpec(max_ejection_percent=100), [503] * 4, None, id="default: five"),
        pytest.param(
            OutlierSpec(max_ejection_percent=100), [503] * 5, CONSECUTIVE_5XX, id="default: gateway not enforced"
        ),
        pytest.param(SPLIT, [RESET, RESET, RESET], None, id="split: a reset counts for nobody"),
        pytest.param(SPLIT, [REFUSED, REFUSED], CONSECUTIVE_LOCAL_ORIGIN_FAILURE, id="split: refused counts as ours"),
        pytest.param(SPLIT, [REFUSED, 200, REFUSED], None, id="split: an answer resets it"),
        pytest.param(SPLIT, [500, REFUSED, 500], CONSECUTIVE_5XX, id="split: ours leaves theirs alone"),
    ],
)
def test_counters(spec: OutlierSpec, outcomes: list[Any], last: str | None) -> None:
    assert _run(spec, outcomes)[-1] == last


@pytest.mark.parametrize(
    ("percent", "out", "hosts", "always", "allowed"),
    [
        pytest.param(10, 0, 9, False, False, id="nine hosts at 10 %"),
        pytest.param(10, 0, 10, False, True, id="ten hosts at 10 %"),
        pytest.param(10, 1, 10, False, False, id="one of ten is out"),
        pytest.param(33, 0, 3, False, False, id="three hosts need 34"),
        pytest.param(34, 0, 3, False, True, id="three hosts have 34"),
        pytest.param(50, 0, 2, False, True, id="two hosts have 50"),
        pytest.param(50, 1, 2, False, False, id="not the second of two"),
        pytest.param(100, 1, 2, False, True, id="all may go"),
        pytest.param(10, 0, 2, True, True, id="one may always go"),
        pytest.param(10, 1, 2, True, False, id="but not two"),
        pytest.param(0, 0, 100, False, False, id="none may go"),
    ],
)
def test_how_many_may_go(percent: int, out: int, hosts: int, always: bool, allowed: bool) -> None:
    assert may_eject(OutlierSpec(max_ejection_percent=percent, always_eject_one_host=always), out, hosts) is allowed


def test_too_many_out_is_said_and_the_counter_starts_anew() -> None:
    spec, monitor, rng = OutlierSpec(consecutive_5xx=2), Monitor(), random.Random(1)
    assert record(spec, monitor, answer(500), 0.0, 0, 3, rng) is None
    assert record(spec, monitor, answer(500), 0.0, 0, 3, rng) == Verdict(CONSECUTIVE_5XX, ejected=False, overflow=True)
    assert record(spec, monitor, answer(500), 0.0, 0, 3, rng) is None
    assert monitor.ejected_s is None


def test_enforcement_is_by_chance() -> None:
    spec = OutlierSpec(consecutive_5xx=1, enforcing_consecutive_5xx=30, max_ejection_percent=100)
    rng = random.Random(4)
    verdicts = [record(spec, Monitor(), answer(500), 0.0, 0, 1, rng) for _ in range(2000)]
    assert sum(v is not None and v.ejected for v in verdicts) / 2000 == pytest.approx(0.3, abs=0.04)


def test_a_counter_that_lets_go_leaves_the_other_its_turn() -> None:
    spec = OutlierSpec(
        consecutive_5xx=2,
        consecutive_gateway_failure=2,
        enforcing_consecutive_gateway_failure=0,
        max_ejection_percent=100,
    )
    assert _run(spec, [503, 503]) == [None, CONSECUTIVE_5XX]


def test_an_ejected_endpoint_is_not_ejected_again() -> None:
    spec, monitor = OutlierSpec(consecutive_5xx=1, max_ejection_percent=100), Monitor()
    assert record(spec, monitor, answer(500), 5.0, 0, 2, random.Random(1)) == Verdict(CONSECUTIVE_5XX, ejected=True)
    assert record(spec, monitor, answer(500), 6.0, 1, 2, random.Random(1)) == Verdict(CONSECUTIVE_5XX, ejected=False)
    assert (monitor.ejected_s, monitor.times) == (5.0, 1)


@pytest.mark.parametrize(
    ("times", "after_s", "back"),
    [
        (1, 0.3, False),
        (1, 0.4, True),
        (2, 0.7, False),
        (2, 0.8, True),
        (3, 1.2, True),
        (900, 2.9, False),
        (900, 3.0, True),
    ],
)
def test_the_time_out_grows_with_every_ejection(times: int, after_s: float, back: bool) -> None:
    spec = OutlierSpec(base_ejection_time_s=0.4, max_ejection_time_s=3.0)
    monitor = Monitor(ejected_s=10.0, times=times)
    assert tick(spec, [monitor], 10.0 + after_s + 1e-9) == ([monitor] if back else [])
    assert (monitor.ejected_s is None) == back
    assert monitor.times == times


@pytest.mark.parametrize(("healthy_ticks", "k"), [(0, 4), (1, 3), (2, 2), (4, 1)])
def test_healthy_ticks_shrink_it(healthy_ticks: int, k: int) -> None:
    spec = OutlierSpec(consecutive_5xx=1, max_ejection_percent=100)
    monitor = Monitor(times=3)
    for _ in range(healthy_ticks):
        assert tick(spec, [monitor], 0.0) == []
    record(spec, monitor, answer(500), 1.0, 0, 1, random.Random(1))
    assert monitor.times == k
