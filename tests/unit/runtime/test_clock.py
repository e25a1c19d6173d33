"""Times as objects show them."""

import pytest

from mesh.runtime.clock import SystemClock, parse_rfc3339, rfc3339, rfc3339_micro


def test_both_forms() -> None:
    assert rfc3339(1_795_000_000.9) == "2026-11-18T11:06:40Z"
    assert rfc3339_micro(1_795_000_000.25) == "2026-11-18T11:06:40.250000Z"


def test_there_and_back() -> None:
    assert parse_rfc3339(rfc3339_micro(1_795_000_000.25)) == 1_795_000_000.25


def test_not_a_time() -> None:
    with pytest.raises(ValueError, match="tomorrow"):
        parse_rfc3339("tomorrow")


def test_monotonic_time_does_not_go_back() -> None:
    clock = SystemClock()
    assert clock.now() <= clock.now()
    assert clock.wall() > 1_700_000_000
