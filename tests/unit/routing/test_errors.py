import pytest

from mesh.routing.errors import Refused, join


@pytest.mark.parametrize(
    ("at", "field", "path"),
    [
        pytest.param("a", "b", "a.b", id="field"),
        pytest.param("", "b", "b", id="at the top"),
        pytest.param("a", "", "a", id="nothing more"),
        pytest.param("a", "[0]", "a[0]", id="index"),
    ],
)
def test_paths(at: str, field: str, path: str) -> None:
    assert join(at, field) == path


def test_a_refusal_is_one_line_with_its_path() -> None:
    assert str(Refused("a.b", "is not executed; use c")) == "a.b: is not executed; use c"
    assert str(Refused("", "is no mapping")) == "is no mapping"
