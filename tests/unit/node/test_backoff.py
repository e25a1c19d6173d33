import pytest

from mesh.node.backoff import Backoff


@pytest.mark.parametrize(
    ("ends_at", "delays"),
    [
        pytest.param([0, 1, 20, 60], [0, 10, 20, 40], id="it doubles"),
        pytest.param([i * 100 for i in range(9)], [0, 10, 20, 40, 80, 160, 300, 300, 300], id="up to five minutes"),
        pytest.param([0, 1, 2, 700], [0, 10, 20, 0], id="ten quiet minutes forget"),
    ],
)
def test_delays(ends_at: list[int], delays: list[int]) -> None:
    backoff = Backoff()
    assert [backoff.next_delay_s(float(at)) for at in ends_at] == delays


def test_it_can_be_shortened() -> None:
    backoff = Backoff(base_s=0.1, cap_s=0.3)
    assert [round(backoff.next_delay_s(0.0), 3) for _ in range(5)] == [0.0, 0.1, 0.2, 0.3, 0.3]


def test_what_never_came_up_waits_the_first_time_already() -> None:
    backoff = Backoff()
    assert [backoff.next_delay_s(float(at), first_at_once=False) for at in range(7)] == [10, 20, 40, 80, 160, 300, 300]
