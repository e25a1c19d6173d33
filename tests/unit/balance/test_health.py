import pytest

from mesh.balance.health import Count, Load, loads


def _c(healthy: int, hosts: int, degraded: int = 0) -> Count:
    return Count(healthy, degraded, hosts)


@pytest.mark.parametrize(
    ("counts", "wanted"),
    [
        pytest.param([_c(5, 5), _c(5, 5)], [100, 0], id="all healthy"),
        pytest.param([_c(4, 5), _c(5, 5)], [100, 0], id="one of five down: 1.4 covers it"),
        pytest.param([_c(3, 5), _c(5, 5)], [84, 16], id="two of five down"),
        pytest.param([_c(2, 5), _c(5, 5)], [56, 44], id="three of five down"),
        pytest.param([_c(1, 5), _c(5, 5)], [28, 72], id="four of five down"),
        pytest.param([_c(0, 5), _c(5, 5)], [0, 100], id="all down: the next takes everything"),
        pytest.param([_c(0, 5), _c(0, 3)], [63, 37], id="nobody: by hosts, remainder first"),
        pytest.param([_c(0, 2), _c(0, 1), _c(0, 3)], [34, 16, 50], id="nobody in three priorities"),
        pytest.param([_c(0, 0), _c(3, 3)], [0, 100], id="an empty priority"),
    ],
)
def test_load_of_priorities(counts: list[Count], wanted: list[int]) -> None:
    assert [load.healthy for load in loads(counts)] == wanted


@pytest.mark.parametrize(
    ("counts", "wanted"),
    [
        pytest.param([_c(1, 5), _c(1, 5)], [50, 50], id="28 and 28"),
        pytest.param([_c(1, 5), _c(2, 5)], [34, 66], id="28 and 56: remainder first"),
        pytest.param([_c(0, 5), _c(2, 5)], [0, 100], id="0 and 56"),
        pytest.param([_c(0, 5), _c(0, 5)], [100, 0], id="nobody: the first is asked in vain"),
    ],
)
def test_load_of_priorities_that_never_panic(counts: list[Count], wanted: list[int]) -> None:
    assert [load.healthy for load in loads(counts, panic_threshold=0.0)] == wanted


@pytest.mark.parametrize(
    ("count", "threshold", "panic"),
    [
        pytest.param(_c(2, 5), 50.0, True, id="below the threshold"),
        pytest.param(_c(2, 4), 50.0, False, id="on the threshold"),
        pytest.param(_c(2, 5), 0.0, False, id="switched off"),
        pytest.param(_c(0, 5), 0.0, False, id="switched off, nobody left"),
        pytest.param(_c(0, 5), 50.0, True, id="nobody left"),
        pytest.param(_c(0, 5, degraded=5), 50.0, False, id="degraded hosts are not dead"),
    ],
)
def test_panic(count: Count, threshold: float, panic: bool) -> None:
    assert loads([count], panic_threshold=threshold)[0].panic is panic


def test_a_failing_priority_does_not_panic_when_another_is_well() -> None:
    assert loads([_c(0, 5), _c(5, 5)]) == (Load(0, 0), Load(100, 0))


@pytest.mark.parametrize(
    ("count", "wanted"),
    [
        pytest.param(_c(2, 5, degraded=3), Load(56, 44), id="healthy first"),
        pytest.param(_c(0, 5, degraded=5), Load(0, 100), id="all degraded"),
        pytest.param(_c(4, 5, degraded=1), Load(100, 0), id="healthy ones can take it all"),
    ],
)
def test_degraded_hosts_take_what_is_left(count: Count, wanted: Load) -> None:
    assert loads([count], panic_threshold=0.0) == (wanted,)


def test_loads_always_sum_to_a_hundred() -> None:
    for a in range(6):
        for b in range(8):
            for c in range(4):
                got = loads([_c(a, 5), _c(b, 7), _c(c, 3)])
                assert sum(load.healthy + load.degraded for load in got) == 100, (a, b, c)


def test_no_hosts_no_load() -> None:
    assert loads([]) == ()
    assert loads([_c(0, 0)]) == (Load(0, 0, True),)
