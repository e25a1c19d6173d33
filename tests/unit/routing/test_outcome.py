import pytest

from mesh.routing.outcome import (
    CONNECT_FAILED,
    CONNECT_TIMEOUT,
    NEVER_SENT,
    OVERFLOW,
    PROTOCOL_ERROR,
    ROUTE_TIMEOUT,
    TERMINATED,
    TRY_TIMEOUT,
    Outcome,
    answer,
)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        pytest.param(answer(404), 404, id="an answer stands for itself"),
        pytest.param(Outcome(CONNECT_FAILED), 503, id="refused"),
        pytest.param(Outcome(CONNECT_TIMEOUT), 503, id="connect timeout"),
        pytest.param(Outcome(TERMINATED), 503, id="terminated"),
        pytest.param(Outcome(PROTOCOL_ERROR), 503, id="garbage"),
        pytest.param(Outcome(TRY_TIMEOUT), 504, id="try timeout"),
        pytest.param(Outcome(ROUTE_TIMEOUT), 504, id="route timeout"),
    ],
)
def test_the_status_that_stands_for_an_outcome(outcome: Outcome, status: int) -> None:
    assert outcome.status_or_stand_in == status
    assert outcome.answered == (status == 404)


def test_only_failed_connections_were_never_sent() -> None:
    assert {CONNECT_FAILED, CONNECT_TIMEOUT} == NEVER_SENT
    assert OVERFLOW not in NEVER_SENT
