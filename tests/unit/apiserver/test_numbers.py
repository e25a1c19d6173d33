"""Numbers in queries."""

import pytest

from mesh.api.errors import BadRequest
from mesh.apiserver.numbers import whole


@pytest.mark.parametrize(("text", "number"), [pytest.param("", 0, id="empty"), pytest.param("42", 42, id="number")])
def test_numbers(text: str, number: int) -> None:
    assert whole("limit", text) == number


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("²", id="raised-two"),
        pytest.param("٣", id="other-digits"),
        pytest.param("-1", id="negative"),
        pytest.param("1.5", id="fraction"),
        pytest.param("9" * 5000, id="endless"),
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(BadRequest, match="limit: "):
        whole("limit", text)
