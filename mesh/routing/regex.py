"""How does a rule's regular expression run?

On RE2, Envoy's own engine: linear in the text, so no rule and no header can make a request slow. A match
means the whole text (Envoy's full match). Text is bytes; bytes that are not UTF-8 never match `.`, as in Envoy.

The wrapper class of google-re2 builds generators and span objects for each call (1.4 us); a yes or no needs
one call of its engine (0.5 us). Cookies and paths repeat on kept-alive connections, so a bounded memo in
front of the engine answers those in 0.1 us. Both give exactly RE2's answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import re2

from mesh.routing.errors import Refused

MEMO_ENTRIES = 512
MEMO_TEXT_BYTES = 256
_BOTH = re2._re2.RE2.Anchor.ANCHOR_BOTH
_NOWHERE = (-1, -1)

Test = Callable[[bytes], bool]


def _options(ignore_case: bool, capture: bool) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = not capture
    options.case_sensitive = not ignore_case
    return options


def compile_test(pattern: str, at: str, ignore_case: bool = False) -> Test:
    """A function that says whether the whole of a text matches. Raises Refused where RE2 objects."""
    try:
        engine = re2.compile(pattern.encode(), _options(ignore_case, capture=False))
    except re2.error as error:
        raise Refused(at, f"{_why(error)} in the regular expression {pattern!r}; write RE2 syntax") from None
    run = engine._regexp.Match
    memo: dict[bytes, bool] = {}
    known = memo.get

    def test(text: bytes) -> bool:
        answer = known(text)
        if answer is None:
            size = len(text)
            answer = run(_BOTH, text, 0, size)[0] != _NOWHERE
            if size <= MEMO_TEXT_BYTES:
                if len(memo) >= MEMO_ENTRIES:
                    memo.clear()
                memo[text] = answer
        return answer

    return test


def compile_substitution(pattern: str, substitution: str, at: str) -> Callable[[bytes], bytes]:
    """A function that replaces every occurrence; `\\1` to `\\9` are groups, `\\0` the whole match."""
    try:
        engine = re2.compile(pattern.encode(), _options(ignore_case=False, capture=True))
    except re2.error as error:
        raise Refused(f"{at}.pattern.regex", f"{_why(error)} in {pattern!r}; write RE2 syntax") from None
    pieces = _pieces(substitution.encode(), engine.groups, f"{at}.substitution")

    def expand(match: Any) -> bytes:
        return b"".join(piece if isinstance(piece, bytes) else (match.group(piece) or b"") for piece in pieces)

    def substitute(text: bytes) -> bytes:
        replaced: bytes = engine.sub(expand, text)
        return replaced

    return substitute


def _pieces(template: bytes, groups: int, at: str) -> list[bytes | int]:
    pieces: list[bytes | int] = []
    literal = bytearray()
    i = 0
    while i < len(template):
        char = template[i : i + 1]
        if char != b"\\":
            literal += char
            i += 1
            continue
        code = template[i + 1 : i + 2]
        if code == b"\\":
            literal += b"\\"
        elif code.isdigit():
            if int(code) > groups:
                raise Refused(at, f"\\{code.decode()} names a group, the pattern has {groups}")
            pieces += [bytes(literal), int(code)]
            literal.clear()
        else:
            raise Refused(at, "a backslash stands before a digit or another backslash")
        i += 2
    return [*pieces, bytes(literal)]


def _why(error: Exception) -> str:
    reason = error.args[0] if error.args else "error"
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
