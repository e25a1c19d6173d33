"""What numbers do quantities mean?"""

import pytest

from mesh.api.quantities import amount, quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [("10", 10.0), ("500m", 0.5), ("1k", 1000.0), ("1Ki", 1024.0), ("1.5", 1.5), (7, 7.0), ("1e2", 100.0)],
)
def test_amount(text: str | int, number: float) -> None:
    assert amount(text) == number


@pytest.mark.parametrize(("number", "text"), [(10.0, "10"), (0.5, "500m"), (12.3456, "12346m"), (0.0, "0")])
def test_quantity(number: float, text: str) -> None:
    assert quantity(number) == text
