from typing import Any

import pytest

from mesh.routing.errors import Refused
from mesh.routing.match_query import compile_query, query_value
from tests.unit.routing.conftest import message, request


def _compile(**fields: Any) -> Any:
    return compile_query(message("envoy.config.route.v3.route_components:QueryParameterMatcher", fields), "q")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("/", None, id="no query"),
        pytest.param("/?a=1", b"1", id="there"),
        pytest.param("/?a=1&a=2", b"1", id="the first"),
        pytest.param("/?b=a&a", b"", id="no equals sign"),
        pytest.param("/?a=", b"", id="empty"),
        pytest.param("/?a=%20+", b"%20+", id="raw"),
        pytest.param("/?A=1", None, id="case counts"),
        pytest.param("/?b=1;a=2", None, id="a semicolon does not separate"),
        pytest.param("/?x?a=1", None, id="a later question mark belongs to the text"),
        pytest.param("/?a=1?b", b"1?b", id="and to the value"),
        pytest.param("/a", None, id="in the path"),
    ],
)
def test_query_value(path: str, value: bytes | None) -> None:
    assert query_value(path.encode(), b"a") == value


@pytest.mark.parametrize(
    ("matcher", "hits", "misses"),
    [
        pytest.param({"string_match": {"exact": "1"}}, ["/?a=1", "/?a=1&a=2"], ["/", "/?a=2&a=1", "/?a"], id="exact"),
        pytest.param({"string_match": {"exact": ""}}, ["/?a", "/?a="], ["/", "/?a=1"], id="empty"),
        pytest.param({"string_match": {"safe_regex": {"regex": "x+"}}}, ["/?a=xx"], ["/?a=xy"], id="regex"),
        pytest.param({"present_match": True}, ["/?a", "/?a=1"], ["/", "/?b"], id="present"),
        pytest.param({"present_match": False}, ["/", "/?b"], ["/?a"], id="absent"),
        pytest.param({}, ["/?a"], ["/?b"], id="name alone"),
    ],
)
def test_matchers(matcher: Any, hits: list[str], misses: list[str]) -> None:
    test, words = _compile(name="a", **matcher)
    assert [path for path in [*hits, *misses] if test(request(path))] == hits
    assert words


def test_no_name_is_refused() -> None:
    with pytest.raises(Refused, match=r"q\.name: is empty"):
        _compile()
