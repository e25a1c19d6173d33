import pytest

from mesh.routing.decision import Decision


@pytest.mark.parametrize(
    ("raised", "shown"),
    [
        pytest.param([], b"", id="none"),
        pytest.param([b"UH"], b"UH", id="one"),
        pytest.param([b"URX", b"UF"], b"URX,UF", id="in the order of raising"),
        pytest.param([b"DI", b"FI", b"DI"], b"DI,FI", id="twice is once"),
        pytest.param([b"UPE", b"UP"], b"UPE,UP", id="a part of another is not it"),
    ],
)
def test_flags(raised: list[bytes], shown: bytes) -> None:
    decision = Decision(1.0)
    for flag in raised:
        decision.flag(flag)
    assert decision.flags == shown


def test_a_record_has_no_other_fields() -> None:
    with pytest.raises(AttributeError):
        Decision(1.0).colour = "red"  # type: ignore[attr-defined]
