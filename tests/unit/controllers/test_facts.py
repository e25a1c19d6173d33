"""What is true of a pod and of conditions?"""

from typing import Any

import pytest

from mesh.api.core import Pod
from mesh.api.meta import Condition
from mesh.controllers.facts import (
    active,
    available_in,
    condition,
    controlled_by,
    controller_reference,
    dump_conditions,
    finished,
    fresh_condition,
    ready_since,
    restarts,
    seconds_of,
    with_condition,
)
from mesh.runtime.clock import rfc3339

WALL = 1_780_000_000.0


def pod(*, phase: str = "Running", ready_for_s: float | None = None, going: bool = False, **status: Any) -> Pod:
    conditions = []
    if ready_for_s is not None:
        stamp = rfc3339(WALL - ready_for_s)
        conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": stamp}]
    metadata = {"name": "p", **({"deletionTimestamp": rfc3339(WALL)} if going else {})}
    return Pod.model_validate({"metadata": metadata, "status": {"phase": phase, "conditions": conditions, **status}})


@pytest.mark.parametrize(
    ("which", "counts", "ended"),
    [
        pytest.param(pod(), True, False, id="running"),
        pytest.param(pod(phase="Pending"), True, False, id="pending"),
        pytest.param(pod(going=True), False, False, id="terminating"),
        pytest.param(pod(phase="Failed"), False, True, id="failed"),
        pytest.param(pod(phase="Succeeded"), False, True, id="succeeded"),
    ],
)
def test_which_pods_count(which: Pod, counts: bool, ended: bool) -> None:
    assert (active(which), finished(which)) == (counts, ended)


@pytest.mark.parametrize(
    ("which", "min_ready_s", "expected"),
    [
        pytest.param(pod(), 0, None, id="not-ready"),
        pytest.param(pod(ready_for_s=0), 0, 0.0, id="ready-is-enough"),
        pytest.param(pod(ready_for_s=4), 10, 6.0, id="not-long-enough"),
        pytest.param(pod(ready_for_s=11), 10, 0.0, id="long-enough"),
    ],
)
def test_availability(which: Pod, min_ready_s: int, expected: float | None) -> None:
    assert available_in(which, min_ready_s, WALL) == expected


def test_times_that_can_not_be_read_are_none() -> None:
    assert (seconds_of(None), seconds_of(""), seconds_of("yesterday")) == (None, None, None)
    assert seconds_of("1970-01-01T00:00:10Z") == 10
    assert ready_since(pod()) is None


def test_restarts_are_summed() -> None:
    statuses = [{"name": "a", "restartCount": 2}, {"name": "b", "restartCount": 3}]
    assert restarts(pod(containerStatuses=statuses)) == 5


def test_a_condition_keeps_its_transition_time_until_it_flips() -> None:
    first = fresh_condition("Ready", "True", "A", "a", WALL)
    same = with_condition([first], fresh_condition("Ready", "True", "B", "b", WALL + 60))
    assert (same[0].reason, same[0].last_transition_time) == ("B", first.last_transition_time)
    assert same[0].last_update_time != first.last_update_time
    flipped = with_condition(same, fresh_condition("Ready", "False", "C", "c", WALL + 90))
    assert flipped[0].last_transition_time == rfc3339(WALL + 90)
    other = with_condition(flipped, Condition(type="Other"))
    assert [c.type for c in other] == ["Ready", "Other"]
    assert condition(other, "None") is None
    assert dump_conditions([]) is None


def test_a_namesake_is_no_owner() -> None:
    owner = Pod.model_validate({"metadata": {"name": "o", "uid": "1"}})
    namesake = Pod.model_validate({"metadata": {"name": "o", "uid": "2"}})
    child = pod()
    child.metadata.owner_references = [controller_reference(owner)]
    assert controlled_by(child, owner)
    assert not controlled_by(child, namesake)
