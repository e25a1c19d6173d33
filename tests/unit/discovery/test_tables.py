import pytest

from mesh.discovery.tables import Layered


def test_own_entries_lie_over_the_shared_ones() -> None:
    layered = Layered({b"a": 1}, {b"b": 2})
    assert dict(layered) == {b"a": 1, b"b": 2}
    assert (len(layered), b"b" in layered, b"c" in layered, layered.get(b"c")) == (2, True, False, None)
    with pytest.raises(KeyError):
        layered[b"c"]


def test_an_empty_value_of_its_own_counts() -> None:
    assert Layered({b"a": ()}, {b"b": (1,)})[b"a"] == ()
