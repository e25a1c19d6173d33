"""The event log answers from any version it still holds."""

import pytest

from mesh.store.log import EventLog, StoreEvent, TooOld
from mesh.store.record import Record


def event(version: int) -> StoreEvent:
    return StoreEvent("ADDED", Record("pods", "d", f"p{version}", version, "u", b"{}", {}, {}), None)


def filled(limit: int, versions: range) -> EventLog:
    log = EventLog(floor=versions.start - 1, limit=limit)
    for version in versions:
        log.append(event(version))
    return log


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        pytest.param(9, [10, 11, 12], id="before-the-first"),
        pytest.param(10, [11, 12], id="at-one"),
        pytest.param(12, [], id="at-the-last"),
        pytest.param(99, [], id="ahead"),
    ],
)
def test_since(since: int, expected: list[int]) -> None:
    assert [found.version for found in filled(100, range(10, 13)).since(since)] == expected


def test_old_events_go_and_the_floor_rises() -> None:
    log = filled(8, range(1, 12))
    assert len(log) == 8
    assert log.floor == 3
    assert [found.version for found in log.since(3)] == list(range(4, 12))
    with pytest.raises(TooOld) as caught:
        log.since(2)
    assert (caught.value.version, caught.value.oldest) == (2, 3)


def test_it_never_holds_more_than_a_quarter_above_its_limit() -> None:
    log = EventLog(0, 100)
    longest = 0
    for version in range(1, 1000):
        log.append(event(version))
        longest = max(longest, len(log))
    assert longest <= 125
