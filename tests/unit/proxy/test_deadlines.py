from types import SimpleNamespace
from typing import Any

import pytest

from mesh.proxy import deadlines

NOTHING = {
    "route_deadline": 0.0, "try_deadline": 0.0, "request_deadline": 0.0, "end_deadline": 0.0,
    "idle_s": 0.0, "try_idle_s": 0.0, "last_moved": 100.0, "over": False,
}  # fmt: skip


def stream(**moments: Any) -> Any:
    return SimpleNamespace(**{**NOTHING, **moments})


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        pytest.param({}, 0.0, id="the clock does not matter"),
        pytest.param({"route_deadline": 7.0}, 7.0, id="one"),
        pytest.param({"route_deadline": 7.0, "try_deadline": 3.0, "end_deadline": 9.0}, 3.0, id="the earliest"),
        pytest.param({"idle_s": 5.0}, 105.0, id="idle, from when something moved"),
        pytest.param({"idle_s": 5.0, "try_idle_s": 2.0}, 102.0, id="the shorter idle time"),
        pytest.param({"idle_s": 5.0, "request_deadline": 101.0}, 101.0, id="before idle"),
    ],
)
def test_the_earliest(moments: Any, expected: float) -> None:
    assert deadlines.earliest(stream(**moments)) == expected


def test_what_is_over_is_never_late() -> None:
    late = stream(over=True, route_deadline=1.0)
    deadlines.look(late, 2.0)
    assert late.route_deadline == 1.0
