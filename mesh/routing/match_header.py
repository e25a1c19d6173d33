"""Does a request's header satisfy a HeaderMatcher?

Each line of a repeated header is judged on its own and one hit is enough; values are never joined. A header
that is absent satisfies only an absence test, or a test that takes it as empty. `invert_match` turns a test
round for a header that is there; an absent header fails an inverted test too (treat_missing_header_as_empty is
what Istio sets to mean "without").
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from mesh.routing.errors import Refused, join
from mesh.routing.regex import Test, compile_test
from mesh.routing.request import Request, named
from mesh.routing.strings import compile_string

Match = Callable[[Request], bool]

_DECIMAL = re.compile(rb"[+-]?[0-9]{1,19}")
_PSEUDO = (b":authority", b"host", b":path", b":method", b":scheme")
_OLD_FORMS = {"exact_match": "exact", "prefix_match": "prefix", "suffix_match": "suffix", "contains_match": "contains"}


def compile_header(matcher: Any, at: str) -> tuple[Match, str]:
    """(test of a request, what it wants in words) for an envoy.config.route.v3.HeaderMatcher."""
    name = matcher.name.lower().encode()
    if not name:
        raise Refused(join(at, "name"), "is empty; name a header")
    kind = matcher.WhichOneof("header_match_specifier")
    invert: bool = matcher.invert_match
    if kind is None or kind == "present_match":
        wanted = (kind is None or matcher.present_match) != invert
        if matcher.treat_missing_header_as_empty:
            # An absent header counts as an empty one, so it is always there.
            return (lambda request: wanted), "is there (absent counts as empty)" if wanted else "is absent, never"
        return _presence(name, wanted), "is there" if wanted else "is absent"
    test, wants = _value_test(matcher, kind, at)
    missing = matcher.treat_missing_header_as_empty and (test(b"") != invert)
    words = f"{'not: ' if invert else ''}{wants}"
    if matcher.treat_missing_header_as_empty:
        words += " (absent counts as empty)"
    if name in _PSEUDO:
        return _pseudo(name, test, invert), words
    if invert:
        return _none_of(name, test, missing), words
    return _any_of(name, test, missing), words


def _value_test(matcher: Any, kind: str, at: str) -> tuple[Test, str]:
    if kind == "string_match":
        return compile_string(matcher.string_match, join(at, kind))
    if kind == "range_match":
        start, end = matcher.range_match.start, matcher.range_match.end
        return _range(start, end), f"is an integer from {start} to below {end}"
    if kind == "safe_regex_match":
        pattern = matcher.safe_regex_match.regex
        return compile_test(pattern, join(at, "safe_regex_match.regex")), f"matches regex {pattern}"
    if kind in _OLD_FORMS:
        from envoy.type.matcher.v3 import string_pb2

        text = getattr(matcher, kind)
        return compile_string(string_pb2.StringMatcher(**{_OLD_FORMS[kind]: text}), join(at, kind))
    raise Refused(join(at, kind), "is not executed; use string_match, range_match or present_match")


def _range(start: int, end: int) -> Test:
    def test(text: bytes) -> bool:
        return _DECIMAL.fullmatch(text) is not None and start <= int(text) < end

    return test


def _presence(name: bytes, wanted: bool) -> Match:
    if name in _PSEUDO:
        return lambda request: wanted
    if wanted:

        def there(request: Request) -> bool:
            return any(key == name for key, _ in request.headers)

        return there

    def absent(request: Request) -> bool:
        return all(key != name for key, _ in request.headers)

    return absent


def _pseudo(name: bytes, test: Test, invert: bool) -> Match:
    if name == b":method":
        return lambda request: test(request.method) != invert
    if name == b":path":
        return lambda request: test(request.path) != invert
    if name == b":scheme":
        return lambda request: test(request.scheme) != invert
    return lambda request: test(request.authority) != invert


def _any_of(name: bytes, test: Test, missing: bool) -> Match:
    """True when one line passes; `missing` is the answer when there is no line."""

    def match(request: Request) -> bool:
        seen = False
        for key, value in request.headers:
            if key == name:
                if test(value):
                    return True
                seen = True
        return missing and not seen

    return match


def _none_of(name: bytes, test: Test, missing: bool) -> Match:
    """True when there are lines and none passes; `missing` is the answer when there is no line."""

    def match(request: Request) -> bool:
        seen = False
        for key, value in request.headers:
            if key == name:
                if test(value):
                    return False
                seen = True
        return seen or missing

    return match


def shown(request: Request, name: str) -> str:
    """The lines of a header as an explanation shows them."""
    values = named(request, name.encode())
    return "absent" if not values else " and ".join(repr(v.decode("utf-8", "replace")) for v in values)
