"""Does one text satisfy a StringMatcher?

exact, prefix, suffix, contains and safe_regex, each with ignore_case; compiled to one function of the text.
"""

from __future__ import annotations

from typing import Any

from mesh.routing.errors import Refused, join
from mesh.routing.regex import Test, compile_test


def compile_string(matcher: Any, at: str) -> tuple[Test, str]:
    """(test, description) for an envoy.type.matcher.v3.StringMatcher."""
    kind = matcher.WhichOneof("match_pattern")
    if kind == "safe_regex":
        pattern = matcher.safe_regex.regex
        # Envoy ignores ignore_case for regular expressions: the pattern has (?i) of its own.
        return compile_test(pattern, join(at, "safe_regex.regex")), f"matches regex {pattern}"
    if kind not in ("exact", "prefix", "suffix", "contains"):
        raise Refused(at, "says nothing; use exact, prefix, suffix, contains or safe_regex")
    text = getattr(matcher, kind)
    if not text and kind != "exact":
        raise Refused(join(at, kind), "is empty; write at least one character")
    word = {"exact": "is", "prefix": "starts with", "suffix": "ends with", "contains": "contains"}[kind]
    described = f"{word} {text!r}" + (" in any case" if matcher.ignore_case else "")
    return _plain(kind, text.encode(), matcher.ignore_case), described


def _plain(kind: str, want: bytes, ignore_case: bool) -> Test:
    if ignore_case:
        low = want.lower()
        return {
            "exact": lambda text: text.lower() == low,
            "prefix": lambda text: text.lower().startswith(low),
            "suffix": lambda text: text.lower().endswith(low),
            "contains": lambda text: low in text.lower(),
        }[kind]
    return {
        "exact": lambda text: text == want,
        "prefix": lambda text: text.startswith(want),
        "suffix": lambda text: text.endswith(want),
        "contains": lambda text: want in text,
    }[kind]
