from fractions import Fraction

import pytest

from mesh.api.durations import parse_ms


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        pytest.param("10s", 10_000, id="seconds"),
        pytest.param("0.5s", 500, id="part-of-a-second"),
        pytest.param(".5s", 500, id="no-leading-zero"),
        pytest.param("100ms", 100, id="milliseconds"),
        pytest.param("1m30s", 90_000, id="added-up"),
        pytest.param("1h", 3_600_000, id="hours"),
        pytest.param("1500us", Fraction(3, 2), id="exact-below-a-millisecond"),
        pytest.param("0", 0, id="zero-needs-no-unit"),
        pytest.param("-1s", -1000, id="negative"),
        pytest.param("10", None, id="no-unit"),
        pytest.param("", None, id="empty"),
        pytest.param("s", None, id="no-number"),
        pytest.param("1d", None, id="unknown-unit"),
        pytest.param("1 s", None, id="blank-inside"),
    ],
)
def test_parse_ms(text: str, milliseconds: Fraction | None) -> None:
    assert parse_ms(text) == milliseconds
