from typing import Any

import pytest

from mesh.routing.errors import Refused
from mesh.routing.strings import compile_string
from tests.unit.routing.conftest import message


def _compile(**fields: Any) -> Any:
    return compile_string(message("envoy.type.matcher.v3.string:StringMatcher", fields), "at")


@pytest.mark.parametrize(
    ("matcher", "hits", "misses"),
    [
        pytest.param({"exact": "Ab"}, [b"Ab"], [b"ab", b"Abc", b""], id="exact"),
        pytest.param({"exact": ""}, [b""], [b"a"], id="exact, empty"),
        pytest.param({"exact": "Ab", "ignore_case": True}, [b"aB"], [b"abc"], id="exact in any case"),
        pytest.param({"prefix": "ab"}, [b"ab", b"abc"], [b"Ab", b"cab"], id="prefix"),
        pytest.param({"prefix": "aB", "ignore_case": True}, [b"ABc"], [b"bab"], id="prefix in any case"),
        pytest.param({"suffix": "bc"}, [b"bc", b"abc"], [b"bcd"], id="suffix"),
        pytest.param({"suffix": "bC", "ignore_case": True}, [b"aBc"], [b"bcd"], id="suffix in any case"),
        pytest.param({"contains": "b"}, [b"abc", b"b"], [b"B", b""], id="contains"),
        pytest.param({"contains": "B", "ignore_case": True}, [b"abc"], [b"ac"], id="contains in any case"),
        pytest.param({"safe_regex": {"regex": "a[0-9]+"}}, [b"a12"], [b"a", b"xa1"], id="regex"),
    ],
)
def test_matchers(matcher: Any, hits: list[bytes], misses: list[bytes]) -> None:
    test, words = _compile(**matcher)
    assert [test(text) for text in hits] == [True] * len(hits)
    assert [test(text) for text in misses] == [False] * len(misses)
    assert words


@pytest.mark.parametrize("kind", ["prefix", "suffix", "contains"])
def test_an_empty_text_is_refused(kind: str) -> None:
    with pytest.raises(Refused, match=f"at.{kind}: is empty"):
        _compile(**{kind: ""})


def test_a_matcher_without_a_pattern_is_refused() -> None:
    with pytest.raises(Refused, match="at: says nothing; use exact"):
        _compile()
