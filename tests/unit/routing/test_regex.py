import time

import pytest

from mesh.routing import regex
from mesh.routing.errors import Refused
from mesh.routing.regex import compile_substitution, compile_test

COOKIE = "^(.*?;)?(user=jason)(;.*)?$"


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        pytest.param(COOKIE, b"user=jason", True, id="cookie alone"),
        pytest.param(COOKIE, b"a=1;user=jason", True, id="cookie after another"),
        pytest.param(COOKIE, b"a=1; user=jason", False, id="the blank after ; is not in the pattern"),
        pytest.param(COOKIE, b"user=jasonx", False, id="longer"),
        pytest.param("a", b"ba", False, id="the whole text"),
        pytest.param("a|ab", b"ab", True, id="the alternative that fits the whole text"),
        pytest.param("(?i)abc", b"ABC", True, id="flags inside"),
        pytest.param(".*", b"caf\xc3\xa9", True, id="UTF-8"),
        pytest.param(".*", b"caf\xe9", False, id="not UTF-8: as in Envoy, a dot does not take it"),
        pytest.param("", b"", True, id="empty"),
    ],
)
def test_whole_text(pattern: str, text: bytes, matches: bool) -> None:
    test = compile_test(pattern, "at")
    assert test(text) is matches
    assert test(text) is matches  # from the memo


def test_ignoring_case() -> None:
    assert compile_test("ab", "at", ignore_case=True)(b"AB")


def test_the_memo_is_bounded_and_long_texts_stay_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regex, "MEMO_ENTRIES", 4)
    test = compile_test("[0-9]+", "at")
    memo = test.__closure__
    assert memo is not None
    entries = next(cell.cell_contents for cell in memo if isinstance(cell.cell_contents, dict))
    assert all(test(b"%d" % n) for n in range(100))
    assert len(entries) <= 4
    assert test(b"1" * 300)
    assert b"1" * 300 not in entries


def test_a_wicked_pattern_is_linear() -> None:
    test = compile_test("(a*)*b", "at")
    began = time.perf_counter()
    assert not test(b"a" * 20_000)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    ("pattern", "substitution", "text", "result"),
    [
        pytest.param("o", "0", b"foo/boo", b"f00/b00", id="all occurrences"),
        pytest.param("^/re/([a-z]+)/(.*)$", r"/\2/\1", b"/re/a/b/c", b"/b/c/a", id="groups"),
        pytest.param("(a)|(b)", r"<\2>", b"ab", b"<><b>", id="a group that took no part"),
        pytest.param("b+", r"[\0]", b"abba", b"a[bb]a", id="the whole match"),
        pytest.param("a", r"\\", b"a", b"\\", id="a backslash"),
        pytest.param("x", "y", b"abc", b"abc", id="nothing found"),
    ],
)
def test_substitution(pattern: str, substitution: str, text: bytes, result: bytes) -> None:
    assert compile_substitution(pattern, substitution, "at")(text) == result


@pytest.mark.parametrize(
    ("pattern", "substitution", "complaint"),
    [
        pytest.param("(", "", r"rewrite.pattern.regex: missing \)", id="bad pattern"),
        pytest.param("a", r"\1", "rewrite.substitution: .1 names a group, the pattern has 0", id="no such group"),
        pytest.param("a", r"\x", "rewrite.substitution: a backslash stands before a digit", id="bad escape"),
    ],
)
def test_bad_substitutions(pattern: str, substitution: str, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        compile_substitution(pattern, substitution, "rewrite")


def test_a_bad_pattern_is_named_with_its_place() -> None:
    with pytest.raises(Refused, match=r"m.safe_regex.regex: no argument for repetition.*'\*'; write RE2 syntax"):
        compile_test("*", "m.safe_regex.regex")


def test_look_ahead_is_not_re2() -> None:
    with pytest.raises(Refused, match="write RE2 syntax"):
        compile_test("(?=a)", "at")
