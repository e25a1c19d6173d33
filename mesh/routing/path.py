"""What does a request's path become before anything looks at it?

Envoy's order: a fragment is an error; escaped slashes are kept, refused, unescaped or redirected away; the path is
normalised (`.`, `..`, backslashes, needless escapes); double slashes are merged. The query is never touched.
Answers: the path, PathError (400, the caller writes the reply), or PathRedirect (307 to that place).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

KEEP_UNCHANGED = "KEEP_UNCHANGED"
REJECT_REQUEST = "REJECT_REQUEST"
UNESCAPE_AND_REDIRECT = "UNESCAPE_AND_REDIRECT"
UNESCAPE_AND_FORWARD = "UNESCAPE_AND_FORWARD"

_PLAIN = bytes(sorted(set(range(256)) - set(b'#\\%"<>^`{|}')))
"""A target of only these, and without `/.`, is normal already (double slashes aside)."""
_DOT_PARAMETERS = re.compile(rb"/(\.\.?);[^/]*")
"""Path parameters of a dot segment; escaped dots have none."""
_ESCAPED_SLASH = re.compile(rb"%2[fF]|%5[cC]")
_ESCAPE = re.compile(rb"%([0-9a-fA-F]{2})")
_UNSAFE = re.compile(rb'["<>^`{|}]')
_MANY_SLASHES = re.compile(rb"/{2,}")
_PERCENT = 0x25
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@dataclass(frozen=True, slots=True)
class PathSpec:
    """How a listener treats paths."""

    normalize: bool = False
    merge_slashes: bool = False
    escaped_slashes: str = KEEP_UNCHANGED


@dataclass(frozen=True, slots=True)
class PathError:
    """The path is refused: 400, with these response code details."""

    details: bytes = b"path_normalization_failed"


@dataclass(frozen=True, slots=True)
class PathRedirect:
    """The client is sent to `location` with 307."""

    location: bytes
    details: bytes = b"path_normalization_failed"


def normalize(target: bytes, spec: PathSpec) -> bytes | PathError | PathRedirect:
    """The path to use for `target` (path and query)."""
    if not target.translate(None, _PLAIN) and b"/." not in target and not (spec.merge_slashes and b"//" in target):
        return target
    if b"#" in target:
        return PathError()
    path, mark, query = target.partition(b"?")
    redirect = False
    if spec.escaped_slashes != KEEP_UNCHANGED and _ESCAPED_SLASH.search(path):
        if spec.escaped_slashes == REJECT_REQUEST:
            return PathError()
        path = _ESCAPED_SLASH.sub(lambda found: b"/" if found[0][1:2] == b"2" else b"\\", path)
        redirect = spec.escaped_slashes == UNESCAPE_AND_REDIRECT
    if spec.normalize:
        normal = _normal(path)
        if normal is None:
            return PathError()
        path = normal
    if spec.merge_slashes and b"//" in path:
        # Envoy puts a slash before and one after what is left, so of slashes alone two remain.
        path = _MANY_SLASHES.sub(b"/", path) if path.strip(b"/") else b"//"
    if redirect:
        return PathRedirect(path + mark + query)
    return path + mark + query if mark else path


def _normal(path: bytes) -> bytes | None:
    if b";" in path:
        path = _DOT_PARAMETERS.sub(rb"/\1", path)
    if b"%00" in path:
        return None
    path = path.replace(b"\\", b"/")
    if b"/." in path or b"%2e" in path or b"%2E" in path:
        path = _without_dots(path)
    if b"%" in path:
        path = _decoded(path)
    return _UNSAFE.sub(lambda found: b"%%%02X" % found[0][0], path)


def _decoded(path: bytes) -> bytes:
    """Escapes of unreserved characters undone; a broken escape never becomes whole by that (its % turns to %25)."""
    out = bytearray()
    broken = -2
    """Where in `out` the last broken escape begins."""
    i = 0
    while i < len(path):
        if path[i] != _PERCENT:
            out.append(path[i])
            i += 1
            continue
        found = _ESCAPE.match(path, i)
        if found is None:
            broken = len(out)
            out.append(_PERCENT)
            i += 1
            continue
        i += 3
        code = int(found[1], 16)
        if code not in _UNRESERVED:
            out += found[0]
            continue
        out.append(code)
        if broken >= 0 and len(out) - broken <= 3 and _ESCAPE.match(out + path[i : i + 1], broken):
            out[broken + 1 : broken + 1] = b"25"
    return bytes(out)


def _dots(segment: bytes) -> int:
    """1 for `.`, 2 for `..` (escaped dots count), 0 for anything else."""
    if b"%" in segment:
        segment = segment.replace(b"%2e", b".").replace(b"%2E", b".")
    return {b".": 1, b"..": 2}.get(segment, 0)


def _without_dots(path: bytes) -> bytes:
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    last = len(segments) - 1
    for i, segment in enumerate(segments):
        dots = _dots(segment)
        if dots == 0:
            kept.append(segment)
            continue
        if dots == 2 and kept:
            kept.pop()
        if i == last:
            kept.append(b"")
    return b"/" + b"/".join(kept)
