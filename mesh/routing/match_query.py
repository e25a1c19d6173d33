"""Does a request's query satisfy a QueryParameterMatcher?

Names and values are compared as they were sent: no percent sign or plus is decoded, case counts. `&` separates,
`;` does not; the first occurrence of a name is the one judged; `?a` and `?a=` both carry an empty `a`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mesh.routing.errors import Refused, join
from mesh.routing.request import Request
from mesh.routing.strings import compile_string


def query_value(path: bytes, name: bytes) -> bytes | None:
    """The raw value of the first parameter called `name`; None when there is none."""
    cut = path.find(b"?")
    if cut < 0 or name not in path:
        return None
    for pair in path[cut + 1 :].split(b"&"):
        key, _, value = pair.partition(b"=")
        if key == name:
            return value
    return None


def compile_query(matcher: Any, at: str) -> tuple[Callable[[Request], bool], str]:
    """(test of a request, what it wants in words) for an envoy.config.route.v3.QueryParameterMatcher."""
    name = matcher.name.encode()
    if not name:
        raise Refused(join(at, "name"), "is empty; name a query parameter")
    kind = matcher.WhichOneof("query_parameter_match_specifier")
    if kind is None or kind == "present_match":
        wanted = kind is None or matcher.present_match
        return (lambda request: (query_value(request.path, name) is not None) == wanted), (
            "is there" if wanted else "is absent"
        )
    test, wants = compile_string(matcher.string_match, join(at, "string_match"))

    def match(request: Request) -> bool:
        value = query_value(request.path, name)
        return value is not None and test(value)

    return match, wants
