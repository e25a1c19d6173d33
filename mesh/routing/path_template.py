"""Does a path fit a URI template, and what does another template make of it?

A template is segments between slashes: literal text, `*` (one segment), `**` (any rest, last only), `{name}` and
`{name=PATTERN}` (the same with a name). Segments are never empty, except in the rest. Rewriting fills the
names into a second template.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from mesh.routing.errors import Refused
from mesh.routing.regex import Test, compile_test

_LITERAL = re.compile(r"[a-zA-Z0-9\-._~%!$&'()+,;:@]+")
_VARIABLE = re.compile(r"\{([a-zA-Z][a-zA-Z0-9_]{0,15})(?:=([^{}]+))?\}")
_SEGMENT = r"[a-zA-Z0-9\-._~%!$&'()+,;:@*=]+"
_REST = r"[a-zA-Z0-9\-._~%!$&'()+,;:@*=/]*"


@dataclass(frozen=True, slots=True)
class Template:
    test: Test
    pattern: str
    names: tuple[str, ...]


def compile_template(text: str, at: str) -> Template:
    """Compile a template; Refused names what is wrong with it."""
    if not text.startswith("/"):
        raise Refused(at, "starts with /")
    names: list[str] = []
    pattern = ""
    rest_seen = False
    for segment in _split(text[1:]):
        if rest_seen:
            raise Refused(at, "has text after **; ** stands last")
        inner, rest_seen = _segment(segment, names, at)
        pattern += "/" + inner
    return Template(compile_test(pattern, at), pattern, tuple(names))


def compile_template_rewrite(template: Template, text: str, at: str) -> Callable[[bytes], bytes | None]:
    """A function from a path that fits `template` to the path that `text` makes of it."""
    import re2

    engine = re2.compile(template.pattern.encode())
    pieces: list[bytes | str] = []
    last = 0
    for found in _VARIABLE.finditer(text):
        if found[1] not in template.names:
            raise Refused(at, f"names {found[1]!r}, which the match template has not")
        pieces += [text[last : found.start()].encode(), found[1]]
        last = found.end()
    pieces.append(text[last:].encode())

    def rewrite(path: bytes) -> bytes | None:
        match = engine.fullmatch(path)
        if match is None:
            return None
        return b"".join(p if isinstance(p, bytes) else match.group(template.names.index(p) + 1) for p in pieces)

    return rewrite


def _split(text: str) -> list[str]:
    """Segments at the slashes that stand outside braces."""
    parts, depth, current = [], 0, ""
    for char in text:
        depth += (char == "{") - (char == "}")
        if char == "/" and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += char
    return [*parts, current]


def _segment(segment: str, names: list[str], at: str) -> tuple[str, bool]:
    """(regular expression of one segment, whether it swallows the rest)."""
    if segment == "*":
        return _SEGMENT, False
    if segment == "**":
        return _REST, True
    if segment == "" or _LITERAL.fullmatch(segment):
        return re.escape(segment), False
    variable = _VARIABLE.search(segment)
    if variable is None or "{" in segment[: variable.start()] or "{" in segment[variable.end() :]:
        raise Refused(at, f"cannot read {segment!r}; a segment is text, *, **, {{name}} or {{name=pattern}}")
    if variable[1] in names:
        raise Refused(at, f"names {variable[1]!r} twice")
    names.append(variable[1])
    inner, rest = [], False
    for part in (variable[2] or "*").split("/"):
        sub, rest = _segment(part, names, at)
        inner.append(sub)
    before, after = segment[: variable.start()], segment[variable.end() :]
    if rest and after:
        raise Refused(at, "has text after **; ** stands last")
    return f"{re.escape(before)}({'/'.join(inner)}){re.escape(after)}", rest
