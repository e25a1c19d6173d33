from typing import Any

import pytest

from mesh.routing.errors import Refused
from mesh.routing.match_header import compile_header, shown
from mesh.routing.request import Request
from tests.unit.routing.conftest import message, request


def _compile(**fields: Any) -> Any:
    return compile_header(message("envoy.config.route.v3.route_components:HeaderMatcher", fields), "h")


def _head(*values: str) -> Request:
    return Request(b"GET", b"/", b"svc", [(b"x", value.encode()) for value in values])


EXACT = {"string_match": {"exact": "v"}}
EMPTY = {"treat_missing_header_as_empty": True}
INVERT = {"invert_match": True}


@pytest.mark.parametrize(
    ("matcher", "absent", "empty", "hit", "miss", "hit_and_miss", "misses"),
    [
        pytest.param(EXACT, False, False, True, False, True, False, id="exact"),
        pytest.param({**EXACT, **INVERT}, False, True, False, True, False, True, id="not exact"),
        pytest.param({**EXACT, **INVERT, **EMPTY}, True, True, False, True, False, True, id="without exact"),
        pytest.param({**EXACT, **EMPTY}, False, False, True, False, True, False, id="exact, missing as empty"),
        pytest.param({"string_match": {"exact": ""}}, False, True, False, False, False, False, id="exact empty"),
        pytest.param(
            {"string_match": {"exact": ""}, **EMPTY}, True, True, False, False, False, False, id="empty or no"
        ),
        pytest.param({"present_match": True}, False, True, True, True, True, True, id="present"),
        pytest.param({"present_match": False}, True, False, False, False, False, False, id="not present"),
        pytest.param({"present_match": True, **INVERT}, True, False, False, False, False, False, id="inverted present"),
        pytest.param({"present_match": True, **EMPTY}, True, True, True, True, True, True, id="present or as empty"),
        pytest.param({"present_match": True, **EMPTY, **INVERT}, False, False, False, False, False, False, id="never"),
        pytest.param({}, False, True, True, True, True, True, id="name alone: present"),
        pytest.param({**INVERT}, True, False, False, False, False, False, id="name alone, inverted"),
        pytest.param({"string_match": {"safe_regex": {"regex": ".*"}}}, False, True, True, True, True, True, id="any"),
        pytest.param(
            {"string_match": {"safe_regex": {"regex": ".*"}}, **INVERT},
            False,
            False,
            False,
            False,
            False,
            False,
            id="no",
        ),
    ],
)
def test_lines_are_judged_one_by_one(
    matcher: Any, absent: bool, empty: bool, hit: bool, miss: bool, hit_and_miss: bool, misses: bool
) -> None:
    test, _ = _compile(name="x", **matcher)
    heads = [_head(), _head(""), _head("v"), _head("w"), _head("w", "v"), _head("w", "u")]
    assert [test(head) for head in heads] == [absent, empty, hit, miss, hit_and_miss, misses]


def test_values_are_not_joined() -> None:
    test, _ = _compile(name="x", string_match={"exact": "v,w"})
    assert not test(_head("v", "w"))
    assert test(_head("v,w"))


@pytest.mark.parametrize(
    ("value", "matches"),
    [("1", True), ("9", True), ("10", False), ("0", False), ("+5", True), ("5x", False), ("5.5", False), ("", False)],
)
def test_range(value: str, matches: bool) -> None:
    test, _ = _compile(name="x", range_match={"start": "1", "end": "10"})
    assert test(_head(value)) is matches


def test_negative_range() -> None:
    test, _ = _compile(name="x", range_match={"start": "-5", "end": "0"})
    assert [test(_head(v)) for v in ("-5", "-1", "0")] == [True, True, False]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (":method", "GET"),
        (":path", "/p?q=1"),
        (":authority", "SVC:80"),
        ("host", "SVC:80"),
        (":scheme", "http"),
        ("Host", "SVC:80"),
    ],
)
def test_pseudo_headers(name: str, value: str) -> None:
    head = request("/p?q=1", "SVC:80")
    assert _compile(name=name, string_match={"exact": value})[0](head)
    assert not _compile(name=name, string_match={"exact": value.swapcase() + "x"})[0](head)
    assert not _compile(name=name, string_match={"exact": value}, invert_match=True)[0](head)
    assert _compile(name=name, present_match=True)[0](head)
    assert not _compile(name=name, present_match=False)[0](head)


@pytest.mark.parametrize(
    ("fields", "hit"),
    [
        ({"exact_match": "abc"}, "abc"),
        ({"prefix_match": "ab"}, "abc"),
        ({"suffix_match": "bc"}, "abc"),
        ({"contains_match": "b"}, "abc"),
        ({"safe_regex_match": {"regex": "a.c"}}, "abc"),
    ],
)
def test_the_older_spellings(fields: Any, hit: str) -> None:
    test, _ = _compile(name="X", **fields)
    assert test(_head(hit))
    assert not test(_head("zzz"))


def test_names_are_the_headers_lower_case() -> None:
    assert _compile(name="X-User", string_match={"exact": "jo"})[0](request(x_user="jo"))


def test_no_name_is_refused() -> None:
    with pytest.raises(Refused, match=r"h\.name: is empty"):
        _compile(present_match=True)


@pytest.mark.parametrize(
    ("values", "text"), [((), "absent"), (("a",), "'a'"), (("a", "b"), "'a' and 'b'")], ids=["none", "one", "two"]
)
def test_shown(values: tuple[str, ...], text: str) -> None:
    assert shown(_head(*values), "x") == text
