import pytest

from mesh.balance.host import equal_weights
from tests.unit.balance.conftest import hosts_of


@pytest.mark.parametrize(("weights", "equal"), [([], True), ([3], True), ([5, 5, 5], True), ([1, 1, 2], False)])
def test_equal_weights(weights: list[int], equal: bool) -> None:
    assert equal_weights(hosts_of([str(i) for i in range(len(weights))], weights)) is equal
